import { Client, type ClientDuplexStream, credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { sluice } from '#xds';
import { systemClock } from '../../../src/base/clock.ts';
import type { NodeGuard } from '../../../src/base/node-guard.ts';
import type { SlotsEvent } from '../../../src/slots/events.ts';
import { SlotsServer } from '../../../src/slots/server.ts';
import { until } from '../../e2e/kit/instant.ts';

const { FilterMessage, ControlMessage } = sluice.queue.v1;
const PATH = '/sluice.queue.v1.QueueService/Stream';
const same = (bytes: Buffer) => bytes;

/** A server of the filters' streams, and filters that are made up. */
async function world(guard?: NodeGuard) {
  const events: SlotsEvent[] = [];
  const pace = { heartbeatMs: 60, reportMs: 50, deadAfterMs: 400 };
  const slots = new SlotsServer({ clock: systemClock, guard, pace, onEvent: (event) => events.push(event) });
  const server = new Server();
  server.addService(slots.definition, slots.implementation);
  const port = await new Promise<number>((resolve, reject) => {
    const bound = (error: Error | null, at: number) => (error ? reject(error) : resolve(at));
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), bound);
  });
  onTestFinished(() => {
    slots.end();
    server.forceShutdown();
  });
  return { slots, events, open: () => filter(port) };
}

function filter(port: number) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  const stream: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(PATH, same, same);
  const heard: string[] = [];
  let ended: number | undefined;
  stream.on('data', (bytes: Buffer) => heard.push(ControlMessage.decode(bytes).message ?? ''));
  stream.on('error', () => undefined);
  stream.on('status', ({ code }: { code: number }) => {
    ended = code;
  });
  const say = (message: sluice.queue.v1.FilterMessage.$Properties) =>
    stream.write(Buffer.from(FilterMessage.encode(message).finish()));
  return {
    heard,
    say,
    ended: () => ended,
    hello(epoch = 1) {
      say({ hello: { protocol: 1, nodeId: 'e', epoch, stream: 1 } });
      say({ helloEnd: {} });
    },
  };
}

test('a filter says hello and is welcomed; who is silent then is gone, and who speaks is not', async () => {
  const { slots, events, open } = await world();
  const [silent, alive] = [open(), open()];
  silent.hello(1);
  alive.hello(2);
  const speaking = setInterval(() => alive.say({ heartbeat: {} }), 50);
  onTestFinished(() => clearInterval(speaking));
  await until(() => alive.heard.includes('welcome') && silent.heard.includes('welcome'), { what: 'the welcome' });
  await until(() => silent.ended() !== undefined, { what: 'the end of the silent one' });
  expect(alive.ended()).toBeUndefined();
  expect(alive.heard).toContain('heartbeat');
  expect(events.filter(({ kind }) => kind === 'gone')).toMatchObject([{ node: 'e', epoch: '1' }]);
  expect(slots.members('e').map(({ id, closedAt }) => [id.epoch, closedAt === undefined])).toEqual([
    ['1', false],
    ['2', true],
  ]);
});

test('of two streams of one member the newer counts, and nobody hears that it has gone', async () => {
  const { slots, events, open } = await world();
  const [older, newer] = [open(), open()];
  older.hello();
  await until(() => older.heard.includes('welcome'), { what: 'the first welcome' });
  newer.hello();
  await until(() => older.ended() !== undefined, { what: 'the end of the older one' });
  expect(slots.members('e')).toHaveLength(1);
  expect(slots.members('e')[0]?.closedAt).toBeUndefined();
  expect(events.map(({ kind }) => kind)).toEqual(['hello', 'hello']);
});

test('who may not speak for the node, knows another protocol, or is no filter at all, is told so', async () => {
  const { slots, open } = await world((_, node) => (node === 'e' ? 'not for you' : undefined));
  const [refused, newer, rude] = [open(), open(), open()];
  refused.hello();
  newer.say({ hello: { protocol: 2, nodeId: 'x' } });
  rude.say({ heartbeat: {} });
  await until(() => [refused, newer, rude].every(({ ended }) => ended() !== undefined), { what: 'the ends' });
  expect([refused.ended(), newer.ended(), rude.ended()]).toEqual([
    status.PERMISSION_DENIED,
    status.UNIMPLEMENTED,
    status.FAILED_PRECONDITION,
  ]);
  expect(slots.members('e')).toEqual([]);
});
