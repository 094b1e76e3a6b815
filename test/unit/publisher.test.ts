import { afterEach, expect, test, vi } from 'vitest';
import { FakeClock } from '../../src/base/clock.ts';
import { millis } from '../../src/base/duration.ts';
import { Carriers } from '../../src/carriers.ts';
import { makeLogger } from '../../src/log.ts';
import { type Envoys, Publisher } from '../../src/publisher.ts';
import { SnapshotCache } from '../../src/snapshot/cache.ts';
import { limitedService, modelOf, pod } from './slots/services.ts';

type Answer = Awaited<ReturnType<Envoys['waitForAck']>>;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A publisher whose Envoys answer as they are told to, and what it tells. */
function world() {
  const clock = new FakeClock();
  const log = makeLogger('silent');
  const told: unknown[] = [];
  for (const level of ['info', 'warn', 'error'] as const)
    vi.spyOn(log, level).mockImplementation((...words: unknown[]) => void told.push(words.at(-1)));
  const carriers = new Carriers({
    clock,
    log,
    graceMs: millis(30_000),
    changed: () => {},
    ask: () => false,
    drop: () => {},
  });
  ends.push(() => carriers.stop());
  const waits: ((answer: Answer) => void)[] = [];
  const envoys: Envoys = {
    waitForAck: () => new Promise((resolve) => waits.push(resolve)),
    kick: async () => {},
  };
  const options = { cache: new SnapshotCache(), carriers, envoys, translate: { kickPort: 1 }, clock, log };
  const publisher = new Publisher(options, () => {});
  /** Answers the oldest wait, and lets everything follow from that. */
  const answer = async (value: Answer) => {
    await vi.waitFor(() => expect(waits.length).toBeGreaterThan(0));
    waits.shift()?.(value);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { publisher, told, waits, answer };
}

const service = limitedService('codec');
const [one, two] = [modelOf(service, [pod(1)]), modelOf(service, [pod(2)])];

test('a configuration that a slow Envoy takes late is told to be in force when it is', async () => {
  const { publisher, told, answer } = world();
  const published = publisher.publish(undefined, one);
  await answer('timeout');
  await published;
  expect(told).toEqual(['an Envoy has not answered yet']);
  await answer('acked');
  expect(told).toEqual(['an Envoy has not answered yet', 'configuration in force']);
});

test('nothing is told of one that another has replaced meanwhile', async () => {
  const { publisher, told, waits, answer } = world();
  const first = publisher.publish(undefined, one);
  await answer('timeout');
  await first;
  const second = publisher.publish(one, two);
  await vi.waitFor(() => expect(waits.length).toBe(2));
  // The wait for the first one ends with the answer to the second.
  waits.pop()?.('acked');
  await second;
  await answer('acked');
  expect(told).toEqual(['an Envoy has not answered yet', 'configuration in force']);
  expect(waits).toEqual([]);
});

test('one that was ready before any Envoy is told to be in force once an Envoy has it', async () => {
  const { publisher, told, waits, answer } = world();
  const published = publisher.publish(undefined, one);
  await answer('no nodes');
  await answer('no nodes');
  await published;
  expect(waits).toEqual([]);
  // An Envoy comes.
  await publisher.publish(one, one);
  await answer('acked');
  expect(told).toEqual(['configuration ready; no Envoy is connected yet', 'configuration in force']);
  await publisher.publish(one, one);
  expect(waits).toEqual([]);
});
