import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import type { Model } from '../../../src/model/model.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { emptySnapshot } from '../../../src/snapshot/snapshot.ts';
import type { ConnectedNode } from '../../../src/status/describe-node.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import { observe } from '../../../src/status/observe.ts';
import { Telemetry } from '../../../src/telemetry/telemetry.ts';
import { CODEC_PODS, exampleInput, exampleNode, NOW } from './example.ts';
import { samples } from './exposition.ts';

function start() {
  const clock = new FakeClock(NOW);
  const cache = new SnapshotCache();
  const telemetry = new Telemetry(clock);
  const metrics = new Metrics({ version: '1.2.3', telemetry });
  const input = exampleInput();
  const now: { nodes: readonly ConnectedNode[]; model: Model | undefined } = { nodes: [], model: input.model };
  let waits = 0;
  const observation = observe({
    version: '1.2.3',
    routeFile: { path: 'routes.yaml', source: { state: () => input.routeFile.state } },
    pods: { pods: input.podsOf },
    controller: { state: () => ({ model: now.model, problems: [] }) },
    cache,
    server: {
      nodes: () => now.nodes,
      waitForAck: async () => {
        waits++;
        return 'acked';
      },
    },
    metrics,
    telemetry,
    isFilterOff: () => false,
    overrides: () => input.overrides,
    sharing: { state: () => input.sharing },
    clock,
  });
  const converged = async () =>
    samples(await metrics.text(observation.status())).get('sluice_xds_convergence_seconds_count');
  return { clock, cache, now, telemetry, observation, converged, waits: () => waits };
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

test('tells what an edit changes, and pods that begin to drain, once', () => {
  const { now, cache, telemetry } = start();
  const told = () => telemetry.events().map(({ kind, service, pod, message }) => ({ kind, service, pod, message }));
  cache.set({ ...emptySnapshot, version: 'first' });
  expect(told()).toEqual([]);
  const { model } = now;
  if (model === undefined) throw new Error('the example has a model');
  cache.set({ ...emptySnapshot, version: 'same' });
  expect(told()).toEqual([]);
  const services = model.services.map((one) =>
    one.service.name === 'codec' ? { ...one, pods: CODEC_PODS.slice(1) } : one,
  );
  now.model = { ...model, services };
  cache.set({ ...emptySnapshot, version: 'second' });
  cache.set({ ...emptySnapshot, version: 'third' });
  const message = 'gets no new request and finishes what it has';
  expect(told()).toEqual([{ kind: 'pod draining', service: 'codec', pod: '10.0.0.1:80', message }]);
});
