import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { contents, QUIET_MS } from './client.ts';
import { ackSotw, nackSotw, SHORT, useWorld } from './world.ts';

// The rows of the protocol's table, state of the world, over a real socket.
const world = useWorld();

/** Waits until the server has taken in what the only type of the only stream subscribes to. */
async function subscribed(what: { readonly names: number; readonly wildcard?: boolean }): Promise<void> {
  await expect.poll(() => world().server.nodes()[0]?.types[0]).toMatchObject(what);
}
const node = { id: 'envoy-1', cluster: 'edge' };

test('node: only the first request has it', async () => {
  world().publish({ cds: { a: 'A' }, ecds: { layer: 'R' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds });
  ackSotw(stream, await stream.next());
  stream.send({ typeUrl: SHORT.ecds, resourceNames: ['layer'] });
  expect(contents(await stream.next())).toEqual(['R']);
  expect(world().server.nodes()).toMatchObject([{ node: { id: 'envoy-1', cluster: 'edge' }, streams: 1 }]);
});

test('nonce: a request with an old nonce is ignored', async () => {
  world().publish({ eds: { a: 'A1', b: 'B1' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.eds, resourceNames: ['a'] });
  const first = await stream.next();
  ackSotw(stream, first, ['a']);
  world().publish({ eds: { a: 'A2', b: 'B1' } });
  const second = await stream.next();
  stream.send({ typeUrl: SHORT.eds, responseNonce: first.nonce, resourceNames: ['a', 'b'] });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  ackSotw(stream, second, ['a', 'b']);
  expect(contents(await stream.next())).toEqual(['B1']);
});

test('nonce: of another type is stale, never fatal', async () => {
  world().publish({ cds: { a: 'A' }, eds: { a: 'EA', b: 'EB' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds });
  const clusters = await stream.next();
  stream.send({ typeUrl: SHORT.eds, resourceNames: ['a'] });
  const endpoints = await stream.next();
  stream.send({ typeUrl: SHORT.eds, responseNonce: clusters.nonce, resourceNames: ['a', 'b'] });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  ackSotw(stream, endpoints, ['a', 'b']);
  expect(contents(await stream.next())).toEqual(['EB']);
});

test('ACK, NACK: nothing is sent again until it changes, and the others stay active', async () => {
  world().publish({ eds: { one: 'bad', two: 'B1' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.eds, resourceNames: ['one', 'two'] });
  nackSotw(stream, await stream.next(), { names: ['one', 'two'], message: 'endpoint one is malformed' });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  const status = world().server.nodes()[0]?.types[0];
  expect(status).toMatchObject({ status: 'nacked', nack: { message: 'endpoint one is malformed', names: ['one'] } });

  world().publish({ eds: { one: 'bad', two: 'B2' } });
  const second = await stream.next();
  expect(contents(second)).toEqual(['B2']);
  ackSotw(stream, second, ['one', 'two']);

  world().publish({ eds: { one: 'good', two: 'B2' } });
  const third = await stream.next();
  expect(contents(third)).toEqual(['good']);
  ackSotw(stream, third, ['one', 'two']);
  await expect.poll(() => world().server.nodes()[0]?.types[0]?.status).toBe('in sync');
});

test('ACK, NACK: a list of clusters repeats a refused one only when another changes', async () => {
  world().publish({ cds: { one: 'bad', two: 'B1' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds });
  nackSotw(stream, await stream.next(), { message: 'Error adding/updating cluster(s) one: no' });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  world().publish({ cds: { one: 'bad', two: 'B2' } });
  expect(contents(await stream.next())).toEqual(['bad', 'B2']);
});

test('send when something subscribed changed; the newest request supersedes', async () => {
  world().publish({ eds: { a: 'A1', b: 'B1', c: 'C1' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.eds, resourceNames: ['a', 'b'] });
  ackSotw(stream, await stream.next(), ['b']);
  await subscribed({ names: 1 });
  world().publish({ eds: { a: 'A2', b: 'B1', c: 'C2' } });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  world().publish({ eds: { a: 'A2', b: 'B2', c: 'C2' } });
  expect(contents(await stream.next())).toEqual(['B2']);
});

test('missing name: silence, remembered, sent when it appears', async () => {
  world().publish({ eds: {} });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.eds, resourceNames: ['later'] });
  stream.send({ node, typeUrl: SHORT.lds, resourceNames: ['later'] });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  world().publish({ eds: { later: 'E' }, lds: { later: 'L' } });
  expect([contents(await stream.next()), contents(await stream.next())]).toEqual([['E'], ['L']]);
});

test('deletion: CDS and LDS by leaving it out of the full list, an empty list deletes all', async () => {
  world().publish({ cds: { a: 'A', b: 'B' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds });
  ackSotw(stream, await stream.next());
  world().publish({ cds: { b: 'B' } });
  const second = await stream.next();
  expect(contents(second)).toEqual(['B']);
  ackSotw(stream, second);
  world().publish({});
  const third = await stream.next();
  expect(contents(third)).toEqual([]);
});

test('deletion: EDS and RDS send only what changed', async () => {
  world().publish({ rds: { a: 'A1', b: 'B1' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.rds, resourceNames: ['a', 'b'] });
  ackSotw(stream, await stream.next(), ['a', 'b']);
  world().publish({ rds: { b: 'B1' } });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  world().publish({ rds: { b: 'B2' } });
  expect(contents(await stream.next())).toEqual(['B2']);
});

test('wildcard: an empty list before any name was asked for, after that empty means none', async () => {
  world().publish({ cds: { a: 'A1', b: 'B1' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds });
  const all = await stream.next();
  expect(contents(all)).toEqual(['A1', 'B1']);
  ackSotw(stream, all, ['a']);
  await subscribed({ names: 1, wildcard: false });
  world().publish({ cds: { a: 'A2', b: 'B2' } });
  const one = await stream.next();
  expect(contents(one)).toEqual(['A2']);
  ackSotw(stream, one, []);
  await subscribed({ names: 0, wildcard: false });
  world().publish({ cds: { a: 'A3', b: 'B3' } });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  ackSotw(stream, one, ['*']);
  expect(contents(await stream.next())).toEqual(['A3', 'B3']);
});

test('wildcard: * with names holds everything; an empty list of endpoints asks for none', async () => {
  world().publish({ lds: { a: 'A', b: 'B' }, eds: { a: 'E' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.lds, resourceNames: ['*', 'a'] });
  expect(contents(await stream.next())).toEqual(['A', 'B']);
  stream.send({ typeUrl: SHORT.eds });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
});

test('[""]: subscribes nothing, not everything', async () => {
  world().publish({ cds: { a: 'A' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds, resourceNames: [''] });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
});

test('reconnect: names and versions come anew, and all is sent again', async () => {
  world().publish({ cds: { a: 'A' }, eds: { a: 'E' } });
  const before = world().client().sotw();
  before.send({ node, typeUrl: SHORT.eds, resourceNames: ['a'] });
  const { versionInfo } = await before.next();
  before.cancel();
  const after = world().client().sotw();
  after.send({ node, typeUrl: SHORT.eds, resourceNames: ['a'], versionInfo });
  expect(contents(await after.next())).toEqual(['E']);
});

test('reconnect: a nonce of the stream before does no harm', async () => {
  world().publish({ eds: { a: 'E' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.eds, resourceNames: ['a'], responseNonce: '17' });
  expect(contents(await stream.next())).toEqual(['E']);
});

test('first wildcard request: answered, if with an empty list', async () => {
  world().publish({});
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.lds });
  expect(await stream.next()).toMatchObject({ typeUrl: SHORT.lds, resources: [] });
});

test('type unknown: the stream goes on', async () => {
  world().publish({ cds: { a: 'A' } });
  const stream = world().client().sotw();
  for (const typeUrl of ['type.googleapis.com/no.such.Type', '__proto__', 'constructor']) {
    stream.send({ node, typeUrl, resourceNames: ['a'] });
    stream.send({ node, typeUrl: `${typeUrl}2` });
  }
  stream.send({ typeUrl: SHORT.cds });
  expect(contents(await stream.next())).toEqual(['A']);
});

test('ADS without type_url: INVALID_ARGUMENT', async () => {
  const stream = world().client().sotw();
  stream.send({ node });
  expect(await stream.end()).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining('type_url'),
  });
});

test('duplicate names count once; unsubscribing and subscribing again sends again', async () => {
  world().publish({ eds: { a: 'A', b: 'B' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.eds, resourceNames: ['a', 'a', 'b', 'a'] });
  const first = await stream.next();
  expect(contents(first)).toEqual(['A', 'B']);
  ackSotw(stream, first, ['b', 'b']);
  ackSotw(stream, first, ['b', 'a']);
  expect(contents(await stream.next())).toEqual(['A']);
});

test('a cluster that changed gets its endpoints again, after it', async () => {
  world().publish({ cds: { a: 'A1', b: 'B1' }, eds: { a: 'EA', b: 'EB' } });
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds });
  ackSotw(stream, await stream.next());
  stream.send({ typeUrl: SHORT.eds, resourceNames: ['a', 'b'] });
  ackSotw(stream, await stream.next(), ['a', 'b']);
  world().publish({ cds: { a: 'A2', b: 'B1' }, eds: { a: 'EA', b: 'EB' } });
  expect([contents(await stream.next()), contents(await stream.next())]).toEqual([['A2', 'B1'], ['EA']]);
});

test('nothing is sent before the first snapshot; requests are remembered', async () => {
  const stream = world().client().sotw();
  stream.send({ node, typeUrl: SHORT.cds });
  stream.send({ typeUrl: SHORT.eds, resourceNames: ['a'] });
  await delay(QUIET_MS);
  expect(stream.unread).toBe(0);
  world().publish({ cds: { a: 'A' }, eds: { a: 'E' } });
  expect([contents(await stream.next()), contents(await stream.next())]).toEqual([['A'], ['E']]);
});
