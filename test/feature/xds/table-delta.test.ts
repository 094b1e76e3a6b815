import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { contents, type DeltaResponse, QUIET_MS } from './client.ts';
import { ackDelta, nackDelta, SHORT, useWorld } from './world.ts';

// The rows of the protocol's table, delta, over a real socket.
const world = useWorld();
const node = { id: 'envoy-1', cluster: 'edge' };

function versions(response: DeltaResponse): Record<string, string> {
  return Object.fromEntries(response.resources.map(({ name, version }) => [name ?? '', version ?? '']));
}

test('node: only the first request has it', async () => {
  world().publish({ cds: { a: 'A' }, ecds: { layer: 'R' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds });
  ackDelta(stream, await stream.next());
  stream.send({ typeUrl: SHORT.ecds, resourceNamesSubscribe: ['layer'] });
  expect(contents(await stream.next())).toEqual(['R']);
  expect(world().server.nodes()).toMatchObject([{ node: { id: 'envoy-1' }, streams: 1 }]);
});

test('nonce: pairs the ACK; its subscription changes count even when the nonce is old', async () => {
  world().publish({ eds: { a: 'A1', b: 'B1' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  const first = await stream.next();
  ackDelta(stream, first);
  world().publish({ eds: { a: 'A2', b: 'B1' } });
  const second = await stream.next();
  stream.send({ typeUrl: SHORT.eds, responseNonce: first.nonce, resourceNamesSubscribe: ['b'] });
  expect(contents(await stream.next())).toEqual(['B1']);
  // Both are acknowledged but the second.
  expect(world().server.nodes()[0]?.types[0]?.status).toBe('pending');
  nackDelta(stream, second, 'bad a');
  await expect.poll(() => world().server.nodes()[0]?.types[0]?.status).toBe('nacked');
});

test('nonce: of another type is stale, never fatal', async () => {
  world().publish({ cds: { a: 'A' }, eds: { a: 'EA', b: 'EB' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds });
  const clusters = await stream.next();
  stream.send({ typeUrl: SHORT.eds, responseNonce: clusters.nonce, resourceNamesSubscribe: ['b'] });
  expect(contents(await stream.next())).toEqual(['EB']);
  const [cds] = world().server.nodes()[0]?.types ?? [];
  expect(cds).toMatchObject({ typeUrl: SHORT.cds, status: 'pending', ackedVersion: '' });
});

test('ACK, NACK: nothing is sent again until it changes, and the others stay active', async () => {
  world().publish({ cds: { one: 'bad', two: 'B1' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds });
  nackDelta(stream, await stream.next(), 'Error adding/updating cluster(s) one: no');
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  expect(world().server.resources('envoy-1')).toMatchObject([
    { name: 'one', status: 'nacked', message: 'Error adding/updating cluster(s) one: no' },
    { name: 'two', status: 'acked' },
  ]);

  world().publish({ cds: { one: 'bad', two: 'B2' } });
  const second = await stream.next();
  expect(contents(second)).toEqual(['B2']);
  ackDelta(stream, second);

  world().publish({ cds: { one: 'good', two: 'B2' } });
  const third = await stream.next();
  expect(contents(third)).toEqual(['good']);
  ackDelta(stream, third);
  await expect.poll(() => world().server.nodes()[0]?.types[0]?.status).toBe('in sync');
});

test('ACK, NACK: subscribing a refused name once more is answered, as every explicit subscription', async () => {
  world().publish({ eds: { a: 'bad' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  nackDelta(stream, await stream.next(), 'no');
  stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  const again = await stream.next();
  expect(contents(again)).toEqual(['bad']);
  nackDelta(stream, again, 'no');
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  stream.send({ typeUrl: SHORT.eds, resourceNamesUnsubscribe: ['a'] });
  stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  expect(contents(await stream.next())).toEqual(['bad']);
});

test('wildcard: a resource locator alone is a name, not everything', async () => {
  world().publish({ cds: { a: 'A', b: 'B' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds, resourceLocatorsSubscribe: [{ name: 'b' }] });
  const first = await stream.next();
  expect(contents(first)).toEqual(['B']);
  ackDelta(stream, first);
  stream.send({ typeUrl: SHORT.cds, resourceLocatorsUnsubscribe: [{ name: 'b' }] });
  await expect.poll(() => world().server.nodes()[0]?.types[0]?.names).toBe(0);
  world().publish({ cds: { a: 'A2', b: 'B2' } });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
});

test('send when something subscribed changed; names subscribed again are always answered', async () => {
  world().publish({ eds: { a: 'A1', b: 'B1' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: ['a', 'a'] });
  const first = await stream.next();
  expect(contents(first)).toEqual(['A1']);
  ackDelta(stream, first);
  world().publish({ eds: { a: 'A1', b: 'B2' } });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a', 'nobody'] });
  expect(await stream.next()).toMatchObject({ resources: [{ name: 'a' }], removedResources: ['nobody'] });
});

test('missing name: removed_resources, subscription kept', async () => {
  world().publish({});
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: ['later'] });
  const first = await stream.next();
  expect(first).toMatchObject({ resources: [], removedResources: ['later'] });
  ackDelta(stream, first);
  world().publish({ eds: { later: 'E' } });
  expect(contents(await stream.next())).toEqual(['E']);
});

test('deletion: removed_resources', async () => {
  world().publish({ cds: { a: 'A', b: 'B' }, eds: { a: 'EA' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds });
  ackDelta(stream, await stream.next());
  stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  ackDelta(stream, await stream.next());
  world().publish({ cds: { b: 'B' } });
  expect(await stream.next()).toMatchObject({ typeUrl: SHORT.cds, resources: [], removedResources: ['a'] });
  expect(await stream.next()).toMatchObject({ typeUrl: SHORT.eds, resources: [], removedResources: ['a'] });
  world().publish({ cds: { b: 'B' }, eds: { a: 'EA' } });
  expect(await stream.next()).toMatchObject({ typeUrl: SHORT.eds, resources: [{ name: 'a' }] });
});

test('wildcard: legacy empty list, then a name beside it, then * unsubscribed', async () => {
  world().publish({ cds: { a: 'A1', b: 'B1' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds });
  const all = await stream.next();
  expect(contents(all)).toEqual(['A1', 'B1']);
  ackDelta(stream, all);
  stream.send({ typeUrl: SHORT.cds, resourceNamesSubscribe: ['a'] });
  expect(contents(await stream.next())).toEqual(['A1']);
  world().publish({ cds: { a: 'A2', b: 'B2' } });
  expect(contents(await stream.next())).toEqual(['A2', 'B2']);
  stream.send({ typeUrl: SHORT.cds, resourceNamesUnsubscribe: ['*'] });
  await expect.poll(() => world().server.nodes()[0]?.types[0]?.wildcard).toBe(false);
  world().publish({ cds: { a: 'A3', b: 'B3' } });
  expect(contents(await stream.next())).toEqual(['A3']);
  stream.send({ typeUrl: SHORT.cds, resourceNamesSubscribe: ['*'] });
  expect(contents(await stream.next())).toEqual(['B3']);
});

test('wildcard: unsubscribing a name under it sends it again', async () => {
  world().publish({ lds: { a: 'A', b: 'B' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.lds, resourceNamesSubscribe: ['*', 'a', 'gone'] });
  expect(await stream.next()).toMatchObject({ removedResources: ['gone'], resources: [{ name: 'a' }, { name: 'b' }] });
  stream.send({ typeUrl: SHORT.lds, resourceNamesUnsubscribe: ['a', 'gone'] });
  expect(await stream.next()).toMatchObject({ removedResources: ['gone'], resources: [{ name: 'a' }] });
});

test('wildcard: an empty list of endpoints asks for none', async () => {
  world().publish({ eds: { a: 'E' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.eds });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
});

test('[""]: subscribes nothing, not everything', async () => {
  world().publish({ cds: { a: 'A' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds, resourceNamesSubscribe: [''] });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
});

test('reconnect: initial_resource_versions: known is not repeated, changed is sent, gone is removed', async () => {
  world().publish({ eds: { known: 'K', changed: 'C1', gone: 'G' } });
  const names = ['known', 'changed', 'gone'];
  const before = world().client().delta();
  before.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: names });
  const initialResourceVersions = versions(await before.next());
  before.cancel();
  world().publish({ eds: { known: 'K', changed: 'C2' } });
  const after = world().client().delta();
  after.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: names, initialResourceVersions });
  const response = await after.next();
  expect([contents(response), response.removedResources]).toEqual([['C2'], ['gone']]);
});

test('reconnect: with everything current a wildcard is answered with nothing, names not at all', async () => {
  world().publish({ cds: { a: 'A' }, eds: { a: 'E' } });
  const before = world().client().delta();
  before.send({ node, typeUrl: SHORT.cds });
  before.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  const clusters = versions(await before.next());
  const endpoints = versions(await before.next());
  const after = world().client().delta();
  after.send({ node, typeUrl: SHORT.cds, initialResourceVersions: clusters });
  expect(await after.next()).toMatchObject({ typeUrl: SHORT.cds, resources: [], removedResources: [] });
  after.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'], initialResourceVersions: endpoints });
  await delay(QUIET_MS);
  expect(after.unread).toBe(0);
});

test('first wildcard request: answered, if with an empty list', async () => {
  world().publish({});
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.lds });
  expect(await stream.next()).toMatchObject({ typeUrl: SHORT.lds, resources: [], removedResources: [] });
});

test('type unknown: the stream goes on, its names do not exist', async () => {
  world().publish({ cds: { a: 'A' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: 'constructor', resourceNamesSubscribe: ['a'] });
  expect(await stream.next()).toMatchObject({ typeUrl: 'constructor', removedResources: ['a'] });
  stream.send({ typeUrl: SHORT.cds });
  expect(contents(await stream.next())).toEqual(['A']);
});

test('ADS without type_url: INVALID_ARGUMENT', async () => {
  const stream = world().client().delta();
  stream.send({ node });
  expect(await stream.end()).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining('type_url'),
  });
});

test('unsubscribed: nothing more is said of it; subscribed again: sent again', async () => {
  world().publish({ eds: { a: 'A1' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  ackDelta(stream, await stream.next());
  stream.send({ typeUrl: SHORT.eds, resourceNamesUnsubscribe: ['a'] });
  await expect.poll(() => world().server.nodes()[0]?.types[0]?.names).toBe(0);
  world().publish({ eds: { a: 'A2' } });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  expect(contents(await stream.next())).toEqual(['A2']);
});

test('unsubscribed before it was its turn: dropped', async () => {
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.eds, resourceNamesSubscribe: ['a', 'b'] });
  stream.send({ typeUrl: SHORT.eds, resourceNamesUnsubscribe: ['a'] });
  await expect.poll(() => world().server.nodes()[0]?.types[0]?.names).toBe(1);
  world().publish({ eds: { a: 'A', b: 'B' } });
  expect(contents(await stream.next())).toEqual(['B']);
});

test('a cluster that changed gets its endpoints again, after it', async () => {
  world().publish({ cds: { a: 'A1', b: 'B1' }, eds: { a: 'EA', b: 'EB' } });
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds });
  ackDelta(stream, await stream.next());
  stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a', 'b'] });
  ackDelta(stream, await stream.next());
  world().publish({ cds: { a: 'A2', b: 'B1' }, eds: { a: 'EA', b: 'EB' } });
  expect([contents(await stream.next()), contents(await stream.next())]).toEqual([['A2'], ['EA']]);
});

test('nothing is sent before the first snapshot; requests are remembered', async () => {
  const stream = world().client().delta();
  stream.send({ node, typeUrl: SHORT.cds });
  stream.send({ typeUrl: SHORT.eds, resourceNamesSubscribe: ['a'] });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  world().publish({ cds: { a: 'A' }, eds: { a: 'E' } });
  expect([contents(await stream.next()), contents(await stream.next())]).toEqual([['A'], ['E']]);
});
