import { expect, test } from 'vitest';
import { closedLoop, load } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, startQueue } from './queue.ts';

test.each([
  { balance: 'least_request', protocol: 'http1', least: 35 },
  { balance: 'round_robin', protocol: 'http1', least: 50 },
  { balance: 'random', protocol: 'h2c', least: 20 },
] as const)('a service without a limit: $balance over all pods ($protocol)', async ({ balance, protocol, least }) => {
  const queue = await startQueue({ limit: undefined, protocol, service: { balance } });
  const results = await closedLoop(queue.h2(), {
    clients: 8,
    count: 200,
    request: (index) => ({ id: `r${index}`, at: 0, workMs: 5 }),
  });
  const verdict = await expectKept(queue, results, { title: `no limit, ${balance}, ${protocol}` });
  const pods = Map.groupBy(await queue.pods.requests(), ({ pod }) => pod);
  for (const pod of queue.pods.addresses) expect(pods.get(pod)?.length).toBeGreaterThanOrEqual(least);
  expect(verdict.outcomes).toEqual({ 200: 200 });
});

test('above max_requests a service without a limit refuses', async () => {
  const queue = await startQueue({ limit: undefined, pods: 2, service: { max_requests: 5 } });
  const client = queue.h2();
  const inside = load(client, burst(5, { name: 'in', work: fixed(800) }));
  await queue.untilHeld(5);
  const refused = await load(client, burst(3, { name: 'out' }));
  for (const { status, headers, body } of refused) {
    expect({ status, body: JSON.parse(body) }).toEqual({
      status: 429,
      body: {
        error: 'queue full',
        message: 'codec is full: 5 requests are in flight (max_requests). Try again later.',
        service: 'codec',
        status: 429,
      },
    });
    expect(headers).toMatchObject({ 'retry-after': '1' });
  }
  expect((await inside).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
});
