import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Peaks } from '../../../src/telemetry/peaks.ts';

test('the highest value of a time is what is wanted for so long', () => {
  const peaks = new Peaks();
  expect(peaks.since(0)).toBe(0);
  for (const [at, value] of [
    [0, 2],
    [1000, 7],
    [2000, 3],
    [3000, 1],
  ] as const)
    peaks.add(value, at);
  // 7 was there until 2,000, 3 until 3,000.
  expect([2000, 2001, 3000, 3001, 9000].map((since) => peaks.since(since))).toEqual([7, 3, 3, 1, 1]);
});

test('it is what a list of all values would say', () => {
  const step = fc.record({ wait: fc.integer({ min: 0, max: 50 }), value: fc.nat(6) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), fc.nat(2000), (steps, back) => {
      const peaks = new Peaks();
      const held: { value: number; from: number; until: number }[] = [];
      let now = 0;
      for (const { wait, value } of steps) {
        now += wait;
        const last = held.at(-1);
        if (last !== undefined) last.until = now;
        held.push({ value, from: now, until: now });
        peaks.add(value, now);
      }
      const since = now - back;
      const there = held.filter(({ until }) => until >= since).map(({ value }) => value);
      expect(peaks.since(since)).toBe(Math.max(...there));
    }),
  );
});
