import { expect, test } from 'vitest';
import { pause, until } from '../kit/instant.ts';
import { type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectStrict, type Queue, startQueue } from './queue.ts';

/** How often each request reached a pod. */
async function visitsOf(queue: Queue): Promise<ReadonlyMap<string, number>> {
  const groups = Map.groupBy(await queue.pods.requests(), ({ id }) => id);
  return new Map([...groups].map(([id, visits]) => [id, visits.length]));
}

/** Kills the pod that holds the request `id`. */
async function killPodOf(queue: Queue, id: string): Promise<void> {
  const found = await until(async () => (await queue.pods.requests()).find((one) => one.id === id), { what: id });
  await queue.pods.setMode(found.pod, { kind: 'dead' });
}

function expectPodFailed({ status, headers, body }: LoadResult): void {
  expect(status).toBe(502);
  expect(headers['content-type']).toBe('application/json');
  expect(JSON.parse(body)).toMatchObject({
    error: 'pod failed',
    service: 'codec',
    status: 502,
    message: expect.stringContaining('was not sent to another pod, since the work may have begun'),
  });
}

test.each(['http1', 'h2c'] as const)(
  'a pod dies under a request: 502 at once, and never a second try (%s)',
  async (protocol) => {
    const queue = await startQueue({ pods: 2, protocol });
    const client = queue.h2();
    const doomed = startLoad(client, burst(1, { name: 'doomed', work: fixed(600_000) }));
    await queue.untilHeld(1);
    await killPodOf(queue, 'doomed0');
    // Ten minutes of work were asked: an answer at all is one at once.
    const [failed = expect.fail()] = await doomed.results;
    expectPodFailed(failed);
    const others = await load(client, burst(10, { name: 'other', work: fixed(20) }));
    const verdict = await expectStrict(queue, [failed, ...others], { title: `a pod dies, ${protocol}`, slots: [] });
    expect(verdict.outcomes).toEqual({ 200: 10, 502: 1 });
    expect((await visitsOf(queue)).get('doomed0')).toBe(1);
  },
);

test('a pod that refuses connections: another pod gets the request, which never lost its slot', async () => {
  const queue = await startQueue({ pods: 2 });
  const [dead = ''] = queue.pods.addresses;
  await queue.pods.setMode(dead, { kind: 'dead' });
  const client = queue.h2();
  const first = startLoad(client, burst(4, { name: 'first', work: fixed(50) }));
  const results = await first.results;
  expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(await queue.stat('cluster.codec.upstream_rq_retry')).toBeGreaterThan(0);
  expect([...(await visitsOf(queue)).values()]).toEqual([1, 1, 1, 1]);
});

test.each(['http1', 'h2c'] as const)('a pod that answers garbage: 502, and no slot is lost (%s)', async (protocol) => {
  const queue = await startQueue({ pods: 2, protocol, service: { outlier: { eject: '60s' } } });
  const [ill = ''] = queue.pods.addresses;
  await queue.pods.setMode(ill, { kind: 'garbage' });
  const client = queue.h2();
  const results: LoadResult[] = [];
  // One after the other: each pod in turn.
  for (let number = 0; number < 12; number += 1) {
    results.push(...(await load(client, burst(1, { name: `r${number}-`, work: fixed(1) }))));
  }
  const failed = results.filter(({ status }) => status !== 200);
  expect(failed.length).toBeGreaterThanOrEqual(1);
  for (const { status, body } of failed) {
    expect(status).toBe(502);
    expect(JSON.parse(body)).toMatchObject({ service: 'codec', status: 502 });
  }
  await queue.pods.setMode(ill, { kind: 'normal' });
  const after = await load(client, burst(12, { name: 'after', work: fixed(20) }));
  expect(after.map(({ status }) => status)).toEqual(after.map(() => 200));
});

test.each(['http1', 'h2c'] as const)('half an answer is no whole one to the client either (%s)', async (protocol) => {
  const queue = await startQueue({ pods: 1, protocol });
  const [pod = ''] = queue.pods.addresses;
  await queue.pods.setMode(pod, { kind: 'half' });
  const [result = expect.fail()] = await load(queue.h2(), burst(1, { name: 'cut', work: fixed(20) }));
  expect(result).toMatchObject({ status: 200, outcome: 'failed' });
  expect((await visitsOf(queue)).get('cut0')).toBe(1);
});

test('a frozen pod keeps what it has, and its slot; the queue goes on at the others', async () => {
  const queue = await startQueue({ pods: 2 });
  const client = queue.h2();
  for (const address of queue.pods.addresses) await queue.pods.setMode(address, { kind: 'frozen' });
  const stuck = startLoad(client, burst(1, { name: 'stuck', work: fixed(10) }));
  await queue.untilHeld(1);
  const held = await until(async () => (await queue.pods.requests())[0], { what: 'a request at a pod' });
  for (const address of queue.pods.addresses.filter((one) => one !== held.pod)) {
    await queue.pods.setMode(address, { kind: 'normal' });
  }
  const others = await load(client, burst(20, { name: 'other', work: fixed(10) }));
  expect(others.map(({ status }) => status)).toEqual(others.map(() => 200));
  await queue.pods.setMode(held.pod, { kind: 'normal' });
  const results = [...(await stuck.results), ...others];
  const verdict = await expectStrict(queue, results, { title: 'a frozen pod', slots: [] });
  expect(verdict.outcomes['200']).toBe(21);
});

test('several pods die at once: hardly a request meets a second dead one', async () => {
  const queue = await startQueue({ pods: 8, limit: 2, service: { outlier: { eject: '10s' } } });
  const client = queue.h2();
  await load(client, spaced(20, 5, { name: 'before', work: fixed(20) }));
  // Connections that are open would tell by themselves: they are given up after a second without a request.
  await pause(1500);
  for (const pod of queue.pods.addresses.slice(0, 4)) await queue.pods.setMode(pod, { kind: 'dead' });
  const results = await load(client, spaced(150, 8, { name: 'after', work: fixed(30) }));
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set([200]));
  const tries = await queue.stat('cluster.codec.upstream_cx_connect_fail');
  process.stdout.write(`tries at dead pods: ${tries}\n`);
  expect(tries).toBeGreaterThanOrEqual(4);
  // When Envoy told its workers of the second one a second later than of the first, there were 20 (run).
  expect(tries).toBeLessThan(13);
});
