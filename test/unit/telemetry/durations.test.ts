import { expect, test } from 'vitest';
import { SlidingDurations } from '../../../src/telemetry/durations.ts';

test('quantiles are at most 1 % off, from a tenth of a millisecond to days', () => {
  for (const length of [0.1, 0.7, 3, 42, 999, 60_000, 3_600_000, 5e8]) {
    const durations = new SlidingDurations(1);
    durations.add(length);
    const { p50 = 0, p99 = 0 } = durations.all() ?? {};
    // Three digits are told.
    expect(Math.abs(p50 / length - 1), String(length)).toBeLessThan(0.015);
    expect(p99).toBe(p50);
  }
});

test('half, and 99 of 100', () => {
  const durations = new SlidingDurations(2);
  for (let ms = 1; ms <= 50; ms++) durations.add(ms);
  durations.rotate();
  for (let ms = 51; ms <= 100; ms++) durations.add(ms);
  const { p50 = 0, p99 = 0 } = durations.all() ?? {};
  expect(p50).toBeCloseTo(50, -0.5);
  expect(p99).toBeCloseTo(99, -0.5);
  expect(durations.current()?.p50).toBeGreaterThan(70);
});

test('what is too old is forgotten, and nothing is no number', () => {
  const durations = new SlidingDurations(2);
  expect(durations.all()).toBeUndefined();
  durations.add(5);
  durations.rotate();
  expect(durations.current()).toBeUndefined();
  expect(durations.all()).toBeDefined();
  durations.rotate();
  expect(durations.all()).toBeUndefined();
});

test('no time at all is a length too', () => {
  const durations = new SlidingDurations(1);
  durations.add(0);
  durations.add(-1);
  expect(durations.all()).toEqual({ p50: 0.1, p99: 0.1 });
});

test('what is counted does not depend on when it is asked, over hours', () => {
  const durations = new SlidingDurations(3);
  const kept: number[][] = [[]];
  for (let step = 0; step < 2000; step++) {
    const ms = 1 + ((step * 7919) % 1000);
    durations.add(ms);
    kept.at(-1)?.push(ms);
    if (step % 5 === 4) {
      durations.rotate();
      kept.push([]);
      if (kept.length > 3) kept.shift();
    }
    const sorted = kept.flat().sort((a, b) => a - b);
    if (sorted.length === 0) continue;
    const half = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
    expect(Math.abs((durations.all()?.p50 ?? 0) / half - 1)).toBeLessThan(0.015);
  }
});
