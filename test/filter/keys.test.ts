import { request } from 'node:http';
import { expect, test } from 'vitest';
import { h2Client } from '../e2e/kit/client-h2.ts';
import { http1Client } from '../e2e/kit/client-http1.ts';
import { pause, until } from '../e2e/kit/instant.ts';
import type { LoadClient, LoadResult } from '../e2e/kit/load.ts';
import { type FilterRun, SETTINGS } from './kit/run.ts';
import { client as clientOf, start, stopAfterEach } from './kit/started.ts';

// Requests with the same key that come through different workers of one Envoy.

stopAfterEach();

const JOIN = { ...SETTINGS, idempotencyHeader: 'x-key', onDuplicate: 2 };

/** Clients with a connection each, which the kernel spreads over the workers. */
function clients(run: FilterRun, count: number): readonly LoadClient[] {
  return Array.from({ length: count }, () => clientOf(run, http1Client));
}

function send(client: LoadClient, id: string, key: string, workMs: number, abortAfter?: number): Promise<LoadResult> {
  return client.send({ id, at: 0, workMs, headers: { 'x-key': key }, ...(abortAfter && { abortAfter }) });
}

/** The ids of the requests with this beginning that pods have seen. */
async function atPods(run: FilterRun, name: string): Promise<readonly string[]> {
  return (await run.pods.requests()).filter(({ id }) => id.startsWith(name)).map(({ id }) => id);
}

test.each([2, 4])('%i workers: of requests with one key one goes to a pod, and all get its answer', async (workers) => {
  const run = await start({ workers, pods: { count: 4 }, settings: JOIN });
  for (let round = 0; round < 5; round++) {
    const results = await Promise.all(
      clients(run, 12).map((each, i) => send(each, `r${round}.${i}`, `k${round}`, 400)),
    );
    expect(results.map(({ status }) => status)).toEqual(results.map(() => 200));
    expect(new Set(results.map(({ body }) => body)).size).toBe(1);
    expect(new Set(results.map(({ headers }) => headers['content-type'])).size).toBe(1);
    expect(await atPods(run, `r${round}.`)).toHaveLength(1);
  }
  // The keys are free again.
  for (let round = 0; round < 5; round++) {
    const results = await Promise.all(clients(run, 4).map((each, i) => send(each, `s${round}.${i}`, `k${round}`, 30)));
    expect(results.every(({ status }) => status === 200)).toBe(true);
    expect((await atPods(run, `s${round}.`)).length).toBeGreaterThanOrEqual(1);
  }
});

test('the first one leaves, wherever it came: one of those that joined takes its part, and one at a time', async () => {
  const run = await start({ workers: 3, pods: { count: 1 }, settings: JOIN });
  for (let round = 0; round < 6; round++) {
    const busy = send(clientOf(run), `busy${round}`, `other${round}`, 500);
    await until(async () => (await run.pods.held()) === 1, { what: 'the pod to be busy' });
    const [first, ...others] = clients(run, 9);
    if (first === undefined) throw new Error('there is a first one');
    const leaving = send(first, `t${round}.leaving`, `k${round}`, 20, 200);
    await pause(50);
    const joined = Promise.all(others.map((each, i) => send(each, `t${round}.${i}`, `k${round}`, 20)));
    expect((await leaving).status).not.toBe(200);
    expect((await joined).map(({ status }) => status)).toEqual(others.map(() => 200));
    expect(await atPods(run, `t${round}.`)).toHaveLength(1);
    expect((await busy).status).toBe(200);
  }
  expect(await run.pods.peak()).toBe(1);
});

test('on_duplicate: conflict answers 409 at once, at every worker', async () => {
  const run = await start({ workers: 3, pods: { count: 2 }, settings: { ...JOIN, onDuplicate: 1 } });
  const first = send(clientOf(run), 'first', 'k', 600);
  await until(async () => (await run.pods.held()) === 1, { what: 'the first one to run' });
  const results = await Promise.all(clients(run, 9).map((each, i) => send(each, `same${i}`, 'k', 10)));
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set([409]));
  expect(results.every(({ headers }) => headers['retry-after'] === '1')).toBe(true);
  expect((await first).status).toBe(200);
  expect((await send(clientOf(run), 'after', 'k', 10)).status).toBe(200);
});

