import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { Envoys } from '../../../src/nodes/envoys.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { kubernetes, serviceOf } from '../model/routing-parts.ts';

const ADS = 'envoy.service.discovery.v3.AggregatedDiscoveryService';

interface Coming {
  readonly returning?: boolean;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly userAgent?: string;
  readonly service?: string;
  /** Whether it asks for listeners, as an Envoy does; it takes those that it gets. */
  readonly listens?: boolean;
}

/** One service, `codec`, and Envoys that come and go by the numbers of their streams; these have a queue filter from the first. */
function world(...filters: readonly string[]) {
  const withFilter = new Set(filters);
  const clock = new FakeClock();
  let told = 0;
  const toldOf = new Set<string>();
  const asked: number[] = [];
  const dropped: number[] = [];
  const silent = new Set<number>();
  const envoys = new Envoys({
    clock,
    hasFilter: (node) => withFilter.has(node),
    hasOthers: (node) => [...withFilter].some((other) => other !== node),
    ask(stream) {
      asked.push(stream);
      return !silent.has(stream);
    },
    drop(stream) {
      dropped.push(stream);
      envoys.record({ kind: 'disconnected', ...identity('a', stream), reason: '' });
    },
    changed: (nodes) => {
      told++;
      for (const node of nodes) toldOf.add(node);
    },
  });
  envoys.follow([{ service: serviceOf('codec', kubernetes('codec'), 1) }]);
  const identity = (id: string, stream: number, metadata = {}) => {
    return { stream, node: { id, cluster: '', metadata }, peer: '' };
  };
  return {
    clock,
    envoys,
    told: () => told,
    /** Which Envoys were told of since this was asked last. */
    toldOf() {
      const nodes = [...toldOf];
      toldOf.clear();
      return nodes;
    },
    come(
      id: string,
      stream: number,
      { returning = false, metadata, userAgent = 'envoy 1.40.0', service = ADS, listens = true }: Coming = {},
    ) {
      const how = { delta: true, service, userAgent, returning };
      const from = identity(id, stream, metadata);
      envoys.record({ kind: 'connected', ...from, ...how });
      if (service === ADS) envoys.record({ kind: 'asked', ...from, typeUrl: TYPE_URLS.cluster });
      if (!listens) return;
      envoys.record({ kind: 'asked', ...from, typeUrl: TYPE_URLS.listener });
      envoys.record({ kind: 'acked', ...from, typeUrl: TYPE_URLS.listener, version: '', resources: [] });
    },
    hold(id: string, stream: number, ...names: readonly string[]) {
      envoys.record({ kind: 'holds', ...identity(id, stream), names });
    },
    go(id: string, stream: number) {
      envoys.record({ kind: 'disconnected', ...identity(id, stream), reason: '' });
    },
    /** Its queue filter connects. */
    connect(id: string) {
      withFilter.add(id);
      envoys.recordFilter(id);
    },
    /** It rejects the queue filter. */
    refuse(id: string, stream: number) {
      withFilter.delete(id);
      const nack = { typeUrl: TYPE_URLS.extension, version: '', resources: [], message: 'no Wasm' };
      envoys.record({ kind: 'nacked', ...identity(id, stream), ...nack });
    },
    asked,
    dropped,
    /** Streams whose clients cannot be asked anything. */
    silent,
    /** The client of a stream of `a` answers what it was asked. */
    answer(stream: number) {
      envoys.record({ kind: 'alive', ...identity('a', stream) });
    },
    /** What `id` gets, on that stream: `waits`, or whether it has codec. */
    codec(id: string, stream?: number) {
      const given = envoys.given({ id, cluster: '', metadata: {} }, stream);
      return given.kind === 'waits' ? 'waits' : !given.absent.has('codec' as never);
    },
    problems: () => envoys.problems().map(({ subject, message }) => `${subject} ${message}`),
  };
}

test('Envoys with a queue filter share a service', () => {
  const { come, codec, problems } = world('a', 'b');
  come('a', 1);
  come('b', 2);
  expect([codec('a'), codec('b')]).toEqual([true, true]);
  expect(problems()).toEqual([]);
});

test('an Envoy without a filter has a service alone, until it has been gone for a while', async () => {
  const { clock, come, go, codec, problems, told } = world();
  come('a', 1);
  expect(codec('a')).toBe(true);
  come('b', 2);
  expect([codec('a'), codec('b')]).toEqual([true, false]);
  expect(problems()).toEqual([
    'Envoy b does not get service codec: Envoy a has no queue filter, so slots cannot be shared with it',
  ]);
  go('a', 1);
  await clock.advance(29_999);
  expect(codec('b')).toBe(false);
  const before = told();
  await clock.advance(1);
  expect(codec('b')).toBe(true);
  expect(told()).toBeGreaterThan(before);
});

