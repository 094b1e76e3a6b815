import { expect, test } from 'vitest';
import { describeStatus } from '../../../src/status/describe.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import { exampleInput, noTelemetry } from './example.ts';
import { samples } from './exposition.ts';

const status = describeStatus(exampleInput());

test('says which Sluice it is', async () => {
  const text = await new Metrics({ version: '1.2.3', telemetry: noTelemetry() }).text(status);
  expect(samples(text).get('sluice_build_info{version="1.2.3"}')).toBe(1);
});

test('counts what became of the route file, and when it last could be used', async () => {
  const metrics = new Metrics({ version: '1', telemetry: noTelemetry() });
  const none = samples(await metrics.text(status));
  expect(none.get('sluice_route_file_reloads_total{result="failure"}')).toBe(0);
  metrics.recordRouteFile({ kind: 'ready' }, 1_700_000_000_500);
  metrics.recordRouteFile({ kind: 'stale' }, 1_700_000_001_000);
  metrics.recordRouteFile({ kind: 'pending' }, 1_700_000_002_000);
  const some = samples(await metrics.text(status));
  expect(some.get('sluice_route_file_reloads_total{result="success"}')).toBe(1);
  expect(some.get('sluice_route_file_reloads_total{result="failure"}')).toBe(2);
  expect(some.get('sluice_route_file_last_reload_success_timestamp_seconds')).toBe(1_700_000_000.5);
});

test('two control planes in one process do not share their numbers', async () => {
  const [first, second] = [
    new Metrics({ version: '1', telemetry: noTelemetry() }),
    new Metrics({ version: '2', telemetry: noTelemetry() }),
  ];
  first.recordRouteFile({ kind: 'ready' }, 0);
  expect(samples(await second.text(status)).get('sluice_route_file_reloads_total{result="success"}')).toBe(0);
});

test('tells of its process too', async () => {
  const text = await new Metrics({ version: '1', telemetry: noTelemetry() }).text(status);
  expect(samples(text).get('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
});

test('names follow the conventions: only counters end in _total, all have a help text, units are base units', async () => {
  const metrics = new Metrics({ version: '1', telemetry: noTelemetry() });
  const text = await metrics.text(status);
  expect(metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  expect(types.length).toBeGreaterThan(20);
  for (const [, name = '', type] of types) {
    expect(`${name} ${type}`).toMatch(
      type === 'counter' ? /_total counter$/ : /(?<!_total) (gauge|histogram|summary)$/,
    );
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|kb|mb)(_|$)/i);
    expect(text).toMatch(new RegExp(`^# HELP ${name} \\S.*$`, 'm'));
  }
});
