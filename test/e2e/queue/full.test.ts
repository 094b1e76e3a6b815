import { expect, test } from 'vitest';
import { grpcClient } from '../kit/client-grpc.ts';
import { load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import type { PodProtocol } from '../kit/pods.ts';
import { fixed } from '../kit/random.ts';
import { closedAfterTest, expectStrict, type Keys, startQueue } from './queue.ts';

const FULL =
  'The queue of codec is full: 10 requests are waiting (queue.max), each pod works on at most 1 at a time (limit). Try again later.';

/** A queue with one slot and ten places, all taken for some time. */
async function fullQueue({ protocol = 'http1', keys = {} }: { protocol?: PodProtocol; keys?: Keys } = {}) {
  const queue = await startQueue({ pods: 1, protocol, service: { queue: { max: 10, ...keys } } });
  const client = protocol === 'grpc' ? closedAfterTest(grpcClient({ port: queue.sluice.port })) : queue.h2();
  const first = startLoad(client, burst(1, { name: 'first', work: fixed(1500) }));
  await queue.untilHeld(1);
  const rest = startLoad(client, burst(10, { name: 'rest', work: fixed(50) }));
  await queue.untilWaiting(10);
  const inside = async () => [...(await first.results), ...(await rest.results)];
  return { queue, client, inside };
}

test('a full queue refuses at once, with what happened and what the limit is', async () => {
  const { queue, client, inside } = await fullQueue();
  const refused = await load(client, spaced(5, 5, { name: 'out' }));
  for (const { status, headers, body } of refused) {
    expect({ status, body: JSON.parse(body) }).toEqual({
      status: 429,
      body: {
        error: 'queue full',
        message: FULL,
        service: 'codec',
        status: 429,
      },
    });
    expect(headers).toMatchObject({ 'retry-after': '1', 'content-type': 'application/json' });
  }
  const results = [...(await inside()), ...refused];
  const verdict = await expectStrict(queue, results, { title: 'a full queue', ordered: true });
  expect(verdict.outcomes).toEqual({ 200: 11, 429: 5 });
});

test.each([
  ['text/plain', 'text/plain; charset=utf-8'],
  ['text/html, application/json;q=0.5', 'text/plain; charset=utf-8'],
  ['application/json', 'application/json'],
  ['application/json, text/plain', 'application/json'],
  ['*/*', 'application/json'],
])('the refusal of a client that accepts %s is %s', async (accept, type) => {
  const { client } = await fullQueue();
  const [refused] = await load(client, burst(1, { name: 'out', each: { headers: { accept } } }));
  expect(refused?.status).toBe(429);
  expect(refused?.headers).toMatchObject({ 'retry-after': '1', 'content-type': type });
  if (type.startsWith('text/')) expect(refused?.body).toBe(`${FULL}\n`);
  else expect(JSON.parse(refused?.body ?? '')).toMatchObject({ error: 'queue full' });
});

test('full_status is the status of the refusal', async () => {
  const { client } = await fullQueue({ keys: { full_status: 503 } });
  const [json, text] = await load(client, [
    ...burst(1, { name: 'json' }),
    ...burst(1, { name: 'text', each: { headers: { accept: 'text/plain' } } }),
  ]);
  expect(json?.status).toBe(503);
  expect(JSON.parse(json?.body ?? '')).toMatchObject({ error: 'queue full', status: 503 });
  expect(text?.status).toBe(503);
  expect(text?.headers).toMatchObject({ 'retry-after': '1' });
  expect(text?.body).toContain('The queue of codec is full');
});

test.each([429, 503])('a gRPC client is told RESOURCE_EXHAUSTED (full_status %i)', async (full_status) => {
  const { queue, client, inside } = await fullQueue({ protocol: 'grpc', keys: { full_status } });
  const refused = await load(client, burst(3, { name: 'out' }));
  for (const { grpcStatus, error, trailers } of refused) {
    expect({ grpcStatus, error }).toEqual({
      grpcStatus: 8,
      error: FULL,
    });
    expect(trailers).toMatchObject({ 'retry-after': '1', 'grpc-retry-pushback-ms': '1000' });
  }
  const verdict = await expectStrict(queue, [...(await inside()), ...refused], { title: 'a full gRPC queue' });
  expect(verdict.outcomes).toEqual({ 'grpc 0': 11, 'grpc 8': 3 });
});

test.each(['http1', 'grpc'] as const)(
  'who is refused is told how long the queue takes, also while the control plane is down (%s)',
  async (protocol) => {
    const queue = await startQueue({ pods: 2, protocol, service: { queue: { max: 30 } } });
    const client = protocol === 'grpc' ? closedAfterTest(grpcClient({ port: queue.sluice.port })) : queue.h2();
    const refusedAfter = async (name: string) => {
      const hold = startLoad(client, burst(2, { name: `${name}-hold`, work: fixed(3000) }));
      await queue.untilHeld(2);
      const rest = startLoad(client, burst(30, { name: `${name}-rest`, work: fixed(400) }));
      await queue.untilWaiting(30);
      const [refused] = await load(client, burst(1, { name: `${name}-out` }));
      const after = refused?.headers['retry-after'] ?? refused?.trailers['retry-after'];
      if (protocol === 'grpc') expect(refused?.trailers['grpc-retry-pushback-ms']).toBe(`${after}000`);
      await Promise.all([hold.results, rest.results]);
      return Number(after);
    };
    expect(await refusedAfter('first'), 'nothing is known yet').toBe(1);
    // 30 that take 400 ms each, two at a time: 6 s, and a part of the two long ones.
    const told = await refusedAfter('second');
    expect(told).toBeGreaterThanOrEqual(5);
    expect(told).toBeLessThanOrEqual(20);
    await queue.sluice.kill();
    const alone = await refusedAfter('third');
    expect(alone).toBeGreaterThanOrEqual(5);
    expect(alone).toBeLessThanOrEqual(20);
    await queue.sluice.restart();
  },
  120_000,
);
