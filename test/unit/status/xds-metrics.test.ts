import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { XdsMetrics } from '../../../src/status/xds-metrics.ts';
import type { XdsEvent } from '../../../src/xds/protocol/event.ts';
import { samples } from './exposition.ts';

const stream = { stream: 1, node: { id: 'edge-1', cluster: '', metadata: {} }, peer: '127.0.0.1:1' };
const { cluster } = TYPE_URLS;

function metrics() {
  const registry = new Registry();
  return { own: new XdsMetrics(registry), read: async () => samples(await registry.metrics()) };
}

test('every type starts at 0, so that the first event is a change', async () => {
  const now = await metrics().read();
  for (const name of ['pushes_total', 'acks_total', 'nacks_total', 'push_bytes_count'])
    for (const type of [
      'Cluster',
      'ClusterLoadAssignment',
      'Listener',
      'RouteConfiguration',
      'Secret',
      'TypedExtensionConfig',
    ])
      expect(now.get(`sluice_xds_${name}{type="${type}"}`), `${name} ${type}`).toBe(0);
});

test('counts the events of the xDS server', async () => {
  const { own, read } = metrics();
  const events: readonly XdsEvent[] = [
    { ...stream, kind: 'connected', delta: true, service: 'x', returning: false, userAgent: 'envoy 1.40.0' },
    { ...stream, kind: 'sent', typeUrl: cluster, version: '1', resources: ['a'], removed: [], bytes: 300 },
    { ...stream, kind: 'sent', typeUrl: cluster, version: '2', resources: ['a'], removed: [], bytes: 5_000_000 },
    { ...stream, kind: 'acked', typeUrl: cluster, version: '1', resources: ['a'] },
    { ...stream, kind: 'nacked', typeUrl: cluster, version: '2', resources: ['a'], message: 'no' },
    { ...stream, kind: 'limited', requestsPerSecond: 1 },
    { ...stream, kind: 'disconnected', reason: 'x' },
  ];
  for (const event of events) own.record(event);
  const now = await read();
  expect(now.get('sluice_xds_pushes_total{type="Cluster"}')).toBe(2);
  expect(now.get('sluice_xds_acks_total{type="Cluster"}')).toBe(1);
  expect(now.get('sluice_xds_nacks_total{type="Cluster"}')).toBe(1);
  expect(now.get('sluice_xds_push_bytes_sum{type="Cluster"}')).toBe(5_000_300);
  expect(now.get('sluice_xds_push_bytes_bucket{le="256",type="Cluster"}')).toBe(0);
  expect(now.get('sluice_xds_push_bytes_bucket{le="1024",type="Cluster"}')).toBe(1);
  expect(now.get('sluice_xds_push_bytes_bucket{le="4194304",type="Cluster"}')).toBe(1);
  expect(now.get('sluice_xds_pushes_total{type="Listener"}')).toBe(0);
});

test('types that a client makes up share one label', async () => {
  const { own, read } = metrics();
  const before = (await read()).size;
  for (let i = 0; i < 100; i++) own.record({ kind: 'acked', typeUrl: `type.googleapis.com/made.up.Type${i}` });
  const now = await read();
  expect(now.get('sluice_xds_acks_total{type="other"}')).toBe(100);
  expect(now.size).toBe(before + 1);
});

test('convergence in seconds; an endless wait is above every bucket', async () => {
  const { own, read } = metrics();
  own.recordConvergence(0.02);
  own.recordConvergence(300);
  const now = await read();
  expect(now.get('sluice_xds_convergence_seconds_bucket{le="0.01"}')).toBe(0);
  expect(now.get('sluice_xds_convergence_seconds_bucket{le="0.025"}')).toBe(1);
  expect(now.get('sluice_xds_convergence_seconds_bucket{le="60"}')).toBe(1);
  expect(now.get('sluice_xds_convergence_seconds_count')).toBe(2);
});
