import { type ClientRequest, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { grpcClient } from '../kit/client-grpc.ts';
import { load, startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { closedAfterTest, expectStrict, startQueue } from './queue.ts';

test.each(['http1', 'h2', 'grpc'] as const)('clients that give up in the queue leave no trace (%s)', async (kind) => {
  const queue = await startQueue({
    pods: 2,
    protocol: kind === 'grpc' ? 'grpc' : 'http1',
    service: { queue: { max: 30 } },
  });
  const client = kind === 'grpc' ? closedAfterTest(grpcClient({ port: queue.sluice.port })) : queue[kind]();
  const busy = startLoad(client, burst(2, { name: 'busy', work: fixed(2000) }));
  await queue.untilHeld(2);
  const stay = startLoad(client, burst(10, { name: 'stay', work: fixed(20) }));
  await queue.untilWaiting(10);
  const gone = await load(client, burst(20, { name: 'gone', each: { abortAfter: 200 } }));
  // Their places are free at once: the queue would be full with them.
  await queue.untilWaiting(10);
  const late = startLoad(client, burst(20, { name: 'late', work: fixed(20) }));
  await queue.untilWaiting(30);
  const results = [...(await busy.results), ...(await stay.results), ...gone, ...(await late.results)];
  const verdict = await expectStrict(queue, results, { title: `aborts in the queue, ${kind}` });
  expect(verdict.outcomes).toEqual({ [kind === 'grpc' ? 'grpc 0' : '200']: 32, aborted: 20 });
  expect((await queue.pods.requests()).filter(({ id }) => id.startsWith('gone'))).toEqual([]);
});

test('the slot of a client that gives up at a pod is free at once', async () => {
  const queue = await startQueue({ pods: 1 });
  const client = queue.h2();
  const gone = load(client, burst(1, { name: 'gone', work: fixed(20_000), each: { abortAfter: 300 } }));
  await queue.untilHeld(1);
  const next = await load(client, burst(5, { name: 'next', work: fixed(20) }));
  const results = [...(await gone), ...next];
  const verdict = await expectStrict(queue, results, { title: 'abort at a pod' });
  expect(verdict.outcomes).toEqual({ 200: 5, aborted: 1 });
});

test.each(['http1', 'h2c'] as const)(
  'the next in queue takes that slot, not a turn at another pod (%s)',
  async (protocol) => {
    const queue = await startQueue({ protocol });
    const jobs = new Map<string, ClientRequest>();
    for (let number = 0; number < 14; number += 1) {
      const id = `r${number}`;
      const headers = { 'x-test-id': id, 'x-work-ms': '600000' };
      const job = request({ port: queue.sluice.port, host: '127.0.0.1', agent: false, headers }).end();
      job.on('error', () => undefined); // it is destroyed below
      jobs.set(id, job);
    }
    onTestFinished(() => {
      for (const job of jobs.values()) job.destroy();
    });
    for (let waiting = 10; waiting > 0; waiting -= 1) {
      await queue.untilHeld(4);
      await queue.untilWaiting(waiting);
      const running = (await queue.pods.requests()).find(({ outcome }) => outcome === 'running');
      jobs.get(running?.id ?? '')?.destroy();
      // Behind another's ten minutes it would wait for ever.
      await queue.untilWaiting(waiting - 1);
      await queue.untilHeld(4);
    }
    expect(await queue.pods.peak()).toBeLessThanOrEqual(2);
  },
);