test('one without a filter does not get what one with a filter uses, connected or not', async () => {
  const { come, go, codec, problems, clock, told } = world('a');
  come('a', 1);
  come('b', 2);
  expect([codec('a'), codec('b')]).toEqual([true, false]);
  // Its filter may be on its way.
  await clock.advance(4999);
  expect(problems()).toEqual([]);
  const before = told();
  await clock.advance(1);
  expect(told()).toBeGreaterThan(before);
  expect(problems()).toEqual([
    'Envoy b does not get service codec: its queue filter has not connected, so it cannot share slots with the other Envoys',
  ]);
  go('a', 1);
  expect(codec('b')).toBe(false);
});

test('each gets the service when its filter connects, the first one before that if nobody else is there', () => {
  const { envoys, come, codec, connect, problems } = world();
  come('a', 1);
  expect([codec('a'), envoys.needsFilter('a')]).toEqual([true, false]);
  come('b', 2);
  connect('a');
  expect([codec('a'), codec('b')]).toEqual([true, false]);
  expect([envoys.needsFilter('a'), envoys.needsFilter('b')]).toEqual([false, true]);
  connect('b');
  expect([codec('a'), codec('b')]).toEqual([true, true]);
  expect(envoys.needsFilter('b')).toBe(false);
  expect(problems()).toEqual([]);
});

test('an Envoy that refuses the filter gets nothing of what others share', () => {
  const { envoys, come, hold, codec, refuse } = world('a', 'b');
  come('a', 1);
  come('b', 2, { returning: true });
  hold('b', 2, 'codec');
  expect(codec('b')).toBe(true);
  refuse('b', 2);
  expect([codec('a'), codec('b')]).toEqual([true, false]);
  expect(envoys.needsFilter('b')).toBe(false);
  expect(envoys.problems()).toHaveLength(1);
});

test('after a start an Envoy that had a configuration is waited for until its filter is back, for 3 s', async () => {
  const { clock, come, hold, codec, connect, told } = world();
  for (const [id, stream] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    come(id, stream, { returning: true });
    hold(id, stream, 'codec');
  }
  expect([codec('a'), codec('b')]).toEqual(['waits', 'waits']);
  connect('a');
  expect([codec('a'), codec('b')]).toEqual([true, 'waits']);
  const before = told();
  await clock.advance(3000);
  expect([codec('a'), codec('b')]).toEqual([true, false]);
  expect(told()).toBeGreaterThan(before);
});

test('after a start one that does not hold the service may be another of the same id than the one that does', async () => {
  const { clock, come, hold, codec } = world('a');
  come('a', 1, { returning: true });
  expect(codec('a')).toBe('waits');
  hold('a', 1, 'web');
  expect(codec('a')).toBe('waits');
  await clock.advance(3000);
  expect(codec('a')).toBe(true);
});

test('Envoys without a filter that are there for different services do not disturb each other', () => {
  const { come, envoys, problems } = world();
  come('a', 1, { metadata: { sluice: { services: ['codec'] } } });
  come('b', 2, { metadata: { sluice: { services: ['other'] } } });
  for (const id of ['a', 'b']) envoys.given({ id, cluster: '', metadata: {} });
  expect(problems().filter((text) => text.includes('does not get'))).toEqual([]);
});

test('a gRPC client never keeps a service from an Envoy', () => {
  const { come, codec, problems } = world('a');
  come('client', 1, { userAgent: 'gRPC Node Pure JS 1.14.0' });
  come('a', 2);
  expect([codec('client'), codec('a')]).toEqual([false, true]);
  expect(problems()).toEqual([]);
});

test('metadata that cannot be read, or names what is not there, is told', () => {
  const { come, codec, problems } = world('c');
  come('a', 1, { metadata: { sluice: { services: 'codec' } } });
  come('b', 2, { metadata: { sluice: { services: ['codek'] } } });
  come('c', 3, { metadata: { sluice: { services: ['codec'] } } });
  expect([codec('a'), codec('b'), codec('c')]).toEqual([false, false, true]);
  expect(problems()).toEqual([
    'Envoy a gets no service: sluice.services in its node metadata is not a list of names',
    'Envoy b is there for service codek by its node metadata; the route file has no such service',
  ]);
});

