import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { fail, ok } from '../../../src/base/result.ts';
import type { HostStatus } from '../../../src/envoy/admin.ts';
import { followPodHealth, type OutHosts } from '../../../src/envoy/pod-health.ts';

const host = (number: number, isOut: boolean): HostStatus => ({ address: `10.0.0.${number}`, port: 80, isOut });

/** An admin whose Envoy has these gauges and hosts; `ticks` looks again so often. */
function follow() {
  const clock = new FakeClock();
  const envoy = {
    stats: new Map<string, number>() as ReadonlyMap<string, number> | undefined,
    hosts: new Map<string, readonly HostStatus[]>(),
    asked: [] as string[],
  };
  const admin = {
    stats: async () => (envoy.stats === undefined ? fail('nothing listens there') : ok(envoy.stats)),
    hosts: async (filter: string) => {
      envoy.asked.push(filter);
      const found = [...envoy.hosts].filter(([name]) => new RegExp(filter).test(name));
      return ok(new Map(found));
    },
  };
  const told: OutHosts[] = [];
  const stopping = new AbortController();
  const onChange = (out: OutHosts) => void told.push(out);
  const running = followPodHealth({ admin, clock, intervalMs: 200, onChange }, stopping.signal);
  const look = async (times = 1) => {
    for (let count = 0; count < times; count += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(200);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const stop = async () => {
    stopping.abort();
    await running;
  };
  return { envoy, told, look, stop };
}

const gauges = (healthy: number, ejected: number) =>
  new Map([
    ['cluster.pods/a.b.membership_healthy', healthy],
    ['cluster.pods/a.b.outlier_detection.ejections_active', ejected],
  ]);

test('hosts are asked about only where a gauge says so, and only changes are told', async () => {
  const { envoy, told, look, stop } = follow();
  envoy.stats = gauges(2, 0);
  envoy.hosts.set('pods/a.b@123456', [host(1, false), host(2, false)]);
  envoy.hosts.set('pods/axb', [host(3, true)]);
  await look(3);
  // The first look knows nothing yet.
  expect(envoy.asked.length).toBe(1);
  expect(told).toEqual([]);

  envoy.stats = gauges(1, 1);
  envoy.hosts.set('pods/a.b@123456', [host(1, false), host(2, true)]);
  await look(3);
  expect(told).toEqual([new Map([['pods/a.b@123456', [host(2, true)]]])]);

  envoy.stats = gauges(2, 0);
  envoy.hosts.set('pods/a.b@123456', [host(1, false), host(2, false)]);
  await look(2);
  expect(told.slice(1)).toEqual([new Map()]);
  const { length } = envoy.asked;
  await look(3);
  expect(envoy.asked.length).toBe(length);
  await stop();
});

test('a health check that fails moves the other gauge only', async () => {
  const { envoy, told, look, stop } = follow();
  envoy.stats = gauges(2, 0);
  await look(2);
  envoy.stats = gauges(1, 0);
  envoy.hosts.set('pods/a.b', [host(1, true), host(2, false)]);
  await look(5);
  expect(told).toEqual([new Map([['pods/a.b', [host(1, true)]]])]);
  await stop();
});

test('an Envoy that is silent for a moment keeps what was known, one that stays silent does not', async () => {
  const { envoy, told, look, stop } = follow();
  envoy.stats = gauges(1, 1);
  envoy.hosts.set('pods/a.b', [host(1, true)]);
  await look(2);
  expect(told.length).toBe(1);
  envoy.stats = undefined;
  await look(20);
  expect(told.length).toBe(1);
  await look(10);
  expect(told.slice(1)).toEqual([new Map()]);
  await stop();
});
