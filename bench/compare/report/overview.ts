import { OPPONENTS, type OpponentName } from '../opponents/opponent.ts';
import type { Results, ScenarioResult } from '../results.ts';
import { overtakenShare, refusedBy } from './findings.ts';
import { percent, table, times } from './format.ts';
import { type Figure, medianOf, middle, overIdeal, quotient, runsOf } from './statistics.ts';
import { titleOf } from './titles.ts';

/** Scenarios in which nobody waits, not everybody takes part, or who came first does not go first: they have their own places on the page. */
const NOT_IN_OVERVIEW = new Set([
  'high-rate',
  'jobs-20ms',
  'jobs-100ms',
  'one-pod-20ms',
  'balancing',
  'priority',
  'fair-shares',
]);

/** The scenarios that the first table sums up. */
export function overviewScenarios({ scenarios }: Results): readonly ScenarioResult[] {
  return scenarios.filter(({ name }) => !NOT_IN_OVERVIEW.has(name));
}

/** The first table: each opponent over all scenarios. */
export function overviewTable(results: Results): string {
  const scenarios = overviewScenarios(results);
  const head = [
    '',
    'a pod never above its limit',
    'refused or failed',
    'overtaken',
    'slot time lost while somebody waits',
    'mean response ÷ ideal',
    'p99 response ÷ ideal',
  ];
  const rows = OPPONENTS.flatMap((name) => {
    const own = scenarios.filter((result) => runsOf(result, name).length > 0);
    return own.length === 0 ? [] : [row(name, own)];
  });
  return table(head, rows);
}

function row(name: OpponentName, scenarios: readonly ScenarioResult[]): string[] {
  const medians = (figure: Figure) =>
    scenarios.flatMap((result) => medianOf(runsOf(result, name), figure)?.median ?? []);
  const strict = scenarios.filter((result) => runsOf(result, name).every(({ held }) => held.timesOver === 0)).length;
  const p99 = medians(({ response, ideal }) => quotient(response.p99, ideal.response.p99));
  const refuses = scenarios.some((result) => refusedBy(result, name) > 0.01);
  return [
    name === 'sluice' ? `**${titleOf(name)}**` : titleOf(name),
    strict === scenarios.length ? 'yes' : `in ${strict} of ${scenarios.length}`,
    both(
      medians(({ sent, answered }) => (sent - answered) / sent),
      percent,
    ),
    both(medians(overtakenShare), percent),
    both(
      medians(({ lost }) => lost.share),
      percent,
    ),
    `${both(medians(overIdeal), times)}${refuses ? ' *' : ''}`,
    `${both(p99, times)}${refuses ? ' *' : ''}`,
  ];
}

function both(values: readonly number[], format: (value: number) => string): string {
  const worst = Math.max(...values);
  return worst === 0 ? format(0) : `${format(middle(values))} (${format(worst)})`;
}
