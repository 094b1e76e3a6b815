import { type ClientRequest, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { grpcClient } from '../kit/client-grpc.ts';
import { load, startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { closedAfterTest, expectStrict, startLine } from './line.ts';

test.each(['http1', 'h2', 'grpc'] as const)('clients that give up in the line leave no trace (%s)', async (kind) => {
  const line = await startLine({
    pods: 2,
    protocol: kind === 'grpc' ? 'grpc' : 'http1',
    service: { queue: { max: 30 } },
  });
  const client = kind === 'grpc' ? closedAfterTest(grpcClient({ port: line.sluice.port })) : line[kind]();
  const busy = burst(2, { name: 'busy', work: fixed(2000) });
  const stay = startLoad(client, [...busy, ...burst(10, { name: 'stay', work: fixed(20) })]);
  await line.untilWaiting(10);
  const gone = await load(client, burst(20, { name: 'gone', each: { abortAfter: 200 } }));
  // Their places are free at once: the line would be full with them.
  await line.untilWaiting(10);
  const late = startLoad(client, burst(20, { name: 'late', work: fixed(20) }));
  await line.untilWaiting(30);
  const results = [...(await stay.results), ...gone, ...(await late.results)];
  const verdict = await expectStrict(line, results, { title: `aborts in the line, ${kind}` });
  expect(verdict.outcomes).toEqual({ [kind === 'grpc' ? 'grpc 0' : '200']: 32, aborted: 20 });
  expect((await line.pods.requests()).filter(({ id }) => id.startsWith('gone'))).toEqual([]);
});

test('the slot of a client that gives up at a pod is free at once', async () => {
  const line = await startLine({ pods: 1 });
  const client = line.h2();
  const gone = load(client, burst(1, { name: 'gone', work: fixed(20_000), each: { abortAfter: 300 } }));
  await line.untilHeld(1);
  const next = await load(client, burst(5, { name: 'next', work: fixed(20) }));
  const results = [...(await gone), ...next];
  const verdict = await expectStrict(line, results, { title: 'abort at a pod' });
  expect(verdict.outcomes).toEqual({ 200: 5, aborted: 1 });
});

test.each(['http1', 'h2c'] as const)(
  'the next in line takes that slot, not a turn at another pod (%s)',
  async (protocol) => {
    const line = await startLine({ protocol });
    const jobs = new Map<string, ClientRequest>();
    for (let number = 0; number < 14; number += 1) {
      const id = `r${number}`;
      const headers = { 'x-test-id': id, 'x-work-ms': '600000' };
      const job = request({ port: line.sluice.port, host: '127.0.0.1', agent: false, headers }).end();
      job.on('error', () => undefined); // it is destroyed below
      jobs.set(id, job);
    }
    onTestFinished(() => {
      for (const job of jobs.values()) job.destroy();
    });
    for (let waiting = 10; waiting > 0; waiting -= 1) {
      await line.untilHeld(4);
      await line.untilWaiting(waiting);
      const running = (await line.pods.requests()).find(({ outcome }) => outcome === 'running');
      jobs.get(running?.id ?? '')?.destroy();
      // Behind another's ten minutes it would wait for ever.
      await line.untilWaiting(waiting - 1);
      await line.untilHeld(4);
    }
    expect(await line.pods.peak()).toBeLessThanOrEqual(2);
  },
);
