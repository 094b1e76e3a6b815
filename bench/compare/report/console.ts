import { OPPONENTS } from '../opponents/opponent.ts';
import type { Run, ScenarioResult } from '../results.ts';
import { ms, percent, times, withRange } from './format.ts';
import { errorShare, groupsOf, medianOf, overIdeal, partakers, runsOf } from './statistics.ts';
import { titleOf } from './titles.ts';

/** How long the requests of each group waited. */
function groupLines(runs: readonly Run[]): readonly string[] {
  return groupsOf(runs).map((group) => {
    const middle = (key: 'mean' | 'p99') => ms(medianOf(runs, (run) => run.groups?.[group]?.[key] ?? null)?.median);
    return `  ${group.padEnd(24)} wait: mean ${middle('mean')} ms, p99 ${middle('p99')} ms`;
  });
}

/** A scenario's result in a few lines, for whoever watches it run. */
export function summaryLines(result: ScenarioResult): readonly string[] {
  const lines = partakers(result, OPPONENTS).map((name) => {
    const runs = runsOf(result, name);
    const cells = [
      `mean response ${withRange(
        medianOf(runs, (run) => run.response.mean),
        ms,
      )} ms`,
      `${times(medianOf(runs, overIdeal)?.median)} ideal`,
      `held at most ${Math.max(...runs.map(({ held }) => held.peak))}`,
      `lost ${percent(medianOf(runs, ({ lost }) => lost.share)?.median)}`,
      `errors ${percent(medianOf(runs, errorShare)?.median)}`,
    ];
    return [`${titleOf(name).padEnd(26)} ${cells.join(', ')}`, ...groupLines(runs)].join('\n  ');
  });
  const skipped = Object.entries(result.skipped).map(([name, why]) => `${name} did not take part: ${why}`);
  return [...lines, ...skipped];
}