describe('two connections with one node id', () => {
  const TWO = expect.stringMatching(/^Envoy a 2 Envoys say that this is their node id; only the first gets services/);

  test('the first answers: they are two Envoys, and the second does not get the service until the first has gone', () => {
    const { come, go, codec, problems, asked, answer, told } = world('a');
    come('a', 1);
    expect(asked).toEqual([]);
    come('a', 2);
    expect(asked).toEqual([1]);
    expect([codec('a', 1), codec('a', 2)]).toEqual([true, 'waits']);
    expect(problems()).toEqual([]);
    const before = told();
    answer(1);
    expect([codec('a', 1), codec('a', 2)]).toEqual([true, false]);
    expect(told()).toBeGreaterThan(before);
    expect(problems()).toEqual([TWO]);
    go('a', 1);
    expect(codec('a', 2)).toBe(true);
    expect(problems()).toEqual([]);
  });

  test('the first says nothing: it has gone, and its stream is ended', async () => {
    const { clock, come, codec, problems, dropped } = world('a');
    come('a', 1);
    come('a', 2);
    await clock.advance(4999);
    expect([codec('a', 2), dropped]).toEqual(['waits', []]);
    await clock.advance(1);
    expect([codec('a', 2), dropped]).toEqual([true, [1]]);
    expect(problems()).toEqual([]);
  });

  test('the first ends by itself: a reconnect, which nobody is told of', async () => {
    const { clock, come, go, codec, problems, dropped } = world('a');
    come('a', 1);
    come('a', 2);
    go('a', 1);
    expect(codec('a', 2)).toBe(true);
    await clock.advance(60_000);
    expect([problems(), dropped]).toEqual([[], []]);
  });

  test('the first cannot be asked yet: the second loses nothing until it can, and has said nothing', async () => {
    const { clock, come, codec, problems, silent, asked, dropped } = world('a');
    await clock.advance(3000);
    silent.add(1);
    come('a', 1);
    come('a', 2, { returning: true });
    expect([codec('a', 1), codec('a', 2)]).toEqual([true, 'waits']);
    await clock.advance(20_000);
    expect([codec('a', 2), problems(), dropped]).toEqual(['waits', [], []]);
    silent.delete(1);
    asked.length = 0;
    await clock.advance(250);
    expect(asked).toEqual([1]);
    await clock.advance(5000);
    expect([codec('a', 2), problems(), dropped]).toEqual([true, [], [1]]);
  });

  test('right after a start: who has the service goes before its own old connection, which is found dead', async () => {
    const { clock, come, hold, codec, problems, dropped, asked } = world('a');
    come('a', 1);
    come('a', 2, { returning: true });
    hold('a', 2, 'codec');
    expect([codec('a', 1), codec('a', 2)]).toEqual(['waits', true]);
    expect(asked).toEqual([1]);
    await clock.advance(4999);
    expect([codec('a', 2), problems(), dropped]).toEqual([true, [], []]);
    await clock.advance(1);
    expect([codec('a', 2), problems(), dropped]).toEqual([true, [], [1]]);
  });

  test('an answer to something else shows nothing: it may have been on its way', () => {
    const { envoys, come, go, codec, problems } = world('a');
    come('a', 1);
    come('a', 2);
    const from = { stream: 1, node: { id: 'a', cluster: '', metadata: {} }, peer: '' };
    envoys.record({ kind: 'acked', ...from, typeUrl: TYPE_URLS.cluster, version: '', resources: [] });
    expect([codec('a', 2), problems()]).toEqual(['waits', []]);
    go('a', 1);
    expect(codec('a', 2)).toBe(true);
  });

  test('one that comes while the first is asked waits with the second; the next in line is asked for it', () => {
    const { come, go, codec, asked, answer } = world('a');
    come('a', 1);
    come('a', 2);
    come('a', 3);
    go('a', 1);
    expect([codec('a', 2), codec('a', 3), asked]).toEqual([true, 'waits', [1, 2]]);
    answer(2);
    expect([codec('a', 2), codec('a', 3)]).toEqual([true, false]);
  });

  test('after a restart the one that has the service goes before one that has not and was earlier', () => {
    const { come, hold, codec, answer, problems } = world('a');
    come('a', 1, { returning: true });
    hold('a', 1, 'web');
    come('a', 2, { returning: true });
    hold('a', 2, 'codec');
    expect([codec('a', 1), codec('a', 2)]).toEqual(['waits', true]);
    answer(1);
    expect([codec('a', 1), codec('a', 2)]).toEqual([false, true]);
    expect(problems()).toEqual([TWO]);
  });

  test('later on nobody takes the service from the one that has it, whatever he says', async () => {
    const { clock, come, hold, codec } = world('a');
    await clock.advance(3000);
    come('a', 1);
    come('a', 2, { returning: true });
    hold('a', 2, 'codec');
    expect([codec('a', 1), codec('a', 2)]).toEqual([true, 'waits']);
  });

  test('gRPC clients, and streams for anything but clusters, may be as many as they like', () => {
    const { come, asked } = world('a');
    for (const stream of [1, 2]) come('client', stream, { userAgent: 'gRPC Node Pure JS 1.14.0' });
    for (const stream of [3, 4]) come('a', stream, { service: 'envoy.service.endpoint.v3.EndpointDiscoveryService' });
    expect(asked).toEqual([]);
  });
});

