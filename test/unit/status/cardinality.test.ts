import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { ok } from '../../../src/base/result.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import type { ServiceStatus, Status } from '../../../src/status/status.ts';
import { OUTCOMES } from '../../../src/telemetry/counts.ts';
import type { RequestEvent } from '../../../src/telemetry/service-traffic.ts';
import { Traffic } from '../../../src/telemetry/traffic.ts';
import { samples } from './exposition.ts';

const PODS = 10;

function service(name: string, generation: number): ServiceStatus {
  const pods = Array.from({ length: PODS }, (_, pod) => ({
    address: `10.0.${generation}.${pod}:80`,
    state: 'ready' as const,
    requestsInProgress: 1,
  }));
  const source = { kind: 'kubernetes', target: 'x', state: 'ready', problems: [] } as const;
  const known = { requestsInProgress: PODS, waiting: 3, oldestWaitMs: 900, ejected: 0, retried: 0, desiredPods: 13 };
  const queue = { max: 9, timeoutMs: 0 };
  return {
    kind: 'limited',
    name,
    protocol: 'http1',
    inForce: true,
    limit: 1,
    slots: PODS,
    queue,
    pods,
    source,
    ...known,
  };
}

function status(services: readonly ServiceStatus[]): Status {
  const at = '2026-01-02T03:04:05.000Z';
  const routeFile = { path: 'r', state: 'ready', problems: [] } as const;
  return { version: '1', startedAt: at, at, routeFile, services, nodes: [], problems: [] };
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

function ended(service: string, index: number): Extract<RequestEvent, { kind: 'ended' }> {
  const outcome = OUTCOMES[index % OUTCOMES.length] ?? 'answered';
  const took = { startedAt: 0, waitMs: index, durationMs: 2 * index };
  return { kind: 'ended', service, id: `${index}`, ...took, outcome, standsFor: 1 };
}

test('1,000 services of 10 pods: one series a pod, fewer than 60 a service', async () => {
  const metrics = new Metrics({ version: '1' });
  const all = names('service', 1000);
  for (const name of all) for (let index = 0; index < 20; index++) metrics.traffic.ended(ended(name, index));
  const text = await metrics.text(status(all.map((name) => service(name, 0))));
  const series = [...samples(text).keys()];
  expect(series.filter((one) => one.includes('pod=')).length).toBe(1000 * PODS);
  const perService = series.filter((one) => one.includes('service=') && !one.includes('pod=')).length / 1000;
  expect(perService).toBeGreaterThan(30);
  expect(perService).toBeLessThan(60);
  expect(series.length - 1000 * (PODS + perService)).toBeLessThan(500);
});

test('pods and services that come and go leave nothing: as many series after 100 generations as after one', async () => {
  const metrics = new Metrics({ version: '1' });
  const count = async (generation: number) => {
    const all = names(`generation-${generation}`, 20);
    for (const name of all) metrics.traffic.ended(ended(name, 0));
    const text = await metrics.text(status(all.map((name) => service(name, generation))));
    return [...samples(text).keys()].filter((one) => one.includes('service=')).length;
  };
  const first = await count(0);
  for (let generation = 1; generation < 100; generation++) await count(generation);
  expect(await count(100)).toBe(first);
});

test('names that Envoy makes up are forgotten, whether or not anybody asks for the metrics', async () => {
  const clock = new FakeClock();
  const metrics = new Metrics({ version: '1' });
  const traffic = new Traffic(clock, metrics.traffic);
  traffic.opened(1);
  const now = [service('codec', 0)];
  for (let slice = 0; slice < 50; slice++) {
    traffic.record(
      ['codec', ...names(`made-up-${slice}`, 100)].map((name) => ended(name, 0)),
      1,
    );
    traffic.rotate([{ name: 'codec', inUse: 1, waiting: 0 }]);
    metrics.keep(status(now));
    await clock.advance(5000);
  }
  expect(traffic.services).toEqual(['codec']);
  const text = await metrics.text(status(now));
  expect(text).not.toContain('made-up');
});

test('who waits is kept in mind up to a bound, however many Envoy tells of', () => {
  const traffic = new Traffic(new FakeClock(), new Metrics({ version: '1' }).traffic);
  traffic.opened(1);
  const waits = (from: number): RequestEvent[] =>
    Array.from({ length: 50_000 }, (_, index) => ({
      kind: 'waits',
      service: 'codec',
      id: `${from + index}`,
      startedAt: 0,
    }));
  for (let batch = 0; batch < 10; batch++) traffic.record(waits(batch * 50_000), 1);
  expect(traffic.waiting).toBe(200_000);
  traffic.recordLines(ok(new Map()));
  expect(traffic.waiting).toBe(0);
});
