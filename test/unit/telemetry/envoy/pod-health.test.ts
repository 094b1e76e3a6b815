import { expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { fail, ok } from '../../../../src/base/result.ts';
import type { HostStatus } from '../../../../src/envoy/admin.ts';
import { type OutHosts, PodHealth } from '../../../../src/telemetry/envoy/pod-health.ts';

const host = (number: number, isOut: boolean): HostStatus => ({ address: `10.0.0.${number}`, port: 80, isOut });

/** An admin whose Envoy has these hosts, and whoever asks it. */
function follow() {
  const clock = new FakeClock();
  const envoy = {
    hosts: new Map<string, readonly HostStatus[]>(),
    silent: false,
    /** How long an answer takes. */
    takes: 0,
    asked: [] as string[],
  };
  const admin = {
    hosts: async (filter: string) => {
      envoy.asked.push(filter);
      if (envoy.takes > 0) await new Promise<void>((resolve) => clock.after(envoy.takes, resolve));
      if (envoy.silent) return fail('nothing listens there');
      return ok(new Map([...envoy.hosts].filter(([name]) => new RegExp(filter).test(name))));
    },
  };
  const told: OutHosts[] = [];
  const health = new PodHealth({ admin, clock, onChange: (out) => void told.push(out) });
  const stopping = new AbortController();
  const running = health.run(stopping.signal);
  const stop = async () => {
    stopping.abort();
    await running;
  };
  return { clock, envoy, health, told, stop };
}

const gauges = (healthy: number, ejected: number) => new Map([['a.b', { healthy, ejected }]]);

test('nobody is asked without a hint, and a hint is followed at once', async () => {
  const { clock, envoy, health, told, stop } = follow();
  envoy.hosts.set('pods/a.b@123456', [host(1, false), host(2, true)]);
  envoy.hosts.set('pods/axb', [host(3, true)]);
  await clock.advance(60_000);
  expect(envoy.asked).toEqual([]);
  health.suspect('a.b');
  await clock.advance(0);
  expect(told).toEqual([new Map([['pods/a.b@123456', [host(2, true)]]])]);
  await stop();
});

test('who is out is looked at until it is back, and then no more', async () => {
  const { clock, envoy, health, told, stop } = follow();
  envoy.hosts.set('pods/a.b', [host(1, true)]);
  health.suspect('a.b');
  await clock.advance(10_000);
  expect(told).toHaveLength(1);
  // Five times a second.
  expect(envoy.asked).toHaveLength(51);
  envoy.hosts.set('pods/a.b', [host(1, false)]);
  await clock.advance(200);
  expect(told.slice(1)).toEqual([new Map()]);
  await clock.advance(200);
  const { length } = envoy.asked;
  await clock.advance(10_000);
  expect(envoy.asked).toHaveLength(length);
  await stop();
});

test('a pod that is out a moment after the hint is seen; many hints are few questions', async () => {
  const { clock, envoy, health, told, stop } = follow();
  envoy.hosts.set('pods/a.b', [host(1, false)]);
  for (let ms = 0; ms < 500; ms++) {
    health.suspect('a.b');
    if (ms === 300) envoy.hosts.set('pods/a.b', [host(1, true)]);
    await clock.advance(1);
  }
  expect(told).toHaveLength(1);
  expect(envoy.asked.length).toBeLessThanOrEqual(11);
  envoy.hosts.set('pods/a.b', [host(1, false)]);
  await clock.advance(5000);
  expect(told.slice(1)).toEqual([new Map()]);
  await stop();
});

test('answers that take long are asked for less often', async () => {
  const { clock, envoy, health, stop } = follow();
  envoy.hosts.set('pods/a.b', [host(1, true)]);
  envoy.takes = 50;
  health.suspect('a.b');
  await clock.advance(10_000);
  expect(envoy.asked.length).toBeLessThan(12);
  await stop();
});

test('gauges that have moved are a hint as well, such as by a failed health check', async () => {
  const { clock, envoy, health, told, stop } = follow();
  envoy.hosts.set('pods/a.b', [host(1, false), host(2, false)]);
  health.compare(gauges(2, 0));
  await clock.advance(1000);
  // The first look knows nothing yet.
  expect(envoy.asked).toHaveLength(1);
  health.compare(gauges(2, 0));
  await clock.advance(1000);
  expect(envoy.asked).toHaveLength(1);
  envoy.hosts.set('pods/a.b', [host(1, true), host(2, false)]);
  health.compare(gauges(1, 0));
  await clock.advance(0);
  expect(told).toEqual([new Map([['pods/a.b', [host(1, true)]]])]);
  await stop();
});

test('an Envoy that is silent for a moment keeps what was known, one that stays silent does not', async () => {
  const { clock, envoy, health, told, stop } = follow();
  envoy.hosts.set('pods/a.b', [host(1, true)]);
  health.suspect('a.b');
  await clock.advance(500);
  expect(told).toHaveLength(1);
  envoy.silent = true;
  await clock.advance(4000);
  expect(told).toHaveLength(1);
  await clock.advance(2000);
  expect(told.slice(1)).toEqual([new Map()]);
  await stop();
});

test('ends at once, whatever it waits for', async () => {
  const idle = follow();
  await idle.clock.advance(10);
  await idle.stop();
  const busy = follow();
  busy.envoy.hosts.set('pods/a.b', [host(1, true)]);
  busy.health.suspect('a.b');
  await busy.clock.advance(120);
  await busy.stop();
});
