import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { emptySnapshot } from '../../../src/snapshot/snapshot.ts';
import { followConvergence } from '../../../src/status/convergence.ts';

function follow() {
  const clock = new FakeClock();
  const cache = new SnapshotCache();
  const answers: ((result: string) => void)[] = [];
  const seconds: number[] = [];
  const stop = followConvergence({
    subscribe: (published) => cache.subscribe({ changed: published }),
    waitForAck: () => new Promise((resolve) => answers.push(resolve)),
    onConverged: (value) => seconds.push(value),
    clock,
  });
  let count = 0;
  const publish = () => cache.set({ ...emptySnapshot, version: String(++count) });
  return { clock, answers, seconds, stop, publish };
}

test('seconds from a publication until all have it', async () => {
  const { clock, answers, seconds, publish } = follow();
  publish();
  await clock.advance(250);
  expect(seconds).toEqual([]);
  answers[0]?.('acked');
  await clock.advance(0);
  expect(seconds).toEqual([0.25]);
});

test('publications while one is being answered make no further waits; the next one after it does', async () => {
  const { clock, answers, seconds, publish } = follow();
  publish();
  await clock.advance(100);
  publish();
  publish();
  expect(answers).toHaveLength(1);
  await clock.advance(900);
  answers[0]?.('acked');
  await clock.advance(5000);
  publish();
  expect(answers).toHaveLength(2);
  answers[1]?.('acked');
  await clock.advance(0);
  expect(seconds).toEqual([1, 0]);
});

test('who never answers counts with the time waited; refusals and nobody do not count', async () => {
  const { clock, answers, seconds, publish } = follow();
  for (const result of ['timeout', 'nacked', 'no nodes']) {
    publish();
    await clock.advance(300_000);
    answers.at(-1)?.(result);
    await clock.advance(0);
  }
  expect(seconds).toEqual([300]);
});

test('ends', () => {
  const { answers, stop, publish } = follow();
  stop();
  publish();
  expect(answers).toEqual([]);
});
