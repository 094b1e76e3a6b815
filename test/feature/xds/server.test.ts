import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rawMethod } from '../../../src/base/raw-method.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { PUSH_ORDER, TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { emptySnapshot, makeSnapshot } from '../../../src/snapshot/snapshot.ts';
import { XdsServer } from '../../../src/xds/server/server.ts';
import { contents, fake, StalledClient, TestClient } from './client.ts';
import { ackDelta, ackSotw, nackDelta, SHORT, useWorld } from './world.ts';

const node = { id: 'envoy-1' };

describe('waitForAck', () => {
  const world = useWorld();

  test('no nodes: nobody is connected', async () => {
    world().publish({ ecds: { layer: '1' } });
    expect(await world().server.waitForAck([TYPE_URLS.extension], 1000)).toBe('no nodes');
  });

  test('acked: once every node has answered what it subscribes to', async () => {
    world().publish({ ecds: { layer: '1' }, eds: { a: 'E1' } });
    const [first, second] = [world().client().delta(), world().client().delta()];
    for (const [stream, id] of [
      [first, 'one'],
      [second, 'two'],
    ] as const) {
      stream.send({ node: { id }, typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
      ackDelta(stream, await stream.next());
    }
    expect(await world().server.waitForAck([TYPE_URLS.extension, TYPE_URLS.endpoints], 5000)).toBe('acked');

    world().publish({ ecds: { layer: '2' }, eds: { a: 'E1' } });
    let result: string | undefined;
    const waiting = world()
      .server.waitForAck([TYPE_URLS.extension], 10_000)
      .then((answer) => {
        result = answer;
      });
    ackDelta(first, await first.next());
    const response = await second.next();
    await expect.poll(() => world().server.nodes()[0]?.types[0]?.status).toBe('in sync');
    expect(result).toBeUndefined();
    ackDelta(second, response);
    await waiting;
    expect(result).toBe('acked');
  });

  test('nacked: everything is answered, and a refusal stands', async () => {
    world().publish({ ecds: { layer: '1' } });
    const stream = world().client().delta();
    stream.send({ node, typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
    nackDelta(stream, await stream.next(), 'no');
    expect(await world().server.waitForAck([TYPE_URLS.extension], 5000)).toBe('nacked');
  });

  test('timeout: somebody does not answer; an answer to something newer counts', async () => {
    world().publish({ ecds: { layer: '1' } });
    const stream = world().client().delta();
    stream.send({ node, typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
    await stream.next();
    expect(await world().server.waitForAck([TYPE_URLS.extension], 20)).toBe('timeout');
    const waiting = world().server.waitForAck([TYPE_URLS.extension], 10_000);
    world().publish({ ecds: { layer: '2' } });
    ackDelta(stream, await stream.next());
    expect(await waiting).toBe('acked');
  });

  test('no nodes: the last one goes while it is waited for', async () => {
    world().publish({ ecds: { layer: '1' } });
    const stream = world().client().delta();
    stream.send({ node, typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
    await stream.next();
    const waiting = world().server.waitForAck([TYPE_URLS.extension], 10_000);
    stream.cancel();
    expect(await waiting).toBe('no nodes');
  });

  test('an Envoy that has not asked for listeners yet has not everything', async () => {
    world().publish({ ecds: { layer: '1' }, lds: { a: 'A' } });
    const stream = world().client().delta();
    const envoy = { ...node, userAgentName: 'envoy' };
    stream.send({ node: envoy, typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
    ackDelta(stream, await stream.next());
    expect(await world().server.waitForAck([TYPE_URLS.extension], 5000)).toBe('acked');
    expect(await world().server.waitForAck(PUSH_ORDER, 20)).toBe('timeout');
    const waiting = world().server.waitForAck(PUSH_ORDER, 10_000);
    stream.send({ typeUrl: SHORT.lds });
    ackDelta(stream, await stream.next());
    expect(await waiting).toBe('acked');
  });

  test('a node that gets nothing is not waited for', async () => {
    world().cache.select(({ id }) => (id === 'served' ? emptySnapshot : undefined));
    const stream = world().client().delta();
    stream.send({ node, typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
    await expect.poll(() => world().server.nodes()).toHaveLength(1);
    expect(await world().server.waitForAck([TYPE_URLS.extension], 5000)).toBe('acked');
  });
});

describe('asking whether a client is alive', () => {
  const world = useWorld();
  const numbers = () => world().events.flatMap((event) => (event.kind === 'connected' ? [event.stream] : []));

  test('delta: an empty answer for clusters, which it has to answer; nothing refused is sent again', async () => {
    world().publish({ cds: { a: 'A', bad: 'B' } });
    const stream = world().client().delta();
    stream.send({ node, typeUrl: SHORT.cds });
    nackDelta(stream, await stream.next(), 'bad is not wanted');
    await expect.poll(() => world().server.nodes()[0]?.types[0]?.status).toBe('nacked');
    expect(world().server.ask(numbers()[0] ?? 0)).toBe(true);
    const question = await stream.next();
    expect([question.typeUrl, question.resources, question.removedResources]).toEqual([SHORT.cds, [], []]);
    const alive = () => world().events.filter((event) => event.kind === 'alive').length;
    expect(alive()).toBe(0);
    ackDelta(stream, question);
    await expect.poll(alive).toBe(1);
  });

  test('only the answer to it counts, not one to something before', async () => {
    world().publish({ cds: { a: 'A' } });
    const stream = world().client().delta();
    stream.send({ node, typeUrl: SHORT.cds });
    const before = await stream.next();
    expect(world().server.ask(numbers()[0] ?? 0)).toBe(true);
    const question = await stream.next();
    ackDelta(stream, before);
    await expect.poll(() => world().events.filter((event) => event.kind === 'acked').length).toBe(1);
    expect(world().events.filter((event) => event.kind === 'alive')).toEqual([]);
    ackDelta(stream, question);
    await expect.poll(() => world().events.filter((event) => event.kind === 'alive').length).toBe(1);
  });

  test('before anything is published as well', async () => {
    const stream = world().client().delta();
    stream.send({ node, typeUrl: SHORT.cds });
    await expect.poll(() => numbers().length).toBe(1);
    expect(world().server.ask(numbers()[0] ?? 0)).toBe(true);
    const question = await stream.next();
    expect([question.typeUrl, question.resources, question.removedResources]).toEqual([SHORT.cds, [], []]);
    ackDelta(stream, question);
    await expect.poll(() => world().events.filter((event) => event.kind === 'alive').length).toBe(1);
  });

  test('state of the world: the clusters that it has, once more', async () => {
    world().publish({ cds: { a: 'A', b: 'B' } });
    const stream = world().client().sotw();
    stream.send({ node, typeUrl: SHORT.cds });
    const first = await stream.next();
    ackSotw(stream, first);
    expect(world().server.ask(numbers()[0] ?? 0)).toBe(true);
    const question = await stream.next();
    expect([question.typeUrl, question.resources]).toEqual([SHORT.cds, first.resources]);
    expect(question.nonce).not.toBe(first.nonce);
    ackSotw(stream, question);
    await expect.poll(() => world().events.filter((event) => event.kind === 'alive').length).toBe(1);
  });

  test('not possible: no clusters asked for, none sent in state of the world, no such stream', async () => {
    const [sotw, delta] = [world().client().sotw(), world().client().delta()];
    sotw.send({ node, typeUrl: SHORT.cds });
    await expect.poll(() => numbers().length).toBe(1);
    delta.send({ node, typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
    await expect.poll(() => numbers().length).toBe(2);
    expect([...numbers(), 99].map((stream) => world().server.ask(stream))).toEqual([false, false, false]);
  });
});

describe('per node', () => {
  const world = useWorld();

  test('id, cluster and metadata choose what a node gets', async () => {
    const of = (content: string) => makeSnapshot([fake(TYPE_URLS.cluster, 'a', content)]);
    const [one, other] = [of('one'), of('other')];
    world().cache.select((who) =>
      JSON.stringify(who.metadata) === '{"sluice":{"services":["codec",1,true,null]}}' ? one : other,
    );
    const values = [{ stringValue: 'codec' }, { numberValue: 1 }, { boolValue: true }, { nullValue: 0 as const }];
    const services = { listValue: { values } };
    const metadata = { fields: { sluice: { structValue: { fields: { services } } } } };
    const [first, second] = [world().client().delta(), world().client().sotw()];
    first.send({ node: { id: 'one', metadata }, typeUrl: SHORT.cds });
    second.send({ node: { id: 'two' }, typeUrl: SHORT.cds });
    expect([contents(await first.next()), contents(await second.next())]).toEqual([['one'], ['other']]);
  });
});

describe('addresses and stopping', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-server-'));
  });
  afterEach(async () => rm(folder, { recursive: true, force: true }));
  const cache = new SnapshotCache();
  cache.set(makeSnapshot([fake(TYPE_URLS.cluster, 'a', 'A'.repeat(3_000_000))]));

  test('listens on TCP, IPv6 and a Unix socket at once, and removes the socket of a server that was killed', async () => {
    const path = join(folder, 'xds.sock');
    const left = createServer().listen(path);
    await once(left, 'listening');
    // Closing takes the file away; a copy by link stays, dead.
    const dead = join(folder, 'dead.sock');
    const { link } = await import('node:fs/promises');
    await link(path, dead);
    left.close();
    await once(left, 'close');

    const server = new XdsServer({
      addresses: [
        { kind: 'tcp', host: '127.0.0.1', port: 0 },
        { kind: 'tcp', host: '::1', port: 0 },
        { kind: 'unix', path: dead },
      ],
      cache,
    });
    const started = await server.start();
    if (!started.ok) throw new Error(started.errors.join());
    const targets = started.value.map((address) => {
      return address.kind === 'unix'
        ? `unix:${address.path}`
        : `${address.host === '::1' ? '[::1]' : address.host}:${address.port}`;
    });
    for (const target of targets) {
      const client = new TestClient(target);
      const stream = client.delta();
      stream.send({ node, typeUrl: SHORT.cds });
      expect((await stream.next()).resources).toHaveLength(1);
      client.close();
    }
    await server.stop();
  });

  test('binds all addresses or none, and says what is wrong with each', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const file = join(folder, 'file');
    await writeFile(file, 'precious');
    const server = new XdsServer({
      addresses: [
        { kind: 'tcp', host: '127.0.0.1', port },
        { kind: 'unix', path: file },
        { kind: 'tcp', host: '127.0.0.1', port: 0 },
      ],
      cache,
    });
    const started = await server.start();
    expect(started.ok ? [] : started.errors).toEqual([
      expect.stringContaining(`cannot listen on 127.0.0.1:${port}: `),
      expect.stringContaining(`cannot listen on unix:${file}: `),
    ]);
    taken.close();
  });

  test('stop ends the streams in order, those of a client that reads nothing by force', async () => {
    const server = new XdsServer({ addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }], cache });
    const started = await server.start();
    const address = started.ok ? started.value[0] : undefined;
    if (address?.kind !== 'tcp') throw new Error('not bound');
    const client = new TestClient(`127.0.0.1:${address.port}`);
    const stream = client.delta();
    stream.send({ node, typeUrl: SHORT.cds });
    await stream.next();
    const stalled = new StalledClient(address.port, '/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters');
    stalled.send(Buffer.alloc(0));
    await expect.poll(() => server.nodes().length).toBe(2);
    const stopped = server.stop(200);
    expect(await stream.end()).toMatchObject({ code: status.OK });
    await stopped;
    await server.stop();
    expect(server.nodes()).toEqual([]);
    stalled.close();
    client.close();
  });

  test('stop before start does nothing', async () => {
    await new XdsServer({ addresses: [], cache }).stop();
  });
});

test('further services share the port, and end with it', async () => {
  let ended = false;
  const definition = { Ask: rawMethod('/test.Extra/Ask', 'neither') };
  const implementation = {
    Ask: (_: unknown, callback: (error: null, value: Buffer) => void) => callback(null, Buffer.from('yes')),
  };
  const server = new XdsServer({
    addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    cache: new SnapshotCache(),
    extraServices: [{ definition, implementation, end: () => (ended = true) }],
  });
  const started = await server.start();
  const address = started.ok ? started.value[0] : undefined;
  if (address?.kind !== 'tcp') throw new Error('not bound');
  const client = new TestClient(`127.0.0.1:${address.port}`);
  expect(await client.unary('/test.Extra/Ask')).toBeNull();
  client.close();
  await server.stop();
  expect(ended).toBe(true);
});