describe('many Envoys', () => {
  test('who comes, or goes, concerns nobody but himself, unless others cannot share with him', () => {
    const { come, go, toldOf, connect, codec } = world('a');
    come('a', 1);
    expect(toldOf()).toEqual(['a']);
    come('b', 2);
    expect([codec('b'), toldOf()]).toEqual([false, ['b']]);
    connect('b');
    expect(codec('b')).toBe(true);
    toldOf();
    go('b', 2);
    expect(toldOf()).toEqual(['b']);
  });

  test('those that get no service with a limit share what they do not get, and an edit that leaves the names does not change it', () => {
    const { envoys, come } = world('a');
    for (const [at, id] of ['a', 'b', 'c'].entries()) come(id, at + 1);
    const absent = (id: string) => {
      const given = envoys.given({ id, cluster: '', metadata: {} });
      return given.kind === 'waits' ? undefined : given.absent;
    };
    const before = absent('b');
    expect(absent('c')).toBe(before);
    envoys.follow([{ service: serviceOf('codec', kubernetes('codec'), 2) }]);
    expect([absent('b') === before, [...(absent('a') ?? [])]]).toEqual([true, []]);
    envoys.follow([{ service: serviceOf('llm', kubernetes('llm'), 2) }]);
    expect([[...(absent('b') ?? [])], [...(absent('a') ?? [])]]).toEqual([['llm'], []]);
  });
});

describe('who is an Envoy', () => {
  test('a client that asks for clusters alone owns nothing, however long it stays, and may go at any time', () => {
    const { come, go, codec, problems } = world('a');
    come('debug', 1, { userAgent: 'curl 8', listens: false });
    expect(codec('debug')).toBe(false);
    come('a', 2);
    expect([codec('debug'), codec('a')]).toEqual([false, true]);
    go('debug', 1);
    expect([codec('a'), problems()]).toEqual([true, []]);
  });

  test('one that asks for listeners and never answers owns nothing after a second', async () => {
    const { clock, envoys, come, codec } = world();
    come('debug', 1, { userAgent: 'curl 8', listens: false });
    const from = { stream: 1, node: { id: 'debug', cluster: '', metadata: {} }, peer: '' };
    envoys.record({ kind: 'asked', ...from, typeUrl: TYPE_URLS.listener });
    expect(codec('debug')).toBe(true);
    come('a', 2);
    expect(codec('a')).toBe(false);
    await clock.advance(1000);
    expect([codec('debug'), codec('a')]).toEqual([false, true]);
    // It may be a busy Envoy, which would refuse requests.
    expect(envoys.given(from.node).kind).toBe('silent');
    envoys.record({ kind: 'acked', ...from, typeUrl: TYPE_URLS.listener, version: '', resources: [] });
    expect(envoys.given(from.node).kind).toBe('envoy');
  });

  test('one that had a configuration loses nothing before it has said what it has', async () => {
    const { clock, come, codec } = world('a');
    await clock.advance(3000);
    come('a', 1, { returning: true, listens: false });
    expect(codec('a')).toBe('waits');
    await clock.advance(1000);
    expect(codec('a')).toBe(false);
  });

  test.each(['envoy 1.36.0', 'envoy 1.38.4'])('%s gets nothing, and is told why', (userAgent) => {
    const { envoys, come, go, codec, problems } = world('a');
    come('old', 1, { userAgent });
    come('a', 2);
    expect([codec('old'), codec('a')]).toEqual(['waits', true]);
    expect(problems()).toEqual([
      `Envoy old gets no configuration: it is Envoy ${userAgent.slice(6)}, and the limits hold from 1.39 on`,
    ]);
    expect(envoys.tooOld()).toBe(1);
    go('old', 1);
    expect([problems(), envoys.tooOld()]).toEqual([[], 0]);
  });
});
