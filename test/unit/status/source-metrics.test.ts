import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { SourceMetrics } from '../../../src/status/source-metrics.ts';
import { samples } from './exposition.ts';

test('counts what each source heard, from 0 on', async () => {
  const registry = new Registry();
  const metrics = new SourceMetrics(registry);
  const before = samples(await registry.metrics());
  expect(before.size).toBe(6);
  expect(new Set(before.values())).toEqual(new Set([0]));
  metrics.record('dns', 'failure');
  metrics.record('dns', 'failure');
  metrics.record('kubernetes', 'change');
  const after = samples(await registry.metrics());
  expect(after.get('sluice_source_events_total{source="dns",event="failure"}')).toBe(2);
  expect(after.get('sluice_source_events_total{source="kubernetes",event="change"}')).toBe(1);
  expect(after.size).toBe(6);
});
