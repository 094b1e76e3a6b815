import { spread } from '../../../test/e2e/kit/spread.ts';
import type { Distribution } from '../results.ts';

/** Mean and percentiles of `values`, in microsecond steps; null when there are none. */
export function distribution(values: readonly number[]): Distribution {
  const { count, mean, median, p90, p99, max } = spread(values);
  const figure = (value: number) => (Number.isFinite(value) ? rounded(value) : null);
  return { count, mean: figure(mean), p50: figure(median), p90: figure(p90), p99: figure(p99), max: figure(max) };
}

/** To three digits after the point: what is beyond was not measured. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
