import { instant, pause, until } from '../../../test/e2e/kit/instant.ts';
import { Sluice } from '../../../test/e2e/kit/sluice.ts';
import { rounded } from '../measures/distribution.ts';
import type { Growth, GrowthResult } from '../results.ts';
import { type Cost, cpuOf, difference, memoryOf } from './process-cost.ts';

const PODS = 10;
const IDLE_MS = 3000;

/** Measures what Sluice and its Envoy cost with 10, 100 and, unless `quick`, 1,000 services that have no traffic. */
export async function measureGrowth(quick: boolean, say: (line: string) => void): Promise<GrowthResult> {
  const sizes: Growth[] = [];
  for (const services of quick ? [10, 100] : [10, 100, 1000]) {
    say(`  ${services} services of ${PODS} pods`);
    sizes.push(await grown(services));
  }
  return { date: new Date().toISOString(), quick, podsPerService: PODS, sizes };
}

async function grown(services: number): Promise<Growth> {
  const began = instant();
  const sluice = await Sluice.start({ routes: routesWith(services), logLevel: 'info' });
  try {
    const processes = { proxy: [sluice.envoy.pid], controlPlane: [sluice.process.pid ?? 0] };
    await until(() => hasAll(sluice, services), { what: `all ${services} services in Envoy`, within: 60_000 });
    const readyMs = rounded(instant() - began);
    const cpuMs = cpuOf(processes);
    // What was needed to begin is collected and sent for a moment longer.
    await pause(4000);
    const before = cpuOf(processes);
    await pause(IDLE_MS);
    const idle = difference(cpuOf(processes), before);
    return { services, readyMs, cpuMs, residentMb: memoryOf(processes), idleShare: perMs(idle) };
  } finally {
    await sluice.stop();
  }
}

async function hasAll(sluice: Sluice, services: number): Promise<boolean> {
  const name = 'cluster_manager.active_clusters';
  const stats = await sluice.stats(`^${name.replaceAll('.', '\\.')}$`);
  const state = await sluice.envoy.admin.state();
  return state.ok && state.value === 'LIVE' && (stats.get(name) ?? 0) >= services;
}

function perMs({ proxy, controlPlane }: Cost): Cost {
  return { proxy: rounded(proxy / IDLE_MS), controlPlane: rounded(controlPlane / IDLE_MS) };
}

function routesWith(services: number) {
  const names = Array.from({ length: services }, (_, index) => `service-${index}`);
  const pods = (index: number) =>
    Array.from({ length: PODS }, (_, pod) => `127.${1 + (index >> 8)}.${index & 255}.${pod + 1}:9000`);
  return {
    services: Object.fromEntries(names.map((name, index) => [name, { static: pods(index), limit: 2 }])),
    routes: names.map((service) => ({ match: { prefix: `/${service}/` }, service })),
  };
}
