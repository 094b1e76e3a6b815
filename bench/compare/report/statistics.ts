import type { OpponentName } from '../opponents/opponent.ts';
import type { Run, ScenarioResult } from '../results.ts';

/** The middle of several runs, and how far they lie apart. */
export interface MedianOf {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A figure of a run; null or undefined where there is none. */
export type Figure = (run: Run) => number | null | undefined;

/** Median and range of a figure over runs; undefined when no run has it. */
export function medianOf(runs: readonly Run[], figure: Figure): MedianOf | undefined {
  const values = runs
    .map(figure)
    .filter((value) => value !== null && value !== undefined)
    .sort((a, b) => a - b);
  const [least] = values;
  const most = values.at(-1);
  if (least === undefined || most === undefined) return undefined;
  const middle = values.length >> 1;
  const upper = values[middle] ?? least;
  const lower = values.length % 2 === 0 ? (values[middle - 1] ?? upper) : upper;
  return { median: (lower + upper) / 2, least, most };
}

/** The runs of one opponent, by repeat. */
export function runsOf({ runs }: ScenarioResult, opponent: OpponentName): readonly Run[] {
  return runs.filter((run) => run.opponent === opponent).sort((a, b) => a.repeat - b.repeat);
}

/** The opponents that took part, in the order of `order`. */
export function partakers({ runs }: ScenarioResult, order: readonly OpponentName[]): readonly OpponentName[] {
  const present = new Set(runs.map(({ opponent }) => opponent));
  return order.filter((name) => present.has(name));
}

/** The share of requests that got no good answer. */
export function errorShare({ sent, answered }: Run): number {
  return sent === 0 ? 0 : (sent - answered) / sent;
}

/** The mean response as a multiple of that of the ideal queue for the same requests. */
export const overIdeal: Figure = ({ response, ideal }) => quotient(response.mean, ideal.response.mean);

/** One figure by another; null when one of them is missing or nothing. */
export function quotient(above: number | null, below: number | null): number | null {
  return above === null || below === null || below === 0 ? null : above / below;
}

/** A figure of one opponent, its mean response if left out, as a multiple of another's, repeat by repeat: both had the same requests. */
export function ratios(
  result: ScenarioResult,
  of: OpponentName,
  to: OpponentName,
  figure: Figure = ({ response }) => response.mean,
): readonly number[] {
  const others = new Map(runsOf(result, to).map((run) => [run.repeat, run]));
  return runsOf(result, of).flatMap((run) => {
    const other = others.get(run.repeat);
    const ratio = other === undefined ? null : quotient(figure(run) ?? null, figure(other) ?? null);
    return ratio === null ? [] : [ratio];
  });
}

/** The median of numbers; NaN of none. */
export function middle(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  return sorted.length % 2 === 0 ? ((sorted[(sorted.length >> 1) - 1] ?? upper) + upper) / 2 : upper;
}

/** The groups that the runs of a scenario are judged by; none: it has no groups. */
export function groupsOf(runs: readonly Run[]): readonly string[] {
  return Object.keys(runs.find(({ groups }) => groups !== undefined)?.groups ?? {});
}
