import { describe, expect, test } from 'vitest';
import { grpcClient } from '../kit/client-grpc.ts';
import { load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { closedAfterTest, expectStrict, startQueue } from './queue.ts';

describe('timeout.request', () => {
  test.each(['http1', 'h2c'] as const)(
    'ends the work, not the pod: the next is served at once (%s)',
    async (protocol) => {
      const queue = await startQueue({ pods: 1, protocol, service: { timeout: { request: '300ms' } } });
      const client = queue.h2();
      const slow = await load(client, burst(1, { name: 'slow', work: fixed(20_000) }));
      const [{ status, body, sent, ended } = expect.fail()] = slow;
      expect(status).toBe(504);
      expect(JSON.parse(body)).toEqual({
        error: 'work timeout',
        message: 'A pod of codec worked on this request longer than timeout.request allows; it was given up.',
        service: 'codec',
        status: 504,
      });
      expect(ended - sent).toBeGreaterThanOrEqual(290);
      const next = await load(client, burst(3, { name: 'next', work: fixed(20) }));
      const verdict = await expectStrict(queue, [...slow, ...next], { title: `timeout.request, ${protocol}` });
      expect(verdict.outcomes).toEqual({ 200: 3, 504: 1 });
      // Ejected, it would have been out for 2 s.
      expect(Math.max(...next.map((result) => result.ended - result.sent))).toBeLessThan(1900);
      expect(await queue.stat('wasmcustom.sluice_queue_ejections.codec')).toBe(0);
    },
  );

  test('does not count the wait', async () => {
    const queue = await startQueue({ pods: 1, service: { timeout: { request: '1s' } } });
    const results = await load(queue.h2(), burst(5, { work: fixed(400) }));
    expect(results.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  test('is DEADLINE_EXCEEDED for gRPC', async () => {
    const queue = await startQueue({ pods: 1, protocol: 'grpc', service: { timeout: { request: '200ms' } } });
    const client = closedAfterTest(grpcClient({ port: queue.sluice.port }));
    const [late] = await load(client, burst(1, { work: fixed(20_000) }));
    expect(late?.grpcStatus).toBe(4);
  });

  test('a route may have its own', async () => {
    const queue = await startQueue({
      pods: 2,
      service: { timeout: { request: '200ms' } },
      routes: [
        { match: { path: '/long' }, service: 'codec', timeout: { request: '0' } },
        { match: { path: '/longer' }, service: 'codec', timeout: { request: '5s' } },
        { match: { prefix: '/' }, service: 'codec' },
      ],
    });
    const paths = ['/long', '/longer', '/'];
    const plan = paths.flatMap((path) => burst(1, { name: path, work: fixed(500), each: { path } }));
    const results = await load(queue.h2(), plan);
    expect(results.map(({ status }) => status)).toEqual([200, 200, 504]);
  });
});

/** How much later than it should a request may be answered that has waited too long. */
const TOLERANCE_MS = 15;

describe('queue.timeout', () => {
  test.each(['http1', 'h2c'] as const)(
    'a request that has waited too long never reaches a pod (%s)',
    async (protocol) => {
      const queue = await startQueue({ pods: 1, protocol, service: { queue: { timeout: '400ms' } } });
      const client = queue.h2();
      const warm = await load(client, burst(1, { name: 'warm', work: fixed(10) }));
      const first = startLoad(client, burst(1, { name: 'first', work: fixed(800) }));
      await queue.untilHeld(1);
      const late = await load(client, spaced(10, 7, { name: 'late' }));
      for (const { status, headers, body } of late) {
        expect(status).toBe(503);
        expect(headers).toMatchObject({ 'content-type': 'application/json' });
        expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
        expect(JSON.parse(body)).toMatchObject({ error: 'waited too long', service: 'codec', status: 503 });
      }
      const waits = late.map(({ sent, ended }) => ended - sent);
      process.stdout.write(
        `── answered ${Math.min(...waits).toFixed(0)} to ${Math.max(...waits).toFixed(0)} ms after it was sent\n`,
      );
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(399);
      expect(Math.max(...waits)).toBeLessThanOrEqual(400 + TOLERANCE_MS);
      const next = await load(client, burst(2, { name: 'next', work: fixed(20) }));
      const results = [...warm, ...(await first.results), ...late, ...next];
      const verdict = await expectStrict(queue, results, { title: `queue.timeout, ${protocol}` });
      expect(verdict.outcomes).toEqual({ 200: 4, 503: 10 });
      expect((await queue.pods.requests()).filter(({ id }) => id.startsWith('late'))).toEqual([]);
    },
  );
});
