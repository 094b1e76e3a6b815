import { afterEach, expect, test, vi } from 'vitest';
import { envoy } from '#xds';
import { FakeClock } from '../../../src/base/clock.ts';
import { millis } from '../../../src/base/duration.ts';
import { makeLogger } from '../../../src/base/log.ts';
import { type Envoys, Publisher } from '../../../src/control-plane/publisher.ts';
import { Carriers } from '../../../src/nodes/carriers.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { limitedService, modelOf, pod } from '../slots/services.ts';

const { Runtime } = envoy.service.runtime.v3;

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
    kick: async () => 'done',
  };
  const cache = new SnapshotCache();
  const options = { cache, carriers, envoys, translate: { kickPort: 1 }, clock, log };
  const publisher = new Publisher(options);
  /** Answers the oldest wait, and lets everything follow from that. */
  const answer = async (value: Answer) => {
    await vi.waitFor(() => expect(waits.length).toBeGreaterThan(0));
    waits.shift()?.(value);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { publisher, told, waits, answer, cache, clock, carriers, log };
}

/** A publisher whose Envoys take everything at once and whose lines are as full as `kick` says; what each got, in order. */
function kicking(kick: Envoys['kick']) {
  const { cache, carriers, clock, log } = world();
  const envoys: Envoys = { waitForAck: async () => 'acked', kick };
  const publisher = new Publisher({ cache, carriers, envoys, translate: { kickPort: 1 }, clock, log });
  const given: string[] = [];
  cache.subscribe(() => {
    const body = cache
      .get({ id: '', cluster: '', metadata: {} })
      ?.types[TYPE_URLS.runtime].resources.get('limits')?.body;
    const { fields } = Runtime.decode(body ?? new Uint8Array()).layer ?? {};
    const values = Object.entries(fields ?? {}).map(([key, { numberValue }]) => {
      return `${key.replace('circuit_breakers.gate/', '').replace('default.max_', '')}=${numberValue}`;
    });
    given.push(values.sort().join(' '));
  });
  return { publisher, given };
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

const more = modelOf(service, [pod(1), pod(2)]);

test('a raised limit is published once, and its line is kicked', async () => {
  const kicks: string[] = [];
  const { publisher, given } = kicking(async (gate) => {
    kicks.push(gate);
    return 'done';
  });
  await publisher.publish(undefined, one);
  await publisher.publish(one, more);
  await publisher.allKicked();
  expect(kicks).toEqual(['codec']);
  expect(given).toEqual([
    'codec.connections=1 codec.pending_requests=10',
    'codec.connections=2 codec.pending_requests=10',
  ]);
  expect(publisher.kicked.size).toBe(0);
});

test('a full line gets one place more for the kick, and has its own length again', async () => {
  const kicks: string[] = [];
  const { publisher, given } = kicking(async () => {
    kicks.push(given.at(-1) ?? '');
    return kicks.length === 1 ? 'full' : 'done';
  });
  await publisher.publish(undefined, one);
  await publisher.publish(one, more);
  expect([...publisher.kicked]).toEqual(['codec']);
  await publisher.allKicked();
  expect(publisher.kicked.size).toBe(0);
  const [own, room] = [
    'codec.connections=2 codec.pending_requests=10',
    'codec.connections=2 codec.pending_requests=11',
  ];
  await vi.waitFor(() => expect(given.slice(1)).toEqual([own, room, own]));
  expect(kicks).toEqual([own, room]);
});

test('a request that takes the place of the kick has woken the line: it is not kicked for ever', async () => {
  let kicks = 0;
  const { publisher, given } = kicking(async () => {
    kicks++;
    return 'full';
  });
  await publisher.publish(one, more);
  await publisher.allKicked();
  await vi.waitFor(() => expect(given).toHaveLength(3));
  expect(kicks).toBe(2);
});

test('full lines that are kicked together get their places together', async () => {
  const services = ['a', 'b', 'c', 'd'].map((name) => limitedService(name));
  const all = (count: number) => {
    const models = services.map((each) =>
      modelOf(
        each,
        Array.from({ length: count }, (_, at) => pod(at + 1)),
      ),
    );
    return { ...one, services: models.flatMap((model) => model.services) };
  };
  const { publisher, given } = kicking(async () => 'full');
  await publisher.publish(all(1), all(2));
  await publisher.allKicked();
  await vi.waitFor(() => expect(given.at(-1)).toBe(given[0]));
  expect(given[1]?.match(/pending_requests=11/g)).toHaveLength(4);
  expect(given).toHaveLength(3);
});

test('a line whose pods change while it is kicked keeps its place until it has been', async () => {
  const second = Promise.withResolvers<'done'>();
  let kicks = 0;
  const { publisher, given } = kicking(() => (++kicks === 1 ? Promise.resolve('full') : second.promise));
  await publisher.publish(one, more);
  await vi.waitFor(() => expect(kicks).toBe(2));
  await publisher.publish(more, modelOf(service, [pod(1), pod(3)]));
  expect(given.at(-1)).toContain('pending_requests=11');
  second.resolve('done');
  await vi.waitFor(() => expect(given.at(-1)).toContain('pending_requests=10'));
});
