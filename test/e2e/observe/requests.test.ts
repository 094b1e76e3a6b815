import { expect, onTestFinished, test } from 'vitest';
import type { LimitedStatus } from '../../../src/status/status.ts';
import { pause } from '../kit/instant.ts';
import { HeldPod, SluiceRun } from './sluice-run.ts';

const ROUTES = [{ match: { prefix: '/' }, service: 'codec' }];

/** Sends one and waits until it is where it belongs, so that the order is certain. */
async function sendInOrder(run: SluiceRun, waiting: readonly number[]): Promise<readonly Promise<number>[]> {
  const sent: Promise<number>[] = [];
  for (const count of waiting) {
    sent.push(run.send());
    await run.until(`${count} waiting`, (service) => service.inUse === 1 && service.waiting === count);
  }
  return sent;
}

test('who works, who waits and since when, who was refused: as the queue filter tells it', async () => {
  const pod = await HeldPod.start();
  const run = await SluiceRun.start({ codec: { static: [pod.address], limit: 1, queue: { max: 2 } } }, ROUTES);
  const first = await sendInOrder(run, [0, 1]);
  const began = Date.now();
  await pause(1200);
  const between = Date.now();
  const sent = [...first, ...(await sendInOrder(run, [2]))];
  const queue = await run.until('an oldest wait', ({ oldestWaitMs = 0 }) => oldestWaitMs > 1200);
  expect(queue).toMatchObject({ slots: 1, desiredPods: 3, pods: [{ state: 'ready', inUse: 1, limit: 1 }] });
  // The first that waits, not the one after it; its wait began a moment before it was seen.
  expect(queue.oldestWaitMs).toBeLessThan(Date.now() - began + 1000);
  expect(await run.send()).toBe(429);
  await run.until('the refusal', ({ traffic }) => traffic?.total.refused === 1);
  pod.answerOne();
  // Now the second one is the first, which came after that moment.
  await run.until(
    'the queue to move up',
    ({ waiting, oldestWaitMs = 0 }) => waiting === 1 && oldestWaitMs <= Date.now() - between,
  );
  pod.open();
  expect(await Promise.all(sent)).toEqual([200, 200, 200]);
  const done = await run.until(
    'an empty queue',
    ({ waiting, traffic }) => waiting === 0 && traffic?.total.answered === 3,
  );
  expect(done.oldestWaitMs).toBeUndefined();
  const total = { arrived: 4, started: 3, refused: 1, failed: 0, abandonedWaiting: 0, abandonedWorking: 0 };
  expect(done).toMatchObject({ inUse: 0, traffic: { total, lastMinute: { mostWaiting: 2, mostInUse: 1 } } });
  expect(done.traffic?.lastMinute.waitMs?.p99).toBeGreaterThan(1000);
  const metrics = await (await fetch(`${run.admin}/metrics`)).text();
  expect(metrics).toContain('sluice_wait_seconds_count{service="codec"} 3');
  expect(metrics).toContain('sluice_requests_total{service="codec",outcome="refused"} 1');
  expect(metrics).toContain('sluice_desired_pods{service="codec"} 0');
  expect(metrics).toContain('sluice_requests_waiting_peak{service="codec"} 2');
});

test('a burst between two reports is not lost, and every request is counted', async () => {
  const pod = await HeldPod.start();
  pod.open();
  const run = await SluiceRun.start({ codec: { static: [pod.address], limit: 1 } }, ROUTES);
  for (let burst = 0; burst < 20; burst++) await Promise.all(Array.from({ length: 50 }, () => run.send()));
  const { traffic } = await run.until('all of them', (service) => service.traffic?.total.answered === 1000);
  expect(traffic?.total).toMatchObject({ arrived: 1000, started: 1000, refused: 0, unserved: 0 });
  expect(traffic?.lastMinute.mostWaiting).toBeGreaterThan(10);
  expect(traffic?.lastMinute.mostInUse).toBe(1);
});

test('given up while waiting, given up while a pod works, and left by the client', async () => {
  const pod = await HeldPod.start();
  const service = { static: [pod.address], limit: 1, timeout: { request: '6s' }, queue: { max: 9, timeout: '3s' } };
  const run = await SluiceRun.start({ codec: service }, ROUTES);
  const working = run.send();
  await run.until('one in use', ({ inUse }) => inUse === 1);
  const late = run.send();
  const leaving = new AbortController();
  const left = run.send('/', leaving.signal);
  await run.until('two waiting', ({ traffic }) => traffic?.lastMinute.mostWaiting === 2);
  leaving.abort();
  expect(await left).toBe(0);
  expect(await late).toBe(503);
  expect(await working).toBe(504);
  const counted = ({ traffic }: LimitedStatus) =>
    [traffic?.total.waitTimeouts, traffic?.total.workTimeouts, traffic?.total.abandonedWaiting].join();
  await run.until('each of them', (one) => counted(one) === '1,1,1');
  const metrics = await (await fetch(`${run.admin}/metrics`)).text();
  expect(metrics).toContain('sluice_requests_total{service="codec",outcome="wait_timeout"} 1');
  expect(metrics).toContain('sluice_requests_total{service="codec",outcome="work_timeout"} 1');
  expect(metrics).toContain('sluice_requests_total{service="codec",outcome="abandoned_waiting"} 1');
});

test('a pod that cannot be reached: ejected, with a line in the log, and its requests sent to another one', async () => {
  const pod = await HeldPod.start();
  pod.open();
  const run = await SluiceRun.start({ codec: { static: [pod.address, '127.0.0.1:1'], limit: 1 } }, ROUTES);
  expect(await Promise.all([run.send(), run.send(), run.send(), run.send()])).toEqual([200, 200, 200, 200]);
  // It comes back after 2 s, and is ejected again by the next request.
  const sender = setInterval(() => void run.send(), 100);
  onTestFinished(() => clearInterval(sender));
  const isOut = ({ pods }: LimitedStatus) =>
    pods.some(({ address, state }) => address === '127.0.0.1:1' && state === 'ejected');
  const { pods } = await run.until('the ejection', isOut);
  expect(pods.find(({ state }) => state === 'ejected')).toMatchObject({ reason: 'unreachable', inUse: 0 });
  await run.until('the retry', ({ traffic }) => (traffic?.total.retried ?? 0) > 0);
  const { events } = await run.status();
  expect(events.find(({ kind }) => kind === 'pod ejected')).toMatchObject({ service: 'codec', pod: '127.0.0.1:1' });
  const { fields } = await run.process.logged('the ejection', ({ msg }) => msg.startsWith('pod ejected'));
  expect(fields).toMatchObject({ service: 'codec', pod: '127.0.0.1:1' });
});
