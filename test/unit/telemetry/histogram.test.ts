import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BOUNDS_MS, BUCKETS, quantilesOf } from '../../../src/telemetry/histogram.ts';
import { durations } from './reports.ts';

test('the bounds are those of the protocol', () => {
  expect(BOUNDS_MS).toHaveLength(49);
  expect(BUCKETS).toBe(50);
  expect(BOUNDS_MS.slice(0, 8)).toEqual([1, 1.5, 2, 3, 5, 7, 10, 15]);
  expect(BOUNDS_MS.slice(-3)).toEqual([50_000_000, 70_000_000, 100_000_000]);
  expect([...BOUNDS_MS].sort((a, b) => a - b)).toEqual(BOUNDS_MS);
});

test('nothing has no quantiles', () => {
  expect(quantilesOf(durations().buckets)).toBeUndefined();
  expect(quantilesOf([])).toBeUndefined();
});

test('as Prometheus has it: evenly spread within a bucket', () => {
  // histogram_quantile(0.5, …) of 4 between 200 and 300 ms.
  expect(quantilesOf(durations(210, 220, 230, 290).buckets)).toEqual({ p50: 250, p99: 299 });
  expect(quantilesOf(durations(0.4).buckets)).toEqual({ p50: 0.5, p99: 0.99 });
});

test('longer than the longest bound is told as that', () => {
  expect(quantilesOf(durations(5e8).buckets)).toEqual({ p50: 1e8, p99: 1e8 });
});

test('a quantile lies in the bucket of the value it stands for, and never falls', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 2e8, noNaN: true }), { minLength: 1, maxLength: 200 }), (values) => {
      const sorted = values.toSorted((a, b) => a - b);
      const { p50 = 0, p99 = 0 } = quantilesOf(durations(...values).buckets) ?? {};
      expect(p50).toBeLessThanOrEqual(p99);
      for (const [share, found] of [
        [0.5, p50],
        [0.99, p99],
      ] as const) {
        const exact = Math.min(sorted[Math.ceil(share * sorted.length) - 1] ?? 0, 1e8);
        const place = BOUNDS_MS.findIndex((bound) => exact <= bound);
        // Three digits of it.
        expect(found).toBeLessThanOrEqual((BOUNDS_MS[place] ?? 0) * 1.005);
        expect(found).toBeGreaterThanOrEqual((BOUNDS_MS[place - 1] ?? 0) * 0.995);
      }
    }),
  );
});
