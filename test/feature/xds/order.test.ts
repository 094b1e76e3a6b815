import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { contents, type DeltaRequest, type DeltaResponse, QUIET_MS, type TestStream } from './client.ts';
import { ackDelta, ackSotw, SHORT, short, useWorld } from './world.ts';

const node = { id: 'envoy-1' };
type Stream = TestStream<DeltaRequest, DeltaResponse>;

const before = {
  cds: { old: 'c1' },
  eds: { old: 'e1' },
  lds: { old: 'l1' },
  rds: { old: 'r1' },
  sds: { old: 's1' },
  ecds: { layer: '1' },
};
const after = {
  cds: { new: 'c2' },
  eds: { new: 'e2' },
  lds: { new: 'l2' },
  rds: { new: 'r2' },
  sds: { new: 's2' },
  ecds: { layer: '2' },
};

/** Subscribes to everything, accepts it, and says how. */
async function subscribeAll(stream: Stream): Promise<void> {
  stream.send({ node, typeUrl: SHORT.cds });
  stream.send({ typeUrl: SHORT.lds });
  for (const typeUrl of [SHORT.eds, SHORT.rds, SHORT.sds])
    stream.send({ typeUrl, resourceNamesSubscribe: ['old', 'new'] });
  stream.send({ typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
  for (let count = 0; count < 6; count++) ackDelta(stream, await stream.next());
}

function shape(response: DeltaResponse): string {
  return [
    short(response.typeUrl),
    ...contents(response).map((name) => `+${name}`),
    ...response.removedResources.map((name) => `-${name}`),
  ].join(' ');
}

describe('ordered push', () => {
  const world = useWorld();

  test('delta: additions in order, routes and listeners after the answer to the clusters, removals last', async () => {
    world().publish(before);
    const stream = world().client().delta();
    await subscribeAll(stream);
    await expect
      .poll(() =>
        world()
          .server.nodes()[0]
          ?.types.every((type) => type.status === 'in sync'),
      )
      .toBe(true);
    world().publish(after);
    const clusters = await stream.next();
    const early = [shape(clusters)];
    for (let count = 0; count < 3; count++) early.push(shape(await stream.next()));
    expect(early).toEqual(['cds +c2', 'eds +e2', 'ecds +2', 'sds +s2']);
    await delay(QUIET_MS);
    // Envoy answers once the new cluster is warm; until then no route leads there.
    expect(stream.unread).toBe(0);
    ackDelta(stream, clusters);
    const late: string[] = [];
    for (let count = 0; count < 6; count++) late.push(shape(await stream.next()));
    expect(late).toEqual(['lds +l2', 'rds +r2', 'lds -old', 'rds -old', 'cds -old', 'eds -old']);
    expect(shape(await stream.next())).toEqual('sds -old');
  });

  test('delta: what a request asks for does not wait, but for routes while clusters have changed', async () => {
    world().publish({ ...before, rds: { old: 'r1', asked: 'r1' }, eds: { old: 'e1', asked: 'e1' } });
    const stream = world().client().delta();
    await subscribeAll(stream);
    world().publish({ ...after, rds: { old: 'r1b', asked: 'r1' }, eds: { old: 'e1', asked: 'e1' } });
    const clusters = await stream.next();
    expect(shape(clusters)).toBe('cds +c2');
    stream.send({ typeUrl: SHORT.rds, resourceNamesSubscribe: ['asked'] });
    stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['asked'] });
    const seen: string[] = [];
    while (!seen.includes('eds +e1')) seen.push(shape(await stream.next()));
    await delay(QUIET_MS);
    while (stream.unread > 0) seen.push(shape(await stream.next()));
    expect(seen.filter((shape) => shape.startsWith('rds'))).toEqual([]);
    ackDelta(stream, clusters);
    while (!seen.some((shape) => shape.startsWith('rds'))) seen.push(shape(await stream.next()));
    expect(seen.find((shape) => shape.startsWith('rds'))).toContain('+r1');
  });

  test('state of the world: clusters that go stay in the list until the routes were sent', async () => {
    world().publish({ cds: { a: 'a1', b: 'b1' }, rds: { r: 'to b' } });
    const stream = world().client().sotw();
    stream.send({ node, typeUrl: SHORT.cds });
    const first = await stream.next();
    ackSotw(stream, first);
    stream.send({ typeUrl: SHORT.rds, resourceNames: ['r'] });
    ackSotw(stream, await stream.next(), ['r']);
    world().publish({ cds: { a: 'a1', c: 'c1' }, rds: { r: 'to c' } });
    const both = await stream.next();
    expect(contents(both)).toEqual(['a1', 'c1', 'b1']);
    await delay(QUIET_MS);
    expect(stream.unread).toBe(0);
    ackSotw(stream, both);
    expect(contents(await stream.next())).toEqual(['to c']);
    const last = await stream.next();
    expect(contents(last)).toEqual(['a1', 'c1']);
    expect([first, both, last].map((response) => response.versionInfo.includes('removing'))).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('what goes alone is said at once, with what changed beside it', async () => {
    world().publish({ cds: { a: 'a1', b: 'b1' } });
    const stream = world().client().delta();
    stream.send({ node, typeUrl: SHORT.cds });
    ackDelta(stream, await stream.next());
    world().publish({ cds: { b: 'b2' } });
    expect(shape(await stream.next())).toBe('cds +b2 -a');
  });
});

describe('a client that does not answer', () => {
  const world = useWorld({ limits: { clusterWaitMs: 50 } });

  test('gets its listeners and routes all the same, a little later', async () => {
    world().publish(before);
    const stream = world().client().delta();
    await subscribeAll(stream);
    world().publish(after);
    const seen: string[] = [];
    while (!seen.includes('eds -old')) seen.push(shape(await stream.next()));
    expect(seen.indexOf('rds +r2')).toBeLessThan(seen.indexOf('cds -old'));
  });
});

describe('limits', () => {
  const world = useWorld({ limits: { names: 3, nameLength: 20, types: 2 } });

  test.each([
    [
      'names',
      { typeUrl: 'two', resourceNamesSubscribe: ['a', 'b', 'c', 'd'] },
      /more than 3 names of all types together/,
    ],
    ['names of two types', { typeUrl: 'two', resourceNamesSubscribe: ['c', 'd'] }, /more than 3 names of all types/],
    ['characters', { typeUrl: 'two', resourceNamesSubscribe: ['n'.repeat(19)] }, /more than 20 characters of names/],
    ['types', { typeUrl: 'three' }, /more than 2 types/],
  ])('more %s than allowed end the stream', async (_, request, message) => {
    const stream = world().client().delta();
    stream.send({ node, typeUrl: 'one', resourceNamesSubscribe: ['a', 'b'] });
    stream.send({ typeUrl: 'two' });
    stream.send(request);
    expect(await stream.end()).toEqual({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(message),
    });
  });
});

describe('how many streams may be open', () => {
  const world = useWorld({ limits: { streams: 2 } });

  test('one more is refused, and taken once another has ended', async () => {
    world().publish({ cds: { a: 'A' } });
    const open = () => {
      const stream = world().client().delta();
      stream.send({ node, typeUrl: SHORT.cds });
      return stream;
    };
    const [first, second] = [open(), open()];
    await first.next();
    await second.next();
    expect(await open().end()).toEqual({
      code: status.RESOURCE_EXHAUSTED,
      details: 'more than 2 streams are open',
    });
    first.halfClose();
    await first.end();
    await expect.poll(() => world().server.nodes()[0]?.streams).toBe(1);
    expect(contents(await open().next())).toEqual(['A']);
  });
});

describe('max age', () => {
  const world = useWorld({ maxAgeMs: 3000 });

  test('the streams of a connection that is too old end in order, and the next ones are on a new connection', async () => {
    world().publish({ cds: { a: 'A' } });
    const client = world().client();
    const open = () => {
      const stream = client.delta();
      stream.send({ node, typeUrl: SHORT.cds });
      return stream;
    };
    const old = open();
    await old.next();
    expect(await old.end()).toEqual({ code: status.OK, details: 'OK' });
    expect(contents(await open().next())).toEqual(['A']);
    const peers = world().events.flatMap((event) => (event.kind === 'connected' ? [event.peer] : []));
    expect(new Set(peers).size).toBe(2);
  });
});
