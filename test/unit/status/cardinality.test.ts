import { expect, test } from 'vitest';
import { Metrics } from '../../../src/status/metrics.ts';
import type { ServiceStatus, Status } from '../../../src/status/status.ts';
import type { Telemetry } from '../../../src/telemetry/telemetry.ts';
import { durations, hello, memberAt, NO_COUNTS, report, serviceReport } from '../telemetry/reports.ts';
import { NOW, noTelemetry } from './example.ts';
import { samples } from './exposition.ts';

const PODS = 10;
const member = memberAt(NOW + 1);

function service(name: string, generation: number): ServiceStatus {
  const pods = Array.from({ length: PODS }, (_, pod) => ({
    address: `10.0.${generation}.${pod}:80`,
    state: 'ready' as const,
    inUse: 1,
    limit: 1,
  }));
  const source = { kind: 'kubernetes', target: 'x', state: 'ready', problems: [] } as const;
  const quantiles = { p50: 1, p99: 2 };
  const lastMinute = { ...NO_COUNTS, waitMs: quantiles, workMs: quantiles, mostWaiting: 4, mostInUse: PODS };
  return {
    kind: 'limited',
    name,
    protocol: 'http1',
    active: true,
    limit: 1,
    slots: PODS,
    queue: { max: 9, timeoutMs: 0 },
    pods,
    source,
    inUse: PODS,
    waiting: 3,
    oldestWaitMs: 900,
    desiredPods: 13,
    traffic: { total: NO_COUNTS, lastMinute },
  };
}

function status(services: readonly ServiceStatus[]): Status {
  const at = '2026-01-02T03:04:05.000Z';
  const routeFile = { path: 'r', state: 'ready', problems: [] } as const;
  const none = { listeners: [], routes: [], nodes: [], orders: [], problems: [], events: [] };
  return { version: '1', startedAt: at, at, routeFile, services, ...none };
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

function count(telemetry: Telemetry, all: readonly string[]): void {
  const took = { wait: durations(3, 70_000), work: durations(500) };
  telemetry.record(report(member, ...all.map((name) => serviceReport(name, { counts: { answered: 2 }, ...took }))));
}

test('1,000 services of 10 pods: one series a pod, fewer than 90 a service', async () => {
  const telemetry = noTelemetry();
  const metrics = new Metrics({ version: '1', telemetry });
  telemetry.record(hello(member));
  const all = names('service', 1000);
  count(telemetry, all);
  const text = await metrics.text(status(all.map((name) => service(name, 0))));
  const series = [...samples(text).keys()];
  expect(series.filter((one) => one.includes('pod=')).length).toBe(1000 * PODS);
  const perService = series.filter((one) => one.includes('service=') && !one.includes('pod=')).length / 1000;
  expect(perService).toBeGreaterThan(60);
  expect(perService).toBeLessThan(90);
  expect(series.length - 1000 * (PODS + perService)).toBeLessThan(500);
});

test('pods and services that come and go leave nothing: as many series after 100 generations as after one', async () => {
  const telemetry = noTelemetry();
  const metrics = new Metrics({ version: '1', telemetry });
  telemetry.record(hello(member));
  const read = async (generation: number) => {
    const all = names(`generation-${generation}`, 20);
    count(telemetry, all);
    const text = await metrics.text(status(all.map((name) => service(name, generation))));
    telemetry.rotate(new Map(all.map((name) => [name, 1])));
    return [...samples(text).keys()].filter((one) => one.includes('service=')).length;
  };
  const first = await read(0);
  for (let generation = 1; generation < 100; generation++) await read(generation);
  expect(await read(100)).toBe(first);
});
