import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { contents } from './client.ts';
import { ackDelta, nackDelta, nackSotw, SHORT, useWorld } from './world.ts';

const RETRY = { first: 60, longest: 120 };
const envoy = { id: 'envoy-1', userAgentName: 'envoy' };

describe('what an Envoy has refused', () => {
  const world = useWorld({ limits: { retryMs: RETRY } });
  const listeners = () =>
    world()
      .server.nodes()[0]
      ?.types.find(({ typeUrl }) => typeUrl === SHORT.lds);

  test('delta: is sent again by itself until it is taken, and is told as the same refusal', async () => {
    world().publish({ lds: { busy: 'B', free: 'F' } });
    const stream = world().client().delta();
    stream.send({ node: envoy, typeUrl: SHORT.lds });
    const first = await stream.next();
    expect(contents(first)).toEqual(['B', 'F']);
    nackDelta(stream, first, 'cannot bind busy');
    await expect.poll(() => listeners()).toMatchObject({ status: 'nacked', active: ['free'] });
    for (let round = 0; round < 3; round++) {
      const again = await stream.next();
      expect(contents(again)).toEqual(['B']);
      nackDelta(stream, again, 'cannot bind busy');
    }
    const last = await stream.next();
    ackDelta(stream, last);
    await expect.poll(() => listeners()).toMatchObject({ status: 'in sync', active: ['busy', 'free'] });
    await delay(RETRY.longest * 2);
    expect(stream.unread).toBe(0);
    const again = world().events.flatMap((event) => (event.kind === 'nacked' ? [event.again] : []));
    expect(again).toEqual([false, true, true, true]);
  });

  test('state of the world: the list is sent again', async () => {
    world().publish({ lds: { busy: 'B' } });
    const stream = world().client().sotw();
    stream.send({ node: envoy, typeUrl: SHORT.lds });
    nackSotw(stream, await stream.next(), { message: 'cannot bind busy' });
    expect(contents(await stream.next())).toEqual(['B']);
  });

  test('a change of what is active is refused: what was there before stays active', async () => {
    world().publish({ lds: { a: 'A1' } });
    const stream = world().client().delta();
    stream.send({ node: envoy, typeUrl: SHORT.lds });
    ackDelta(stream, await stream.next());
    world().publish({ lds: { a: 'A2' } });
    nackDelta(stream, await stream.next(), 'a is bad');
    await expect.poll(() => listeners()).toMatchObject({ status: 'nacked', active: ['a'] });
    nackDelta(stream, await stream.next(), 'a is bad');
    await expect.poll(() => listeners()).toMatchObject({ status: 'nacked', active: ['a'] });
  });

  test('a client that is no Envoy is left in peace', async () => {
    world().publish({ lds: { a: 'A1' } });
    const stream = world().client().delta();
    stream.send({ node: { id: 'other', userAgentName: 'gRPC Go' }, typeUrl: SHORT.lds });
    nackDelta(stream, await stream.next(), 'a is bad');
    await delay(RETRY.longest * 3);
    expect(stream.unread).toBe(0);
  });
});

describe('a client that half-closes at once', () => {
  const world = useWorld();

  test.each(['sotw', 'delta'] as const)('%s: gets what it asked for, then the end', async (variant) => {
    world().publish({ cds: { a: 'A' }, lds: { l: 'L' }, rds: { r: 'R' } });
    const stream = variant === 'sotw' ? world().client().sotw() : world().client().delta();
    stream.send({ node: { id: 'grpcurl' }, typeUrl: SHORT.cds });
    stream.send({ typeUrl: SHORT.lds });
    stream.halfClose();
    expect([contents(await stream.next()), contents(await stream.next())]).toEqual([['A'], ['L']]);
    expect(await stream.end()).toEqual({ code: status.OK, details: 'OK' });
    await expect.poll(() => world().server.nodes()).toEqual([]);
  });

  test('without anything to give: the end alone', async () => {
    const stream = world().client().sotw();
    stream.send({ node: { id: 'grpcurl' }, typeUrl: SHORT.cds });
    stream.halfClose();
    expect(await stream.end()).toEqual({ code: status.OK, details: 'OK' });
  });
});
