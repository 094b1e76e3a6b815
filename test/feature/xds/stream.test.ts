import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { envoy } from '#xds';
import { makeSnapshot } from '../../../src/snapshot/snapshot.ts';
import { ADS, contents, fake, QUIET_MS, StalledClient } from './client.ts';
import { ackDelta, ackSotw, SHORT, useWorld } from './world.ts';

const { DeltaDiscoveryRequest, DiscoveryRequest, DiscoveryResponse } = envoy.service.discovery.v3;
const world = useWorld();
const node = { id: 'envoy-1' };
const kinds = () => world().events.map((event) => event.kind);

test('half-close: the stream ends cleanly', async () => {
  world().publish({ cds: { a: 'A' } });
  for (const stream of [world().client().sotw(), world().client().delta()]) {
    stream.send({ node, typeUrl: SHORT.cds });
    await stream.next();
    stream.halfClose();
    expect(await stream.end()).toEqual({ code: status.OK, details: 'OK' });
  }
  expect(world().server.nodes()).toEqual([]);
  expect(kinds().filter((kind) => kind === 'disconnected')).toHaveLength(2);
});

test('cancelled: the stream is forgotten', async () => {
  world().publish({ cds: { a: 'A' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds });
  await stream.next();
  stream.cancel();
  await expect.poll(() => world().server.nodes()).toEqual([]);
});

test('several streams of the same node at once are one node, each with its own state', async () => {
  world().publish({ cds: { a: 'A' }, eds: { a: 'E' } });
  const clusters = world().client().sotw('/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters');
  const endpoints = world().client().delta();
  const again = world().client().delta();
  clusters.send({ node });
  endpoints.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  again.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  expect([contents(await clusters.next()), contents(await endpoints.next()), contents(await again.next())]).toEqual([
    ['A'],
    ['E'],
    ['E'],
  ]);
  const [known, ...others] = world().server.nodes();
  expect(others).toEqual([]);
  expect(known).toMatchObject({ node: { id: 'envoy-1' }, streams: 3 });
  expect(known?.types.map((type) => type.typeUrl)).toEqual([SHORT.cds, SHORT.eds]);
});

test.each([
  ['cluster.v3.Cluster', 'Clusters', SHORT.cds],
  ['endpoint.v3.Endpoint', 'Endpoints', SHORT.eds],
  ['listener.v3.Listener', 'Listeners', SHORT.lds],
  ['route.v3.Route', 'Routes', SHORT.rds],
  ['secret.v3.Secret', 'Secrets', SHORT.sds],
  ['extension.v3.ExtensionConfig', 'ExtensionConfigs', SHORT.ecds],
])(
  '%sDiscoveryService serves its type without being told, by both streams, and does not poll',
  async (name, what, typeUrl) => {
    world().cache.set(makeSnapshot([fake(typeUrl, 'a', 'content')]));
    const path = `/envoy.service.${name}DiscoveryService`;
    const client = world().client();
    const sotw = client.sotw(`${path}/Stream${what}`);
    sotw.send({ node, resourceNames: ['a'] });
    const delta = client.delta(`${path}/Delta${what}`);
    delta.send({ node, resourceNamesSubscribe: ['a'] });
    const [first, second] = [await sotw.next(), await delta.next()];
    expect([contents(first), contents(second), first.typeUrl, second.typeUrl]).toEqual([
      ['content'],
      ['content'],
      typeUrl,
      typeUrl,
    ]);
    expect(first.controlPlane).toMatchObject({ identifier: 'sluice' });
    expect(await client.unary(`${path}/Fetch${what}`)).toMatchObject({
      code: status.UNIMPLEMENTED,
      details: `polling is not served; use Stream${what} or Delta${what}`,
    });
    sotw.send({ typeUrl: 'type.googleapis.com/another.Type' });
    expect(await sotw.end()).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining(typeUrl),
    });
  },
);

test('a client that reads nothing costs a few responses, holds up nobody, and gets only the newest state', async () => {
  const large = 'x'.repeat(900_000);
  const path = '/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters';
  world().publish({ cds: { a: `0 ${large}` } });
  const stalled = new StalledClient(world().port, path);
  stalled.send(DiscoveryRequest.encode({ node: { id: 'stalled' } }).finish());
  const other = world().client().sotw(path);
  other.send({ node });
  await other.next();
  for (let version = 1; version <= 100; version++) {
    world().publish({ cds: { a: `${version} ${large}` } });
    expect(contents(await other.next())[0]?.split(' ')[0]).toBe(`${version}`);
  }
  const sent = world().events.filter((event) => event.kind === 'sent' && event.node.id === 'stalled');
  expect(sent.length).toBeGreaterThan(0);
  expect(sent.length).toBeLessThan(8);
  const seen: string[] = [];
  for await (const message of stalled.read()) {
    const { resources } = DiscoveryResponse.decode(message);
    seen.push(
      Buffer.from(resources[0]?.value ?? '')
        .subarray(0, 3)
        .toString()
        .trim(),
    );
    if (seen.at(-1) === '100') break;
  }
  expect(seen.at(-1)).toBe('100');
  expect(seen.length).toBeLessThan(10);
  stalled.close();
});

