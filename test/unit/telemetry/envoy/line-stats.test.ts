import { expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { fail, ok, type Result } from '../../../../src/base/result.ts';
import type { StatsQuery } from '../../../../src/envoy/admin.ts';
import { followLineStats, type LineStats, lineStats, podGauges } from '../../../../src/telemetry/envoy/line-stats.ts';
import type { PodGauges } from '../../../../src/telemetry/envoy/pod-health.ts';

test('the statistics of both clusters of a service are put together; parking is no retry', () => {
  const stats = new Map([
    ['cluster.gate/a.b.upstream_rq_pending_active', 7],
    ['cluster.pods/a.b.outlier_detection.ejections_active', 2],
    ['cluster.pods/a.b.upstream_rq_retry', 10],
    ['cluster.pods/a.b.upstream_rq_425', 4],
    // The last answer of the parking is not followed by another try.
    ['cluster.pods/c.upstream_rq_retry', 1],
    ['cluster.pods/c.upstream_rq_425', 2],
    ['cluster.sluice.upstream_rq_retry', 9],
  ]);
  expect(Object.fromEntries(lineStats(stats))).toEqual({
    'a.b': { waiting: 7, ejected: 2, retried: 6 },
    c: { waiting: 0, ejected: 0, retried: 0 },
  });
});

test('the health of the pods is in the same statistics', () => {
  const stats = new Map([
    ['cluster.gate/idle.upstream_rq_pending_active', 0],
    ['cluster.pods/a.b.outlier_detection.ejections_active', 2],
    ['cluster.pods/a.b.membership_healthy', 3],
    ['cluster.pods/c.membership_healthy', 1],
  ]);
  expect(Object.fromEntries(podGauges(stats))).toEqual({
    'a.b': { ejected: 2, healthy: 3 },
    c: { ejected: 0, healthy: 1 },
  });
  expect(lineStats(stats).has('c')).toBe(false);
});

test('asks again and again, tells failures too, and ends', async () => {
  const clock = new FakeClock();
  const answers: Result<ReadonlyMap<string, number>, string>[] = [
    ok(new Map([['cluster.gate/codec.upstream_rq_pending_active', 1]])),
    ok(new Map([['cluster.pods/codec.upstream_rq_retry', 5]])),
    fail('nothing listens there'),
    ok(new Map([['cluster.gate/codec.upstream_rq_pending_active', 2]])),
  ];
  const queries: StatsQuery[] = [];
  const admin = {
    async stats(query: StatsQuery) {
      queries.push(query);
      return answers.shift() ?? ok(new Map());
    },
  };
  const told: Result<ReadonlyMap<string, LineStats>, string>[] = [];
  const stopping = new AbortController();
  const pods: ReadonlyMap<string, PodGauges>[] = [];
  const onStats = (stats: Result<ReadonlyMap<string, LineStats>, string>) => void told.push(stats);
  const running = followLineStats(
    { admin, clock, intervalMs: () => 1000, onStats, onPods: (gauges) => void pods.push(gauges) },
    stopping.signal,
  );
  await clock.advance(1000);
  await clock.advance(1500);
  expect(told).toEqual([
    ok(new Map([['codec', { waiting: 1, ejected: 0, retried: 5 }]])),
    fail('nothing listens there'),
    // Counters are asked for less often, and stand until then.
    ok(new Map([['codec', { waiting: 2, ejected: 0, retried: 5 }]])),
  ]);
  // Not when there was no answer.
  expect(pods).toHaveLength(2);
  stopping.abort();
  await running;
  await clock.advance(5000);
  expect(told).toHaveLength(3);
  // The filter finds what is read, and only that.
  const [gauges, counters] = queries;
  const filter = new RegExp(gauges?.filter ?? '');
  expect(filter.test('cluster.gate/codec.upstream_rq_pending_active')).toBe(true);
  expect(filter.test('cluster.pods/codec.outlier_detection.ejections_active')).toBe(true);
  expect(filter.test('cluster.pods/codec.membership_healthy')).toBe(true);
  expect(filter.test('cluster.gate/codec.membership_healthy')).toBe(false);
  expect(filter.test('cluster.gate/codec.upstream_rq_pending_total')).toBe(false);
  expect(filter.test('cluster.pods/codec.upstream_rq_pending_active')).toBe(false);
  expect(filter.test('cluster.pods/codec.upstream_rq_retry')).toBe(false);
  expect(counters).toMatchObject({ type: 'Counters' });
  expect(new RegExp(counters?.filter ?? '').test('cluster.pods/codec.upstream_rq_retry')).toBe(true);
});

test('the pace may change at any time, and answers that take long slow it down', async () => {
  const clock = new FakeClock();
  let [pace, takes, asked] = [5000, 0, 0];
  const admin = {
    async stats({ type }: StatsQuery) {
      if (type === 'Gauges') asked++;
      if (takes > 0) await new Promise<void>((resolve) => clock.after(takes, resolve));
      return ok(new Map<string, number>());
    },
  };
  const stopping = new AbortController();
  const ignored = () => {};
  const running = followLineStats(
    { admin, clock, intervalMs: () => pace, onStats: ignored, onPods: ignored },
    stopping.signal,
  );
  await clock.advance(20_400);
  expect(asked).toBe(5);
  pace = 200;
  await clock.advance(600);
  // One at once, as soon as it is noticed, and then at the new pace.
  expect(asked).toBe(8);
  takes = 50;
  await clock.advance(10_000);
  expect(asked).toBeLessThan(14);
  stopping.abort();
  await clock.advance(50);
  await running;
});
