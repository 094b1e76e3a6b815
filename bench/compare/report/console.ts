import { OPPONENTS } from '../opponents/opponent.ts';
import type { ScenarioResult } from '../results.ts';
import { ms, percent, times, withRange } from './format.ts';
import { errorShare, medianOf, overIdeal, partakers, runsOf } from './statistics.ts';
import { titleOf } from './titles.ts';

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
    return `${titleOf(name).padEnd(26)} ${cells.join(', ')}`;
  });
  const skipped = Object.entries(result.skipped).map(([name, why]) => `${name} did not take part: ${why}`);
  return [...lines, ...skipped];
}
