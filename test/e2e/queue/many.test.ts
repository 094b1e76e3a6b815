// Many requests that get their answer at one moment. Each answer calls the filter again before Envoy gives the next one: without
// batches the stack of the filter's VM is full at some 300, and all get a 503.
import { expect, test } from 'vitest';
import { startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { type Queue, startQueue } from './queue.ts';

const MANY = 600;
const each = { headers: { 'idempotency-key': 'a' } };

/** How many answers had which status. */
function tally(results: readonly { readonly status: number }[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of results) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** One request is with the pod, and many join it. Resolves with the statuses of those. */
async function joinMany(queue: Queue): Promise<Record<number, number>> {
  const client = queue.h2();
  const first = startLoad(client, burst(1, { name: 'first', work: fixed(1500), each }));
  await queue.untilHeld(1);
  const joined = startLoad(client, burst(MANY, { name: 'joined', work: fixed(20), each }));
  await first.results;
  return tally(await joined.results);
}

async function isStrictAfter(queue: Queue): Promise<void> {
  const after = await startLoad(queue.h2(), burst(3, { name: 'after', work: fixed(20) })).results;
  expect(tally(after)).toEqual({ 200: 3 });
  expect(await queue.pods.peak()).toBe(1);
}

test('many get the answer of one request', async () => {
  const queue = await startQueue({ pods: 1, service: { idempotency: {}, queue: { max: 10_000 } } });
  expect(await joinMany(queue)).toEqual({ 200: MANY });
  await isStrictAfter(queue);
});

test('many are told that the one request broke', async () => {
  const queue = await startQueue({ pods: 1, service: { idempotency: {}, queue: { max: 10_000 } } });
  const [pod = ''] = queue.pods.addresses;
  await queue.pods.setMode(pod, { kind: 'half' });
  expect(await joinMany(queue)).toEqual({ 409: MANY });
  await queue.pods.setMode(pod, { kind: 'normal' });
  await isStrictAfter(queue);
});
