import { expect, test } from 'vitest';
import { gateLimit } from '../../../src/slots/gate-limit.ts';
import { type MeanWork, retryAfter, stepMeanWork } from '../../../src/slots/retry-after.ts';
import { limitedService, pod } from './services.ts';

/** A line of ten places, and two pods. */
function after(mean: number | undefined, before?: number, pods = [pod(1), pod(2)]): number {
  const service = limitedService('a', 1);
  const work = mean === undefined ? undefined : { mean, count: 1 };
  return retryAfter(
    service,
    gateLimit(service, pods, () => 0),
    { work, before },
  );
}

test('a full line is worked off in so many seconds', () => {
  expect(after(4000)).toBe(20);
  expect(after(4010)).toBe(21);
});

test('one second while nothing is known, and at least; an hour at most', () => {
  expect(after(undefined)).toBe(1);
  expect(after(1)).toBe(1);
  expect(after(10_000_000)).toBe(3600);
});

test('a small change is not worth telling', () => {
  expect(after(4000, 15)).toBe(15);
  expect(after(4000, 29)).toBe(29);
  expect(after(4000, 13)).toBe(20);
  expect(after(4000, 31)).toBe(20);
});

test('without any slot what was told stands', () => {
  expect(after(4000, 7, [])).toBe(7);
});

test('without a line there is nothing to wait for', () => {
  const service = limitedService('a', 1);
  expect(retryAfter(service, undefined, { work: { mean: 4000, count: 1 }, before: undefined })).toBe(1);
});

test('the mean is that of the first requests, then of the last ones', () => {
  const mean = (before: MeanWork | undefined, ...ms: readonly number[]) => ms.reduce(stepMeanWork, before);
  expect(mean(undefined, 100, 200, 300)).toEqual({ mean: 200, count: 3 });
  const long = Array.from({ length: 200 }, () => 1000);
  expect(mean({ mean: 100, count: 50 }, ...long)?.mean).toBeCloseTo(1000, 0);
});
