import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, type Queue, startQueue } from './queue.ts';

const PIECE = Buffer.alloc(256 * 1024, 'x');

describe('while there is no pod at all', () => {
  test('requests wait, and are answered when pods are back', async () => {
    const queue = await startQueue();
    const run = startLoad(queue.h2(), spaced(400, 8, { work: fixed(20) }));
    await pause(800);
    await queue.edit([]);
    await pause(1500);
    await queue.edit(queue.pods.addresses);
    await expectKept(queue, await run.results, { title: 'all pods gone and back' });
  });

  test('requests that come to a service without pods wait', async () => {
    const queue = await startQueue();
    await withoutPods(queue);
    const run = startLoad(queue.h2(), burst(30, { work: fixed(20) }));
    await pause(700);
    expect(run.ended).toEqual([]);
    await queue.edit(queue.pods.addresses);
    await expectKept(queue, await run.results, { title: 'pods come after the requests' });
  });

  test.each(['http1', 'h2c'] as const)('a body of 5 MB waits and arrives whole (%s)', async (protocol) => {
    const queue = await startQueue({ pods: 2, protocol });
    await withoutPods(queue);
    const bytes = 5_000_000;
    const run = startLoad(queue.http1(), burst(6, { work: fixed(20), each: { body: Buffer.alloc(bytes, 'x') } }));
    await pause(1000);
    expect(run.ended).toEqual([]);
    await queue.edit(queue.pods.addresses);
    const results = await run.results;
    await expectKept(queue, results, { title: `5 MB bodies wait for pods, ${protocol}` });
    expect(results.map(({ body }) => JSON.parse(body).bytes)).toEqual(results.map(() => bytes));
  });

  test('without a limit nobody waits: a body that is too large to be kept for another try gets a clear answer', async () => {
    const queue = await startQueue({ pods: 1, limit: undefined });
    await withoutPods(queue);
    const refused = await postSlowly(queue.sluice.port, 20_000_000);
    expect(refused).toMatchObject({
      status: 503,
      headers: { 'content-type': 'application/json', 'retry-after': '1' },
    });
    expect(JSON.parse(refused.body)).toMatchObject({ error: 'no pod reachable' });
    expect(Object.keys(refused.headers).filter((name) => name.startsWith('x-sluice'))).toEqual([]);
    expect(await queue.pods.requests()).toEqual([]);
  });

  test.each(['http1', 'h2c'] as const)('a body of any size waits (%s)', async (protocol) => {
    const queue = await startQueue({ pods: 1, protocol });
    await withoutPods(queue);
    const bytes = 40_000_000;
    const run = startLoad(queue.http1(), burst(1, { each: { body: Buffer.alloc(bytes, 'x') } }));
    await pause(1000);
    expect(run.ended).toEqual([]);
    await queue.edit(queue.pods.addresses);
    const [result] = await run.results;
    expect(JSON.parse(result?.body ?? '')).toMatchObject({ bytes });
  });
});

/**
 * Sends a body in pieces, and stops with the answer. Envoy closes the connection behind an answer to half a request: who goes on
 * sending may see a connection that was reset in place of it.
 */
async function postSlowly(port: number, bytes: number) {
  const asked = request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    agent: false,
    headers: { 'content-length': bytes },
  });
  const answered = once(asked, 'response') as Promise<[IncomingMessage]>;
  let isAnswered = false;
  asked.once('response', () => {
    isAnswered = true;
  });
  for (let left = bytes; left > 0 && !isAnswered; left -= PIECE.length) {
    asked.write(PIECE.subarray(0, left));
    await pause(20);
  }
  const [response] = await answered;
  const body = await text(response);
  asked.destroy();
  return { status: response.statusCode, headers: response.headers, body };
}

/** Takes all pods away, and waits until Envoy knows. */
async function withoutPods(queue: Queue): Promise<void> {
  const since = await queue.edit([]);
  await queue.sluice.acked(since, 'ClusterLoadAssignment');
}