test('a request of 8 MiB is taken', async () => {
  world().publish({ eds: { 'name-1': 'E' } });
  const stream = world().client().delta();
  const names = Array.from({ length: 60_000 }, (_, index) => `name-${index}`.padEnd(index === 1 ? 0 : 140, '-'));
  expect(DeltaDiscoveryRequest.encode({ resourceNamesSubscribe: names }).finish().length).toBeGreaterThan(
    8 * 1024 * 1024,
  );
  stream.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: names });
  const first = await stream.next();
  expect(contents(first)).toEqual(['E']);
  const removed = [...first.removedResources];
  while (removed.length < 59_999) removed.push(...(await stream.next()).removedResources);
  expect(new Set(removed).size).toBe(59_999);
});

test('garbage ends its own stream, with a reason, and nothing else', async () => {
  world().publish({ cds: { a: 'A' } });
  const good = world().client().sotw();
  good.send({ node, typeUrl: SHORT.cds });
  ackSotw(good, await good.next());
  for (const garbage of [
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0x0a, 0x7f, 1]),
    Buffer.alloc(1000, 0x80),
  ]) {
    for (const [path, what] of [
      [`${ADS}/StreamAggregatedResources`, 'not a DiscoveryRequest'],
      [`${ADS}/DeltaAggregatedResources`, 'not a DeltaDiscoveryRequest'],
    ] as const) {
      const bad = world().client().raw(path);
      bad.send(garbage);
      const details = expect.stringContaining(what);
      expect(await bad.end()).toMatchObject({ code: status.INVALID_ARGUMENT, details });
    }
  }
  world().publish({ cds: { a: 'A2' } });
  expect(contents(await good.next())).toEqual(['A2']);
});

test('bytes that are not even HTTP/2 do no harm', async () => {
  world().publish({ cds: { a: 'A' } });
  const socket = connect(world().port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(Buffer.alloc(5000, 0xab));
  await once(socket.resume(), 'close');
  const good = world().client().sotw();
  good.send({ node, typeUrl: SHORT.cds });
  expect(contents(await good.next())).toEqual(['A']);
});

test('a message over the limit ends its stream only', async () => {
  const bad = world().client().raw();
  bad.send(Buffer.alloc(17 * 1024 * 1024));
  expect(await bad.end()).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
});

test('a hundred requests a millisecond: few answers, and the last request counts', async () => {
  const resources = Object.fromEntries(Array.from({ length: 6000 }, (_, index) => [`r${index}`, `${index}`]));
  world().publish({ eds: resources });
  const stream = world().client().sotw();
  for (let index = 0; index < 6000; index++) {
    stream.send({ node, typeUrl: SHORT.eds, resourceNames: [`r${index}`] });
    if (index % 100 === 99) await delay(1);
  }
  let last = '';
  while (last !== '5999') last = contents(await stream.next()).at(-1) ?? '';
  expect(stream.received.length).toBeLessThan(3000);
  expect(kinds()).toContain('limited');
}, 30_000);

test('a delta client that floods loses none of its subscriptions', async () => {
  const names = Array.from({ length: 4000 }, (_, index) => `r${index}`);
  world().publish({ eds: Object.fromEntries(names.map((name) => [name, name])) });
  const stream = world().client().delta();
  for (const name of names) stream.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: [name] });
  const seen = new Set<string>();
  while (seen.size < names.length) for (const content of contents(await stream.next())) seen.add(content);
  expect([...seen].sort()).toEqual([...names].sort());
}, 30_000);

test('a large answer is split where the protocol allows, into parts any gRPC client takes', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `r${index}`);
  world().publish({ eds: Object.fromEntries(names.map((name) => [name, name.padEnd(500_000)])) });
  const sotw = world().client().sotw();
  sotw.send({ node, typeUrl: SHORT.eds, resourceNames: names });
  const delta = world().client().delta();
  delta.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: names });
  for (const stream of [sotw, delta]) {
    const seen: string[] = [];
    while (seen.length < names.length) seen.push(...contents(await stream.next()).map((content) => content.trim()));
    expect(seen.sort()).toEqual([...names].sort());
    expect(stream.received.length).toBe(6);
  }
});

test('more changes than can be sent become one push of the newest state', async () => {
  world().publish({ cds: { a: '0' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds });
  ackDelta(stream, await stream.next());
  for (let version = 1; version <= 50; version++) world().publish({ cds: { a: `${version}` } });
  expect(contents(await stream.next())).toEqual(['50']);
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
});
