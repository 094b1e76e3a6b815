import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { emptySnapshot } from '../../../src/snapshot/snapshot.ts';
import type { ConnectedNode } from '../../../src/status/describe.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import { observe } from '../../../src/status/observe.ts';
import { Traffic } from '../../../src/telemetry/traffic.ts';
import { exampleInput, exampleNode, NOW } from './example.ts';
import { samples } from './exposition.ts';

function start() {
  const clock = new FakeClock(NOW);
  const cache = new SnapshotCache();
  const metrics = new Metrics({ version: '1.2.3' });
  const input = exampleInput();
  const now: { nodes: readonly ConnectedNode[] } = { nodes: [] };
  let waits = 0;
  const observation = observe({
    version: '1.2.3',
    routeFile: { path: 'routes.yaml', source: { state: () => input.routeFile.state } },
    pods: { pods: input.podsOf },
    controller: { state: () => input, loads: () => input.loads },
    cache,
    server: {
      nodes: () => now.nodes,
      waitForAck: async () => {
        waits++;
        return 'acked';
      },
    },
    metrics,
    traffic: new Traffic(clock, metrics.traffic),
    statisticsFrom: undefined,
    clock,
  });
  const converged = async () =>
    samples(await metrics.text(observation.status())).get('sluice_xds_convergence_seconds_count');
  return { clock, cache, now, observation, converged, waits: () => waits };
}

test('tells what the parts say at the moment, and when what was published', async () => {
  const { clock, cache, observation, converged } = start();
  expect(observation.status()).toMatchObject({ startedAt: '2026-01-02T03:04:05.000Z', nodes: [] });
  expect(observation.status()).not.toHaveProperty('configuration');
  await clock.advance(1000);
  cache.set({ ...emptySnapshot, version: 'first' });
  await clock.advance(2000);
  expect(observation.status()).toMatchObject({
    version: '1.2.3',
    startedAt: '2026-01-02T03:04:05.000Z',
    at: '2026-01-02T03:04:08.000Z',
    configuration: { version: 'first', publishedAt: '2026-01-02T03:04:06.000Z' },
    services: [{ name: 'codec' }, { name: 'web' }],
  });
  expect(await converged()).toBe(1);
});

test('is ready from when an Envoy has everything, and stays so', () => {
  const { now, observation, cache } = start();
  cache.set(emptySnapshot);
  expect(observation.ready()).toEqual({ ready: false, reasons: ['no Envoy is connected'] });
  now.nodes = [exampleNode()];
  expect(observation.ready()).toEqual({ ready: true });
  now.nodes = [];
  expect(observation.ready()).toEqual({ ready: true });
});

test('stops looking', () => {
  const { cache, observation, waits } = start();
  observation.stop();
  cache.set(emptySnapshot);
  expect(waits()).toBe(0);
  expect(observation.status()).not.toHaveProperty('configuration');
});
