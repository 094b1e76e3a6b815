import { expect, onTestFinished, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { HeldPod, SluiceRun } from './sluice-run.ts';

const ROUTES = [{ match: { prefix: '/' }, service: 'codec' }];

/** Sends one and waits until it is where it belongs, so that the order is certain. */
async function sendInOrder(run: SluiceRun, waiting: readonly number[]): Promise<readonly Promise<number>[]> {
  const sent: Promise<number>[] = [];
  for (const count of waiting) {
    sent.push(run.send());
    await run.until(`${count} waiting`, (service) => service.requestsInProgress === 1 && service.waiting === count);
  }
  return sent;
}

test('who works, who waits and since when, who was refused: as Envoy tells it', async () => {
  const pod = await HeldPod.start();
  const run = await SluiceRun.start({ codec: { static: [pod.address], limit: 1, queue: { max: 2 } } }, ROUTES);
  const first = await sendInOrder(run, [0, 1]);
  const began = Date.now();
  await pause(1200);
  const between = Date.now();
  const sent = [...first, ...(await sendInOrder(run, [2]))];
  const line = await run.until('an oldest wait', ({ oldestWaitMs = 0 }) => oldestWaitMs > 1200);
  expect(line).toMatchObject({ slots: 1, desiredPods: 3, ejected: 0, retried: 0 });
  // The first in the line, not the one after it; its wait began a moment before it was seen.
  expect(line.oldestWaitMs).toBeLessThan(Date.now() - began + 5000);
  expect(await run.send()).toBe(429);
  await run.until('the refusal', ({ traffic }) => traffic?.total.refused === 1);
  pod.answerOne();
  // Now the second one is the first, which came after that moment.
  await run.until(
    'the line moves up',
    ({ waiting, oldestWaitMs = 0 }) => waiting === 1 && oldestWaitMs <= Date.now() - between,
  );
  pod.open();
  expect(await Promise.all(sent)).toEqual([200, 200, 200]);
  const done = await run.until(
    'an empty line',
    ({ waiting, traffic }) => waiting === 0 && traffic?.total.answered === 3,
  );
  expect(done.oldestWaitMs).toBeUndefined();
  expect(done).toMatchObject({ requestsInProgress: 0, traffic: { total: { refused: 1, failed: 0, abandoned: 0 } } });
  expect(done.traffic?.lastMinute.waitMs?.p99).toBeGreaterThan(1200);
  const metrics = await (await fetch(`${run.admin}/metrics`)).text();
  expect(metrics).toContain('sluice_wait_seconds_count{service="codec"} 3');
  expect(metrics).toContain('sluice_requests_total{service="codec",outcome="refused"} 1');
  expect(metrics).toContain('sluice_desired_pods{service="codec"} 0');
});

test('given up while waiting, given up while a pod works, and left by the client', async () => {
  const pod = await HeldPod.start();
  const service = { static: [pod.address], limit: 1, timeout: { request: '6s' }, queue: { max: 9, timeout: '500ms' } };
  const run = await SluiceRun.start({ codec: service }, ROUTES);
  const [working, late] = await sendInOrder(run, [0, 1]);
  const leaving = new AbortController();
  const left = run.send('/', leaving.signal);
  await run.until('two waiting', ({ waiting }) => waiting === 2);
  leaving.abort();
  expect(await left).toBe(0);
  expect(await working).toBe(504);
  expect(await late).toBe(503);
  const done = await run.until('both timeouts', ({ traffic }) => traffic?.total.timedOut === 2);
  expect(done.traffic?.total).toEqual({ answered: 0, failed: 0, refused: 0, timedOut: 2, abandoned: 1 });
  const metrics = await (await fetch(`${run.admin}/metrics`)).text();
  expect(metrics).toContain('sluice_requests_timed_out_total{service="codec",during="wait"} 1');
  expect(metrics).toContain('sluice_requests_timed_out_total{service="codec",during="work"} 1');
});

test('a pod that cannot be reached: ejected, and its requests sent to another one', async () => {
  const pod = await HeldPod.start();
  pod.open();
  const run = await SluiceRun.start({ codec: { static: [pod.address, '127.0.0.1:1'], limit: 1 } }, ROUTES);
  expect(await Promise.all([run.send(), run.send(), run.send(), run.send()])).toEqual([200, 200, 200, 200]);
  // It comes back after 2 s, and is ejected again by the next request.
  const sender = setInterval(() => void run.send(), 100);
  onTestFinished(() => clearInterval(sender));
  await run.until('the ejection', ({ ejected }) => ejected === 1);
  await run.until('the retry', ({ retried = 0 }) => retried > 0);
});
