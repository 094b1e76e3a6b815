import { request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../kit/instant.ts';
import { JobPod } from '../kit/job-pod.ts';
import { startSluice } from './queue.ts';

test('a request whose job still works is answered as it was; when the job is over, it is another one', async () => {
  const pod = await JobPod.start();
  onTestFinished(() => pod.stop());
  const codec = { static: [pod.address], limit: 1, async: { timeout: '2h' }, idempotency: {} };
  const sluice = await startSluice({ services: { codec }, routes: [{ match: { prefix: '/' }, service: 'codec' }] });
  const at = `http://127.0.0.1:${sluice.port}`;
  const send = () => fetch(`${at}/render`, { method: 'POST', headers: { 'idempotency-key': 'a' } });
  const first = await send();
  await first.text();
  const again = await send();
  expect([again.status, again.headers.get('sluice-job')]).toEqual([202, first.headers.get('sluice-job')]);
  expect(pod.taken).toHaveLength(1);
  const [job] = pod.taken;
  if (job === undefined) throw new Error('one was taken');
  pod.finish(job.id);
  const headers = { 'sluice-job-token': job.token };
  expect((await fetch(`${at}/.well-known/sluice/jobs/${job.id}/done`, { method: 'POST', headers })).status).toBe(200);
  const third = await send();
  expect(third.status).toBe(202);
  await until(() => pod.taken.length === 2, { what: 'another job' });
  expect(third.headers.get('sluice-job')).not.toBe(first.headers.get('sluice-job'));
});

test('several workers: a request whose job works is answered as it was at all of them', async () => {
  const pod = await JobPod.start();
  onTestFinished(() => pod.stop());
  const codec = { static: [pod.address], limit: 1, async: { timeout: '2h' }, idempotency: {} };
  const sluice = await startSluice({ services: { codec }, routes: [{ match: { prefix: '/' }, service: 'codec' }] });
  // Each over a connection of its own, which goes to any of the workers.
  const send = () =>
    new Promise<readonly [number | undefined, unknown]>((resolve, reject) => {
      const options = { method: 'POST', agent: false, headers: { 'idempotency-key': 'a' } };
      const sending = request(`http://127.0.0.1:${sluice.port}/render`, options, (response) => {
        response.resume().on('end', () => resolve([response.statusCode, response.headers['sluice-job']]));
      });
      sending.on('error', reject).end();
    });
  const first = await send();
  const all = [first, ...(await Promise.all(Array.from({ length: 16 }, send)))];
  expect(pod.taken).toHaveLength(1);
  expect(new Set(all.map(([status, job]) => `${status} ${job}`))).toEqual(new Set([`202 ${pod.taken[0]?.id}`]));
});