test('an answer of up to 1 MiB goes to all that joined, a larger one to none of them', async () => {
  const run = await start({ workers: 3, pods: { count: 1 }, settings: JOIN });
  for (const [size, status] of [
    [1_000_000, 200],
    [1_100_000, 409],
  ] as const) {
    const headers = { 'x-key': `k${size}`, 'x-padding-bytes': String(size) };
    const [first, ...others] = clients(run, 7);
    if (first === undefined) throw new Error('there is a first one');
    const running = first.send({ id: `${size}.first`, at: 0, workMs: 500, headers });
    await until(async () => (await run.pods.held()) === 1, { what: 'the first one to run' });
    const joined = others.map((each, i) => each.send({ id: `${size}.${i}`, at: 0, headers }));
    const { body } = await running;
    expect(body.length).toBeGreaterThan(size);
    for (const result of await Promise.all(joined)) {
      expect(result.status).toBe(status);
      expect(result.body === body).toBe(status === 200);
    }
    expect(await atPods(run, `${size}.`)).toHaveLength(1);
  }
});

test('a pod that breaks off in its answer: nobody who joined is sent to a pod for it', async () => {
  const run = await start({ workers: 3, pods: { count: 1 }, settings: JOIN });
  const [first, ...others] = clients(run, 7);
  if (first === undefined) throw new Error('there is a first one');
  const running = send(first, 'b.first', 'k', 700);
  await until(async () => (await run.pods.held()) === 1, { what: 'the first one to run' });
  const joined = Promise.all(others.map((each, i) => send(each, `b.${i}`, 'k', 10)));
  await pause(100);
  await run.pods.setMode(run.pods.addresses[0] ?? '', { kind: 'dead' });
  const { status } = await running;
  expect(status).toBeGreaterThanOrEqual(502);
  // The answer that Envoy gives in its place is theirs as well.
  expect((await joined).map((result) => result.status)).toEqual(others.map(() => status));
  expect(await atPods(run, 'b.')).toHaveLength(1);
});

test('the VM of the worker with the first one traps: who joined elsewhere is told to come again, and the key is free later', async () => {
  const run = await start({ workers: 2, settings: JOIN, envoy: { control: { allowTrap: true, reclaimMs: 4000 } } });
  // One connection, so that what comes over it is at one worker.
  const first = clientOf(run, h2Client);
  const running = send(first, 'first', 'k', 20_000);
  await until(async () => (await run.pods.held()) === 1, { what: 'the first one to run' });
  const joined = clients(run, 8).map((each, i) => send(each, `same${i}`, 'k', 10));
  const open = async () => {
    const stats = await run.envoy.admin.stats({ filter: 'downstream_rq_active$' });
    const all = stats.ok ? [...stats.value].filter(([name]) => !name.startsWith('http.admin.')) : [];
    return all.reduce((sum, [, value]) => sum + value, 0);
  };
  await until(async () => (await open()) >= 9, { what: 'all to be there' });
  const trapping = first.send({ id: 'trap', at: 0, headers: { 'sluice-test-trap': '1' } });
  const results = await Promise.all([running, ...joined, trapping]);
  for (const { status } of results) expect([409, 503]).toContain(status);
  expect(await atPods(run, 'same')).toEqual([]);
  const again = async () => (await send(clientOf(run), `again${performance.now()}`, 'k', 10)).status === 200;
  await until(again, { what: 'the key to be free', within: 20_000, every: 250 });
});

test('several workers: a request with a key joins the queue with its body as well', async () => {
  const settings = { ...JOIN, waitForBodyBytes: 65536 };
  const run = await start({ workers: 3, pods: { count: 1 }, settings });
  const post = (key: string) => {
    const sending = request({
      host: '127.0.0.1',
      port: run.port,
      method: 'POST',
      agent: false,
      headers: { 'x-key': key, 'x-work-ms': '20', 'content-length': '10' },
    });
    const status = new Promise<number>((resolve, reject) => {
      sending.on('error', reject);
      sending.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)));
    });
    return { sending, status };
  };
  for (let round = 0; round < 4; round++) {
    const slow = post(`slow-${round}`);
    slow.sending.write('12345');
    // Meanwhile others have the only slot, whatever worker they come to.
    for (let i = 0; i < 3; i++) {
      const quick = post(`quick-${round}-${i}`);
      quick.sending.end('1234567890');
      expect(await quick.status).toBe(200);
    }
    expect(await run.pods.held()).toBe(0);
    const twin = post(`slow-${round}`);
    twin.sending.end('1234567890');
    slow.sending.end('67890');
    expect(await slow.status).toBe(200);
    expect(await twin.status).toBe(200);
  }
  expect(await run.pods.peak()).toBe(1);
});
