import type { LoadResult } from '../../../test/e2e/kit/load.ts';
import type { Series } from '../results.ts';
import { distribution, rounded } from './distribution.ts';

/** A stretch of time in which something was there. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

const SAMPLES = 200;
const RESPONSE_SAMPLES = 12;

/** How many of `stretches` there were on average in each of `samples` equal parts of the time from `start` to `end`. */
export function averages(stretches: readonly Stretch[], { from: start, to: end }: Stretch, samples: number): number[] {
  const step = (end - start) / samples;
  const sums: number[] = new Array(samples).fill(0);
  for (const { from, to } of stretches) {
    const first = Math.max(0, Math.floor((from - start) / step));
    const last = Math.min(samples - 1, Math.floor((to - start) / step));
    for (let sample = first; sample <= last; sample += 1) {
      const left = start + sample * step;
      sums[sample] = (sums[sample] ?? 0) + Math.max(0, Math.min(to, left + step) - Math.max(from, left));
    }
  }
  return sums.map((sum) => rounded(sum / step));
}

/** A run over time: what `held` has per pod, what waited, and the responses of what was sent meanwhile. */
export function seriesOf(
  held: readonly (readonly Stretch[])[],
  waiting: readonly Stretch[],
  answered: readonly Pick<LoadResult, 'sent' | 'ended'>[],
): Series {
  const all = [...held.flat(), ...waiting];
  const from = all.reduce((least, stretch) => Math.min(least, stretch.from), Number.POSITIVE_INFINITY);
  const to = all.reduce((most, stretch) => Math.max(most, stretch.to), Number.NEGATIVE_INFINITY);
  const last = answered.reduce((most, { sent }) => Math.max(most, sent), from);
  const stepMs = (last - from + 1) / RESPONSE_SAMPLES;
  const groups = Map.groupBy(answered, ({ sent }) => Math.floor((sent - from) / stepMs));
  const percentiles = Array.from({ length: RESPONSE_SAMPLES }, (_, sample) =>
    distribution((groups.get(sample) ?? []).map(({ sent, ended }) => ended - sent)),
  );
  return {
    stepMs: (to - from) / SAMPLES,
    held: held.map((stretches) => averages(stretches, { from, to }, SAMPLES)),
    waiting: averages(waiting, { from, to }, SAMPLES),
    response: { stepMs, p50: percentiles.map(({ p50 }) => p50), p99: percentiles.map(({ p99 }) => p99) },
  };
}
