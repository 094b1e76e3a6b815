import { expect, test } from 'vitest';
import { TrafficMetrics } from '../../../src/status/traffic-metrics.ts';
import { samples } from './exposition.ts';

test('counts by service, has every series from the start, and none of a service that is gone', () => {
  const metrics = new TrafficMetrics();
  const read = () => Object.fromEntries(samples(metrics.text()));
  metrics.keep(new Set(['codec', 'web']));
  expect(read()).toMatchObject({
    'sluice_requests_total{service="web",outcome="refused"}': 0,
    'sluice_requests_timed_out_total{service="web",during="wait"}': 0,
    'sluice_requests_retried_total{service="web"}': 0,
  });
  const common = { kind: 'ended', service: 'codec', id: 'a', startedAt: 0, standsFor: 1 } as const;
  metrics.ended({ ...common, waitMs: 200, durationMs: 2200, outcome: 'answered' });
  metrics.ended({ ...common, waitMs: 200, durationMs: 2200, outcome: 'failed' });
  metrics.ended({ ...common, waitMs: undefined, durationMs: 1, outcome: 'refused' });
  metrics.timedOut('codec', 'wait');
  metrics.retried('codec', 3);
  expect(read()).toMatchObject({
    'sluice_wait_seconds_count{service="codec"}': 2,
    'sluice_wait_seconds_bucket{le="0.1",service="codec"}': 0,
    'sluice_wait_seconds_bucket{le="0.5",service="codec"}': 2,
    'sluice_work_seconds_sum{service="codec"}': 2,
    'sluice_work_seconds_count{service="codec"}': 1,
    'sluice_requests_total{service="codec",outcome="answered"}': 1,
    'sluice_requests_total{service="codec",outcome="refused"}': 1,
    'sluice_requests_timed_out_total{service="codec",during="wait"}': 1,
    'sluice_requests_retried_total{service="codec"}': 3,
  });
  metrics.keep(new Set(['web']));
  expect(Object.keys(read()).filter((name) => name.includes('codec'))).toEqual([]);
});

test('one of a sample counts for all that it stands for', () => {
  const metrics = new TrafficMetrics();
  const read = () => Object.fromEntries(samples(metrics.text()));
  const common = { kind: 'ended', service: 'codec', id: 'a', startedAt: 0, outcome: 'answered' } as const;
  metrics.ended({ ...common, waitMs: 200, durationMs: 2200, standsFor: 4 });
  expect(read()).toMatchObject({
    'sluice_requests_total{service="codec",outcome="answered"}': 4,
    'sluice_wait_seconds_count{service="codec"}': 4,
    'sluice_work_seconds_sum{service="codec"}': 8,
  });
});
