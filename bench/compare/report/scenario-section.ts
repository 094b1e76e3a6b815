import { OPPONENTS, type OpponentName } from '../opponents/opponent.ts';
import type { Run, ScenarioResult } from '../results.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { overtakenShare } from './findings.ts';
import { ms, percent, table, times, withRange } from './format.ts';
import { type Figure, groupsOf, medianOf, overIdeal, partakers, runsOf } from './statistics.ts';
import { titleOf } from './titles.ts';

const HEAD = [
  '',
  'refused or failed',
  'held at most',
  'overtaken',
  'slot time lost',
  'wait: mean',
  'p99',
  'response: mean',
  'p50',
  'p90',
  'p99',
  'max',
  '÷ ideal',
  'makespan',
];

/** The section of one scenario: what happens, its pictures, and all figures. */
export function scenarioSection(scenario: Scenario, result: ScenarioResult, pictures: readonly string[]): string {
  const names = partakers(result, OPPONENTS);
  const images = pictures.map((name) => `![${scenario.title}](benchmark/${name}.svg)`);
  const [first] = names.map((name) => runsOf(result, name)).filter((runs) => runs.length > 0);
  const rows = [idealRow(names.includes('sluice') ? runsOf(result, 'sluice') : (first ?? []))];
  rows.push(...names.map((name) => row(name, runsOf(result, name), scenario.limit)));
  const skipped = Object.entries(result.skipped).map(([name, why]) => `Without ${titleOfAny(name)}: ${why}.`);
  return [
    `### ${scenario.title}`,
    scenario.about,
    ...images,
    ...skipped,
    table(HEAD, rows),
    ...groupTable(names, result),
    footer(scenario, result, first?.length ?? 0),
  ].join('\n\n');
}

/** How long the requests of each group waited. */
function groupTable(names: readonly OpponentName[], result: ScenarioResult): readonly string[] {
  const groups = groupsOf(result.runs);
  if (groups.length === 0) return [];
  const head = ['wait: mean, p99', ...groups];
  const cells = names.map((name) => {
    const runs = runsOf(result, name);
    const middle = (group: string, key: 'mean' | 'p99') =>
      ms(medianOf(runs, (run) => run.groups?.[group]?.[key] ?? null)?.median);
    return [titleOf(name), ...groups.map((group) => `${middle(group, 'mean')}, ${middle(group, 'p99')}`)];
  });
  return [table(head, cells)];
}

function titleOfAny(name: string): string {
  const known = OPPONENTS.find((one) => one === name);
  return known === undefined ? name : titleOf(known);
}

function row(name: OpponentName, runs: readonly Run[], limit: number): string[] {
  const middle = (figure: Figure) => medianOf(runs, figure)?.median;
  const peak = Math.max(...runs.map(({ held }) => held.peak));
  const over = runs.some(({ held }) => held.timesOver > 0);
  const title = name === 'sluice' ? `**${titleOf(name)}**` : titleOf(name);
  return [
    title,
    percent(middle(({ sent, answered }) => (sent - answered) / sent)),
    over ? `**${peak}** of ${limit}` : `${peak} of ${limit}`,
    percent(middle(overtakenShare)),
    percent(middle(({ lost }) => lost.share)),
    ms(middle(({ wait }) => wait.mean)),
    ms(middle(({ wait }) => wait.p99)),
    withRange(
      medianOf(runs, ({ response }) => response.mean),
      ms,
    ),
    ...(['p50', 'p90', 'p99', 'max'] as const).map((key) => ms(middle(({ response }) => response[key]))),
    times(middle(overIdeal)),
    ms(middle(({ makespan }) => makespan)),
  ];
}

/** The ideal line for what Sluice got; the others' own differ by fractions of a millisecond. */
function idealRow(runs: readonly Run[]): string[] {
  const middle = (figure: Figure) => medianOf(runs, figure)?.median;
  return [
    '*ideal*',
    percent(middle(({ ideal, sent }) => ideal.lost / sent)),
    '',
    '0',
    '0',
    ms(middle(({ ideal }) => ideal.wait.mean)),
    ms(middle(({ ideal }) => ideal.wait.p99)),
    withRange(
      medianOf(runs, ({ ideal }) => ideal.response.mean),
      ms,
    ),
    ...(['p50', 'p90', 'p99', 'max'] as const).map((key) => ms(middle(({ ideal }) => ideal.response[key]))),
    '1.00 ×',
    ms(middle(({ ideal }) => ideal.makespan)),
  ];
}

function footer(scenario: Scenario, result: ScenarioResult, repeats: number): string {
  const requests = result.runs[0]?.sent ?? 0;
  const often = repeats === 1 ? 'one run' : `medians of ${repeats} runs, the range of the mean response in brackets`;
  const how =
    scenario.how === 'together'
      ? 'all at the same time, each with pods of its own'
      : 'one after the other, each first in turn';
  const quick = result.quick ? ' A quick run: shorter, and repeated less.' : '';
  return `${requests} requests per run, ${often}; ${how}. Times in ms. Measured on ${result.date.slice(0, 10)}.${quick}`;
}
