import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoff } from '../../../src/kubernetes/backoff.ts';

test('doubles up to three seconds', () => {
  const most = [1, 2, 3, 4, 5, 6, 100].map((attempt) => backoff(attempt, () => 1));
  expect(most).toEqual([200, 400, 800, 1600, 3000, 3000, 3000]);
});

test('chance decides about the upper half', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, chance) => {
      const most = backoff(attempt, () => 1);
      const wait = backoff(attempt, () => chance);
      expect(wait).toBeGreaterThanOrEqual(most / 2);
      expect(wait).toBeLessThanOrEqual(most);
    }),
  );
});
