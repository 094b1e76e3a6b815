import { expect, test } from 'vitest';
import { trafficMetrics } from '../../../src/status/traffic-metrics.ts';
import { durations, hello, memberAt, report, serviceReport } from '../telemetry/reports.ts';
import { exampleTelemetry, NOW, noTelemetry } from './example.ts';
import { samples } from './exposition.ts';

test('every way in which requests end, once', () => {
  const counts = {
    arrived: 100,
    started: 80,
    answered: 1,
    failed: 2,
    refused: 3,
    waitTimeouts: 4,
    workTimeouts: 5,
    abandonedWaiting: 6,
    abandonedWorking: 7,
    unserved: 8,
    deadlines: 9,
    retried: 9,
    ejections: 10,
  };
  const read = samples(trafficMetrics(exampleTelemetry({ counts }), ['codec']));
  const outcome = (name: string) => read.get(`sluice_requests_total{service="codec",outcome="${name}"}`);
  expect(
    [
      'answered',
      'failed',
      'refused',
      'wait_timeout',
      'work_timeout',
      'abandoned_waiting',
      'abandoned_working',
      'unserved',
      'deadline',
    ].map(outcome),
  ).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(read.get('sluice_requests_arrived_total{service="codec"}')).toBe(100);
  expect(read.get('sluice_requests_retried_total{service="codec"}')).toBe(9);
  expect(read.get('sluice_pod_ejections_total{service="codec"}')).toBe(10);
});

test('counters are there before the first request, histograms from it on', () => {
  const read = samples(trafficMetrics(noTelemetry(), ['codec']));
  expect(read.get('sluice_requests_arrived_total{service="codec"}')).toBe(0);
  expect([...read.keys()].filter((name) => name.includes('seconds'))).toEqual([]);
});

test('buckets from 5 ms to hours', () => {
  const wait = durations(1, 40, 3_600_000, 20_000_000, 90_000_000);
  const read = samples(trafficMetrics(exampleTelemetry({ wait }), ['codec']));
  const bucket = (le: string) => read.get(`sluice_wait_seconds_bucket{le="${le}",service="codec"}`);
  expect(['0.005', '0.02', '0.05', '2000', '5000', '50000', '+Inf'].map(bucket)).toEqual([1, 1, 2, 2, 3, 4, 5]);
  expect(read.get('sluice_wait_seconds_sum{service="codec"}')).toBe(113_600.041);
  expect(read.get('sluice_wait_seconds_count{service="codec"}')).toBe(5);
  expect([...read.keys()].filter((name) => name.startsWith('sluice_wait_seconds_bucket'))).toHaveLength(23);
});

test('an Envoy that starts again counts from 0: what Prometheus reads only grows', () => {
  const telemetry = noTelemetry();
  const read = () =>
    samples(trafficMetrics(telemetry, ['codec'])).get('sluice_requests_total{service="codec",outcome="answered"}');
  const first = memberAt(NOW + 1);
  telemetry.record(hello(first));
  telemetry.record(report(first, serviceReport('codec', { counts: { answered: 40 } })));
  expect(read()).toBe(40);
  telemetry.record({ ...first, kind: 'gone', reason: 'closed' });
  const second = memberAt(NOW + 900);
  telemetry.record(hello(second));
  expect(read()).toBe(40);
  telemetry.record(report(second, serviceReport('codec', { counts: { answered: 2 } })));
  expect(read()).toBe(42);
});
