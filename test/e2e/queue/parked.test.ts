import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { status } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { grpcClient } from '../kit/client-grpc.ts';
import { instant, pause, until } from '../kit/instant.ts';
import { type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { closedAfterTest, expectKept, expectStrict, type Queue, startQueue } from './queue.ts';

const TWO_ROUTES = [
  { match: { path: '/brief' }, service: 'codec', timeout: { request: '300ms' } },
  { match: { path: '/endless' }, service: 'codec', timeout: { request: '0' } },
  { match: { prefix: '/' }, service: 'codec' },
];

describe.each(['http1', 'h2c'] as const)('while no pod can be reached (%s)', (protocol) => {
  test('timeout.request does not run; once a pod is there it limits the work', async () => {
    const queue = await startQueue({ pods: 1, protocol, service: { timeout: { request: '1s' } } });
    await withoutPods(queue);
    const run = startLoad(queue.h2(), [
      ...burst(3, { name: 'quick', work: fixed(20) }),
      ...burst(1, { name: 'slow', work: fixed(20_000) }),
      ...burst(1, { name: 'last', work: fixed(20) }),
    ]);
    await pause(1800);
    expect(run.ended).toEqual([]);
    await queue.edit(queue.pods.addresses);
    const results = await run.results;
    expect(results.map((result) => result.status)).toEqual([200, 200, 200, 504, 200]);
    expect(JSON.parse(results[3]?.body ?? '')).toMatchObject({ error: 'work timeout', status: 504 });
    await expectStrict(queue, results, { title: `parked for longer than timeout.request, ${protocol}`, slots: [] });
    expect(await queue.stat('cluster.pods/codec.outlier_detection.ejections_enforced_total')).toBe(0);
  });

  test('queue.timeout ends the wait, and no pod ever sees the request', async () => {
    const queue = await startQueue({ pods: 1, protocol, service: { queue: { timeout: '600ms' } } });
    await withoutPods(queue);
    const sent = instant();
    const late = await load(queue.h2(), burst(4, { name: 'late' }));
    for (const result of late) expectWaitedTooLong(result, 600);
    expect(Math.max(...late.map(({ ended }) => ended)) - sent).toBeLessThan(20_000);
    await queue.edit(queue.pods.addresses);
    const next = await load(queue.h2(), burst(3, { name: 'next', work: fixed(20) }));
    const verdict = await expectStrict(queue, [...late, ...next], { title: `parked too long, ${protocol}`, slots: [] });
    expect(verdict.outcomes).toEqual({ 200: 3, 503: 4 });
    expect((await queue.pods.requests()).map(({ id }) => id).sort()).toEqual(['next0', 'next1', 'next2']);
  });

  test('a route has its own timeout.request, which does not run either', async () => {
    const service = { timeout: { request: '700ms' } };
    const queue = await startQueue({ pods: 3, protocol, service, routes: TWO_ROUTES });
    await withoutPods(queue);
    const paths = ['/brief', '/endless', '/'];
    const plan = paths.flatMap((path) => burst(1, { name: path, work: fixed(1500), each: { path } }));
    const run = startLoad(queue.h2(), plan);
    await pause(1200);
    expect(run.ended).toEqual([]);
    await queue.edit(queue.pods.addresses);
    const results = await run.results;
    expect(results.map((result) => result.status)).toEqual([504, 200, 504]);
    const came = new Map((await queue.pods.requests()).map(({ id, arrived }) => [id, arrived]));
    const [brief = 0, , other = 0] = results.map(({ id, ended }) => ended - (came.get(id) ?? ended));
    expect(brief).toBeGreaterThanOrEqual(250);
    expect(other).toBeGreaterThanOrEqual(650);
  });

  test('both may be edited while requests wait for a pod', async () => {
    const queue = await startQueue({
      pods: 1,
      protocol,
      service: { timeout: { request: '1h' }, queue: { timeout: '1h' } },
    });
    await withoutPods(queue);
    const parked = startLoad(queue.h2(), burst(3, { name: 'parked', work: fixed(20) }));
    await until(() => queue.stat('cluster.pods/codec.upstream_rq_retry'), { what: 'a request without a pod' });
    const after = { service: { timeout: { request: '1s' }, queue: { timeout: '1h' } } };
    const loads = () => queue.stat('http.pods.rds.pods.config_reload');
    const before = await loads();
    await queue.edit([], after);
    await until(async () => (await loads()) > before, { what: 'the new timeouts' });
    await pause(1500);
    expect(parked.ended).toEqual([]);
    await queue.edit(queue.pods.addresses, after);
    await expectKept(queue, await parked.results, { title: `timeouts edited while parked, ${protocol}`, slots: [] });
    const [slow] = await load(queue.h2(), burst(1, { name: 'slow', work: fixed(20_000) }));
    expect(slow?.status).toBe(504);
  });
});

test('requests with all kinds of bodies that wait too long are answered, also while they are being sent', async () => {
  const queue = await startQueue({ pods: 1, service: { queue: { timeout: '500ms' } } });
  await withoutPods(queue);
  const bodies = [0, 1, 300_000, 3_000_000];
  const plan = bodies.flatMap((bytes) => burst(2, { name: `b${bytes}-`, each: { body: Buffer.alloc(bytes) } }));
  for (const client of [queue.h2(), queue.http1()]) {
    for (const result of await load(client, plan)) expectWaitedTooLong(result, 500);
  }
  expect(await queue.pods.requests()).toEqual([]);
});

test('gRPC calls wait for a pod; those that wait too long end with UNAVAILABLE', async () => {
  const queue = await startQueue({ pods: 1, protocol: 'grpc', service: { timeout: { request: '1s' } } });
  const client = closedAfterTest(grpcClient({ port: queue.sluice.port }));
  await withoutPods(queue);
  const calls = (['unary', 'serverStream', 'clientStream', 'bidi'] as const).flatMap((call) =>
    burst(1, { name: call, work: fixed(5), each: { call } }),
  );
  const run = startLoad(client, calls);
  await pause(1800);
  expect(run.ended).toEqual([]);
  await queue.edit(queue.pods.addresses);
  await expectKept(queue, await run.results, { title: 'gRPC calls without a pod', slots: [] });
  await withoutPods(queue);
  await withoutPodsFor(queue, '1s');
  const late = await load(client, burst(2, { name: 'late', work: fixed(5) }));
  for (const { grpcStatus, error } of late) {
    expect(grpcStatus).toBe(status.UNAVAILABLE);
    expect(error).toContain('queue.timeout allows 1000 ms');
  }
  expect((await queue.pods.requests()).filter(({ id }) => id.startsWith('late'))).toEqual([]);
});

describe.each(['http1', 'h2c'] as const)('while all pods refuse connections (%s)', (protocol) => {
  test('many requests with slots wait for longer than timeout.request', async () => {
    const service = { outlier: { eject: '1s' }, timeout: { request: '1s' } };
    const queue = await startQueue({ pods: 2, limit: 4, protocol, service });
    for (const pod of queue.pods.addresses) await queue.pods.setMode(pod, { kind: 'dead' });
    const run = startLoad(queue.h2(), burst(20, { work: fixed(20) }));
    await pause(2500);
    expect(run.ended).toEqual([]);
    for (const pod of queue.pods.addresses) await queue.pods.setMode(pod, { kind: 'normal' });
    await expectKept(queue, await run.results, { title: `all pods refuse for a while, ${protocol}`, slots: [] });
  });

  test('many requests with slots wait no longer than queue.timeout', async () => {
    const service = { timeout: { request: '300ms' }, queue: { timeout: '1500ms' } };
    const queue = await startQueue({ pods: 2, limit: 4, protocol, service });
    for (const pod of queue.pods.addresses) await queue.pods.setMode(pod, { kind: 'dead' });
    for (const result of await load(queue.h2(), burst(20, { name: 'late' }))) expectWaitedTooLong(result, 1500);
    for (const pod of queue.pods.addresses) await queue.pods.setMode(pod, { kind: 'normal' });
    const out = 'cluster.pods/codec.outlier_detection.ejections_active';
    await until(async () => (await queue.stat(out)) === 0, { what: 'the pods to be back', within: 30_000 });
    expect(await queue.pods.requests()).toEqual([]);
  });
});

test('without a limit timeout.request does not run either while no pod is there', async () => {
  const service = { timeout: { request: '1s' } };
  const queue = await startQueue({ pods: 1, limit: undefined, service, routes: TWO_ROUTES });
  await withoutPods(queue);
  const run = startLoad(queue.h2(), [
    ...burst(2, { name: 'quick', work: fixed(20) }),
    ...burst(1, { name: 'slow', work: fixed(20_000) }),
    ...burst(1, { name: 'endless', work: fixed(2000), each: { path: '/endless' } }),
  ]);
  await pause(1800);
  expect(run.ended).toEqual([]);
  await queue.edit(queue.pods.addresses);
  expect((await run.results).map((result) => result.status)).toEqual([200, 200, 504, 200]);
});

test.each([1, undefined])('no client sets its own limit on the work (limit %s)', async (limit) => {
  const queue = await startQueue({ pods: 1, limit, service: { timeout: { request: '1s' } } });
  const ask = (value: string) => ({ headers: { 'x-envoy-upstream-stream-duration-ms': value } });
  const quick = await load(queue.h2(), burst(1, { name: 'quick', work: fixed(150), each: ask('1') }));
  const slow = await load(queue.h2(), burst(1, { name: 'slow', work: fixed(20_000), each: ask('0') }));
  expect([...quick, ...slow].map((result) => result.status)).toEqual([200, 504]);
});

test('a WebSocket waits for a pod as well, and is refused when that takes too long', async () => {
  const queue = await startQueue({ pods: 1, service: { queue: { timeout: '1s' } } });
  await withoutPods(queue);
  const late = await upgrade(queue.sluice.port, 'late');
  expect(late).toMatchObject({ statusCode: 503 });
  await withoutPodsFor(queue, '1h');
  const opens = upgrade(queue.sluice.port, 'socket');
  await pause(700);
  await queue.edit(queue.pods.addresses, { service: { queue: { timeout: '1h' } } });
  const open = await opens;
  if (!('write' in open)) expect.fail(`answered with ${open.statusCode}`);
  onTestFinished(() => void open.destroy());
  open.write('hello');
  expect(String((await once(open, 'data'))[0])).toBe('hello');
  expect((await queue.pods.requests()).map(({ id }) => id)).toEqual(['socket']);
});

/** Asks for a WebSocket; resolves to it, or to the answer that refuses it. */
async function upgrade(port: number, id: string): Promise<Duplex | IncomingMessage> {
  const headers = { connection: 'upgrade', upgrade: 'websocket', 'x-test-id': id, 'x-work-ms': '1' };
  const asked = request({ host: '127.0.0.1', port, path: '/chat', headers }).end();
  return new Promise((resolve, reject) => {
    asked.on('upgrade', (_answer, socket) => resolve(socket));
    asked.on('response', (answer) => resolve(answer.resume()));
    asked.on('error', reject);
  });
}

/** As any other request that has waited too long. */
function expectWaitedTooLong({ status, headers, body }: LoadResult, longest: number): void {
  expect(status, body).toBe(503);
  const { waited_ms: waited, ...rest } = JSON.parse(body);
  expect(waited).toBeGreaterThan(longest);
  expect(headers).toMatchObject({
    'retry-after': String(Math.ceil(waited / 1000)),
    'content-type': 'application/json',
  });
  expect(Object.keys(headers).filter((name) => name.startsWith('x-'))).toEqual([]);
  expect(rest).toEqual({
    error: 'waited too long',
    message: `The request waited ${waited} ms for a free pod of codec; queue.timeout allows ${longest} ms. No pod has seen it.`,
    service: 'codec',
    status: 503,
    longest_wait_ms: longest,
  });
}

/** Takes all pods away, and waits until Envoy knows. */
async function withoutPods(queue: Queue): Promise<void> {
  const since = await queue.edit([]);
  await queue.sluice.acked(since, 'ClusterLoadAssignment');
}

/** Leaves the service without pods, gives it another longest wait, and waits until Envoy knows. */
async function withoutPodsFor(queue: Queue, timeout: string): Promise<void> {
  const since = await queue.edit([], { service: { queue: { timeout } } });
  await queue.sluice.acked(since, 'RouteConfiguration');
}
