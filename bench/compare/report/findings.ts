import { OPPONENTS, type OpponentName } from '../opponents/opponent.ts';
import type { Results, Run, ScenarioResult } from '../results.ts';
import { ms, percent } from './format.ts';
import { errorShare, type Figure, groupsOf, type MedianOf, medianOf, partakers, runsOf } from './statistics.ts';

/** A figure that is compared: the less, the better. */
interface Compared {
  readonly title: string;
  readonly figure: Figure;
  readonly format: (value: number) => string;
  /** Less than this apart is the same: what timers and the scheduler alone do. */
  readonly tie: number;
}

const milliseconds = (value: number) => `${ms(value)} ms`;

const OVERTAKEN: Compared = { title: 'Requests overtaken', figure: overtakenShare, format: percent, tie: 0 };

const COMPARED: readonly Compared[] = [
  { title: 'Mean response', figure: ({ response }) => response.mean, format: milliseconds, tie: 0 },
  { title: 'Median response', figure: ({ response }) => response.p50, format: milliseconds, tie: 0 },
  { title: 'p99 response', figure: ({ response }) => response.p99, format: milliseconds, tie: 0 },
  { title: 'Mean wait', figure: ({ wait }) => wait.mean, format: milliseconds, tie: 0 },
  { title: 'p99 wait', figure: ({ wait }) => wait.p99, format: milliseconds, tie: 0 },
  { title: 'Slot time lost', figure: ({ lost }) => lost.share, format: percent, tie: 0.0005 },
  OVERTAKEN,
  { title: 'Refused or failed', figure: errorShare, format: percent, tie: 0 },
  { title: 'Makespan', figure: ({ makespan }) => makespan, format: milliseconds, tie: 1 },
  {
    title: 'CPU of proxy and control plane',
    figure: ({ cpuMs }) => cpuMs.proxy + cpuMs.controlPlane,
    format: milliseconds,
    tie: 10,
  },
];

/** What is compared: where requests are of groups the waits of each, and not who overtakes whom, which is what is asked for. */
function comparedIn({ runs }: ScenarioResult): readonly Compared[] {
  const groups = groupsOf(runs);
  if (groups.length === 0) return COMPARED;
  const waits = groups.flatMap((group): readonly Compared[] => [
    { title: `Mean wait of ${group}`, figure: (run) => run.groups?.[group]?.mean, format: milliseconds, tie: 0 },
    { title: `p99 wait of ${group}`, figure: (run) => run.groups?.[group]?.p99, format: milliseconds, tie: 0 },
  ]);
  return [...waits, ...COMPARED.filter((one) => one !== OVERTAKEN)];
}

/** The share of requests that a later one overtook. */
export function overtakenShare({ order }: Run): number {
  return order.compared === 0 ? 0 : order.overtaken / order.compared;
}

/** A figure in which somebody is better than Sluice. */
export interface NotFirst {
  readonly scenario: string;
  readonly figure: string;
  readonly sluice: string;
  readonly best: string;
  readonly opponent: OpponentName;
  /** True when the ranges of the repeats overlap: the next run may say otherwise. */
  readonly withinRange: boolean;
  /** True when the better one refused or failed more than 1 % of the requests, which makes the others faster. */
  readonly refused: boolean;
}

/** Everything in which an opponent's median is better than Sluice's, in the order of the page. */
export function notFirst(result: ScenarioResult): readonly NotFirst[] {
  const rivals = partakers(result, OPPONENTS).filter((name) => name !== 'sluice');
  return comparedIn(result).flatMap(({ title, figure, format, tie }) => {
    const own = medianOf(runsOf(result, 'sluice'), figure);
    if (own === undefined) return [];
    const better = rivals.flatMap((opponent) => {
      const theirs = medianOf(runsOf(result, opponent), figure);
      return theirs !== undefined && theirs.median < own.median - tie ? [{ opponent, theirs }] : [];
    });
    // Those that refuse are a group of their own: of each group, the best.
    const groups = [true, false].flatMap((refuses) => {
      const group = better.filter(({ opponent }) => refusedBy(result, opponent) > 0.01 === refuses);
      const [best] = group.sort((a, b) => a.theirs.median - b.theirs.median);
      return best === undefined ? [] : [best];
    });
    return groups.reverse().map(({ opponent, theirs }) => ({
      scenario: result.name,
      figure: title,
      sluice: format(own.median),
      best: format(theirs.median),
      opponent,
      withinRange: overlap(own, theirs),
      refused: refusedBy(result, opponent) > 0.01,
    }));
  });
}

/** The share of requests that an opponent refused or failed, median of the repeats. */
export function refusedBy(result: ScenarioResult, opponent: OpponentName): number {
  return medianOf(runsOf(result, opponent), errorShare)?.median ?? 0;
}

function overlap(one: MedianOf, other: MedianOf): boolean {
  return one.least <= other.most && other.least <= one.most;
}

/** Where Sluice broke its promise: every run in which a pod held more than its limit. */
export function strictnessFaults({ scenarios }: Results): readonly string[] {
  return scenarios.flatMap((result) =>
    runsOf(result, 'sluice')
      .filter(({ held }) => held.timesOver > 0)
      .map(
        ({ repeat, held }) =>
          `${result.name}, repeat ${repeat + 1}: a pod held ${held.peak}, ${held.timesOver} times over its limit`,
      ),
  );
}
