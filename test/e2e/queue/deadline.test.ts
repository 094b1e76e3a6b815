import { describe, expect, test } from 'vitest';
import { grpcClient } from '../kit/client-grpc.ts';
import { until } from '../kit/instant.ts';
import { load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { closedAfterTest, expectStrict, startQueue } from './queue.ts';

/** How much later than it should a request may be answered. */
const TOLERANCE_MS = 15;

/** What nearly all stay under: on a busy machine the client itself is late now and then. */
const nearlyAll = (waits: readonly number[]) => waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.8)];

describe('queue.deadline', () => {
  test('exact: a request that is not served in time is answered then, and no pod sees it', async () => {
    const queue = await startQueue({ pods: 1, service: { queue: { deadline: 'exact' } } });
    const client = queue.h2();
    const first = startLoad(client, burst(1, { name: 'first', work: fixed(700) }));
    await queue.untilHeld(1);
    const values = [
      ['x-request-deadline', '300ms'],
      ['x-request-deadline', '0.3s'],
      ['grpc-timeout', '300m'],
      ['x-request-deadline', String((Date.now() + 300) / 1000)],
      ['x-request-deadline', String(Date.now() + 300)],
    ] as const;
    const plan = values.flatMap(([name, value], index) =>
      burst(1, { name: `late${index}-`, each: { headers: { [name]: value } } }),
    );
    const patient = startLoad(
      client,
      burst(1, { name: 'patient', work: fixed(10), each: { headers: { 'x-request-deadline': '5s' } } }),
    );
    const late = await load(client, plan);
    for (const { status, body } of late) {
      expect(status).toBe(504);
      expect(JSON.parse(body)).toMatchObject({ error: 'deadline', service: 'codec', status: 504 });
    }
    const waits = late.map(({ sent, ended }) => ended - sent);
    process.stdout.write(
      `── answered ${waits.map((wait) => wait.toFixed(0)).join(', ')} ms after it was sent, deadline 300 ms\n`,
    );
    // The last two were written a moment before they were sent.
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(270);
    expect(nearlyAll(waits)).toBeLessThanOrEqual(300 + TOLERANCE_MS);
    const results = [...(await first.results), ...(await patient.results), ...late];
    const verdict = await expectStrict(queue, results, { title: 'queue.deadline: exact' });
    expect(verdict.outcomes).toEqual({ 200: 2, 504: 5 });
    expect((await queue.pods.requests()).filter(({ id }) => id.startsWith('late'))).toEqual([]);
    await until(async () => (await queue.stat('wasmcustom.sluice_queue_deadlines.codec')) === 5, { what: 'the count' });
  });

  test('early: it is answered as soon as the usual work would not be done in time', async () => {
    const queue = await startQueue({ pods: 1, service: { queue: { deadline: 'early' } } });
    const client = queue.h2();
    // The usual work is known from what was done.
    const warm = await load(client, spaced(20, 220, { name: 'warm', work: fixed(200) }));
    const first = startLoad(client, burst(1, { name: 'first', work: fixed(700) }));
    await queue.untilHeld(1);
    const late = await load(client, burst(2, { name: 'late', each: { headers: { 'x-request-deadline': '500ms' } } }));
    const never = await load(client, burst(1, { name: 'never', each: { headers: { 'x-request-deadline': '150ms' } } }));
    expect([...late, ...never].map(({ status }) => status)).toEqual([504, 504, 504]);
    for (const { sent, ended } of late) {
      expect(ended - sent).toBeGreaterThanOrEqual(500 - 200 - 40);
      expect(ended - sent).toBeLessThan(450);
    }
    for (const { sent, ended } of never) expect(ended - sent).toBeLessThan(140);
    await expectStrict(queue, [...warm, ...(await first.results), ...late, ...never], {
      title: 'queue.deadline: early',
    });
  });

  test('is DEADLINE_EXCEEDED for gRPC, before a pod has seen the call', async () => {
    const queue = await startQueue({ pods: 1, protocol: 'grpc', service: { queue: { deadline: 'exact' } } });
    const client = closedAfterTest(grpcClient({ port: queue.sluice.port }));
    const first = startLoad(client, burst(1, { name: 'first', work: fixed(600) }));
    await queue.untilHeld(1);
    const [late] = await load(client, burst(1, { name: 'late', each: { headers: { 'x-request-deadline': '200ms' } } }));
    expect(late?.grpcStatus).toBe(4);
    await first.results;
    expect((await queue.pods.requests()).map(({ id }) => id)).toEqual(['first0']);
  });

  test('off: headers of that name go to the pod, and nobody is answered for them', async () => {
    const queue = await startQueue({ pods: 1 });
    const client = queue.h2();
    const first = startLoad(client, burst(1, { name: 'first', work: fixed(300) }));
    await queue.untilHeld(1);
    const others = await load(client, burst(2, { each: { headers: { 'x-request-deadline': '50ms' } } }));
    expect([...(await first.results), ...others].map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});

describe('queue.timeout', () => {
  test('is exact where there is no pod at all', async () => {
    const queue = await startQueue({ pods: 0, service: { queue: { timeout: '400ms' } } });
    const late = await load(queue.h2(), spaced(60, 11, { name: 'late' }));
    const waits = late.map(({ sent, ended }) => ended - sent);
    process.stdout.write(
      `── no pod: answered ${Math.min(...waits).toFixed(1)} to ${Math.max(...waits).toFixed(1)} ms after it was sent, queue.timeout 400 ms\n`,
    );
    expect(late.map(({ status }) => status)).toEqual(late.map(() => 503));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(399);
    expect(nearlyAll(waits)).toBeLessThanOrEqual(400 + TOLERANCE_MS);
  });
});
