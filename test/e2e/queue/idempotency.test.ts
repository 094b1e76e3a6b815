import { expect, test } from 'vitest';
import { pause, until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { type Queue, startQueue } from './queue.ts';

const keyed = (key: string, more: Readonly<Record<string, string>> = {}) => ({
  headers: { 'idempotency-key': key, ...more },
});

/** The ids of the requests that pods saw. */
async function seen(queue: Queue): Promise<readonly string[]> {
  return (await queue.pods.requests()).map(({ id }) => id);
}

test('requests with the same key are one: at a pod once, and answered alike', async () => {
  const queue = await startQueue({ pods: 2, service: { idempotency: {} } });
  const client = queue.http1();
  const first = startLoad(client, burst(1, { name: 'first', work: fixed(500), each: keyed('a') }));
  await queue.untilHeld(1);
  const same = startLoad(client, spaced(3, 10, { name: 'same', each: keyed('a') }));
  const other = startLoad(client, burst(1, { name: 'other', work: fixed(50), each: keyed('b') }));
  const elsewhere = startLoad(
    client,
    burst(1, { name: 'path', work: fixed(50), each: { ...keyed('a'), path: '/other' } }),
  );
  const secret = startLoad(
    client,
    burst(1, { name: 'who', work: fixed(50), each: keyed('a', { authorization: 'me' }) }),
  );
  const [answer] = await first.results;
  const results = await same.results;
  for (const result of results) {
    expect([result.status, result.body]).toEqual([200, answer?.body]);
    expect(result.headers['content-type']).toBe(answer?.headers['content-type']);
  }
  expect(
    [...(await other.results), ...(await elsewhere.results), ...(await secret.results)].map(({ status }) => status),
  ).toEqual([200, 200, 200]);
  expect([...(await seen(queue))].sort()).toEqual(['first0', 'other0', 'path0', 'who0']);
  // The key is free again.
  await startLoad(client, burst(1, { name: 'again', each: keyed('a') })).results;
  expect(await seen(queue)).toContain('again0');
  expect(await queue.pods.peak()).toBe(1);
});

test('one that waits is joined as well; when its client leaves, the next one takes its part', async () => {
  const queue = await startQueue({ pods: 1, service: { idempotency: { header: 'x-key' } } });
  const client = queue.http1();
  const busy = startLoad(client, burst(1, { name: 'busy', work: fixed(900) }));
  await queue.untilHeld(1);
  const each = { headers: { 'x-key': 'a' } };
  const leaving = startLoad(client, burst(1, { name: 'leaving', each: { ...each, abortAfter: 300 } }));
  await queue.untilWaiting(1);
  const joined = startLoad(client, spaced(2, 10, { name: 'joined', work: fixed(20), each }));
  await pause(100);
  await leaving.results;
  await busy.results;
  const results = await joined.results;
  expect(results.map(({ status }) => status)).toEqual([200, 200]);
  expect(await seen(queue)).toEqual(['busy0', 'joined0']);
});

test('on_duplicate: conflict answers 409 at once', async () => {
  const queue = await startQueue({ pods: 1, service: { idempotency: { on_duplicate: 'conflict' } } });
  const client = queue.http1();
  const first = startLoad(client, burst(1, { name: 'first', work: fixed(600), each: keyed('a') }));
  await queue.untilHeld(1);
  const [second] = await startLoad(client, burst(1, { name: 'second', each: keyed('a') })).results;
  expect(second?.status).toBe(409);
  expect(JSON.parse(second?.body ?? '')).toMatchObject({ error: 'duplicate', service: 'codec' });
  expect(first.ended).toEqual([]);
  await first.results;
  const [third] = await startLoad(client, burst(1, { name: 'third', each: keyed('a') })).results;
  expect(third?.status).toBe(200);
  expect(await seen(queue)).toEqual(['first0', 'third0']);
});

test('who joins gets a refusal as well, and a large answer is given once', async () => {
  const queue = await startQueue({ pods: 1, service: { idempotency: {}, queue: { timeout: '400ms' } } });
  const client = queue.http1();
  const busy = startLoad(client, burst(1, { name: 'busy', work: fixed(1000) }));
  await queue.untilHeld(1);
  const waiting = startLoad(client, spaced(3, 20, { name: 'w', each: keyed('a') }));
  const results = await waiting.results;
  expect(results.map(({ status }) => status)).toEqual([503, 503, 503]);
  for (const { body } of results) expect(JSON.parse(body)).toMatchObject({ error: 'waited too long' });
  await busy.results;
  const slots = startLoad(client, burst(4, { name: 'after', work: fixed(5) }));
  expect((await slots.results).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  await until(async () => (await queue.waiting()) === 0, { what: 'nobody to wait' });
});
