import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { LogSampling } from '../../../src/telemetry/log-sampling.ts';

/** A clock, and what was chosen, in order. */
function start() {
  const clock = new FakeClock();
  const chosen: number[] = [];
  const sampling = new LogSampling({ clock, onChange: (oneIn) => chosen.push(oneIn) });
  /** So many requests a second for so long, told of twice a second. */
  const rate = async (requests: number, seconds: number, nodeId = 'a') => {
    for (let half = 0; half < 2 * seconds; half++) {
      sampling.heard(nodeId, requests / 2);
      await clock.advance(500);
    }
  };
  return { clock, sampling, chosen, rate };
}

test('of few requests all are told of, and of more a smaller and smaller share', async () => {
  const { chosen, rate } = start();
  await rate(300, 10);
  expect(chosen).toEqual([]);
  await rate(1000, 5);
  expect(chosen).toEqual([4]);
  await rate(5000, 5);
  expect(chosen).toEqual([4, 16]);
  await rate(1_000_000, 5);
  expect(chosen).toEqual([4, 16, 64]);
});

test('what is told counts for the time before it, however many times fall into one look', async () => {
  const { clock, sampling, chosen } = start();
  for (let time = 0; time < 20; time++) {
    sampling.heard('a', 147);
    await clock.advance(490);
  }
  // After a pause it is not known for how much time the first one stands.
  await clock.advance(60_000);
  sampling.heard('a', 1000);
  await clock.advance(5000);
  expect(chosen).toEqual([]);
});

test('two logs that are told at the same moment are no endless rate', async () => {
  const { clock, sampling, chosen } = start();
  for (let time = 0; time < 10; time++) {
    for (const requests of [50, 60]) sampling.heard('a', requests);
    await clock.advance(500);
  }
  expect(chosen).toEqual([]);
});

test('a rate that goes up and down a little changes nothing, and one that falls for good does', async () => {
  const { chosen, rate } = start();
  await rate(330, 2);
  expect(chosen).toEqual([4]);
  await rate(250, 10);
  expect(chosen).toEqual([4]);
  await rate(10, 2);
  await rate(250, 1);
  expect(chosen).toEqual([4]);
  await rate(200, 3);
  expect(chosen).toEqual([4, 1]);
});

test('when nobody tells of anything any more, each that comes then is told of', async () => {
  const { clock, chosen, rate } = start();
  await rate(100_000, 3);
  expect(chosen).toEqual([64]);
  await clock.advance(2000);
  expect(chosen).toEqual([64]);
  await clock.advance(2000);
  expect(chosen).toEqual([64, 1]);
});

test('the Envoy that tells of most decides, and not how many there are', async () => {
  const { chosen, rate, sampling, clock } = start();
  for (let second = 0; second < 3; second++) {
    for (const nodeId of ['a', 'b', 'c']) sampling.heard(nodeId, 300);
    await clock.advance(1000);
  }
  expect(chosen).toEqual([]);
  sampling.heard('b', 100);
  await rate(2000, 1, 'a');
  expect(chosen).toEqual([16]);
});

test('stopped, it leaves no timer behind', async () => {
  const { clock, sampling, chosen } = start();
  sampling.heard('a', 10_000);
  sampling.stop();
  sampling.heard('a', 10_000);
  await clock.advance(60_000);
  expect(chosen).toEqual([]);
});
