import { expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { RequestRate } from '../../../../src/xds/protocol/request-rate.ts';

test('a burst is free, then requests wait until the rate allows them', async () => {
  const clock = new FakeClock();
  const rate = new RequestRate({ perSecond: 100, burst: 50, clock });
  for (let count = 0; count < 50; count++) expect(rate.take()).toBe(0);
  const wait = rate.take();
  expect(wait).toBeGreaterThan(0);
  await clock.advance(wait);
  // What was gathered meanwhile, and no more.
  let free = 0;
  while (rate.take() === 0) free++;
  expect(free).toBeGreaterThan(0);
  expect(free).toBeLessThanOrEqual((wait * 100) / 1000);
  await clock.advance(3_600_000);
  for (let count = 0; count < 50; count++) expect(rate.take()).toBe(0);
  expect(rate.take()).toBeGreaterThan(0);
});

test('over time a client that always waits gets exactly its rate', async () => {
  const clock = new FakeClock();
  const rate = new RequestRate({ perSecond: 1000, burst: 10, clock });
  let taken = 0;
  for (const end = clock.now() + 60_000; clock.now() < end; taken++) await clock.advance(rate.take());
  expect(taken / 60).toBeGreaterThan(900);
  expect(taken / 60).toBeLessThan(1010);
}, 30_000);
