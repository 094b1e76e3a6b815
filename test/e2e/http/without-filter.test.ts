import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { codecRoutes, startStage, wasmFilter } from './stage.ts';

/** A pod that takes 100 ms for each request; `most`: how many it had at a time. */
async function slowPod() {
  const seen = { now: 0, most: 0, count: 0 };
  const server = createServer((_, response) => {
    seen.now++;
    seen.count++;
    seen.most = Math.max(seen.most, seen.now);
    setTimeout(() => {
      seen.now--;
      response.end('ok');
    }, 100);
  });
  return { seen, pod: await listenUntilTestEnds(server) };
}

test('without the filter Envoy alone holds the limit, with a queue for each pod', async () => {
  const pods = await Promise.all([slowPod(), slowPod()]);
  const addresses = pods.map(({ pod }) => pod);
  const { port, envoy } = await startStage(codecRoutes(addresses, 'limit: 2, queue: {max: 20}'), { kind: 'off' });
  const ask = () => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.status);
  const statuses = await Promise.all(Array.from({ length: 16 }, ask));
  expect(statuses).toEqual(Array(16).fill(200));
  expect(pods.map(({ seen }) => seen.most)).toEqual([2, 2]);
  expect(pods.map(({ seen }) => seen.count)).toEqual([8, 8]);
  const crowd = await Promise.all(Array.from({ length: 60 }, ask));
  expect(new Set(crowd)).toEqual(new Set([200, 429]));
  expect(pods.map(({ seen }) => seen.most)).toEqual([2, 2]);
  expect(envoy.logs).toEqual([]);
});

test('a filter that has failed refuses until it is back, and says so', async () => {
  const { seen, pod } = await slowPod();
  const { port } = await startStage(codecRoutes([pod]), wasmFilter(true));
  const ask = (headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${port}/`, { headers });
  expect((await ask()).status).toBe(200);
  const failed = await ask({ 'sluice-test-trap': '1' });
  expect(failed.status).toBe(503);
  expect(await failed.json()).toMatchObject({ error: 'queue failed' });
  await until(async () => (await ask()).status === 200, { what: 'the filter is back', within: 5000, every: 50 });
  expect(seen.most).toBe(1);
});

test('those that wait when the filter fails are told so, also when nobody else comes', async () => {
  const { pod } = await slowPod();
  const { port } = await startStage(codecRoutes([pod], 'limit: 1'), wasmFilter(true));
  const ask = (headers: Record<string, string> = {}) => fetch(`http://127.0.0.1:${port}/`, { headers });
  expect((await ask()).status).toBe(200);
  const waiting = Array.from({ length: 30 }, () => ask());
  await pause(50);
  await ask({ 'sluice-test-trap': '1' });
  const since = instant();
  const answers = await Promise.all(waiting);
  expect(instant() - since).toBeLessThan(5000);
  const failed = answers.filter(({ status }) => status === 503);
  expect(failed.length).toBeGreaterThan(25);
  expect(await failed.at(-1)?.json()).toMatchObject({ error: 'queue failed' });
});
