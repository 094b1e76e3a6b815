// node bench/kube-control-plane.ts [SERVICES] [PODS] (npm run bench:kube): what `sluice serve` needs with many pods,
// with a real API server and a real Envoy: time to the first full configuration, memory, and CPU for one changed slice.
// Ends with 1 when a bound is broken; the bounds are for 500 Services of 20 pods.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { envoyBootstrap } from '../src/envoy/bootstrap.ts';
import { startEnvoy, type TestEnvoy } from '../test/e2e/kit/envoy.ts';
import { instant, pause, until } from '../test/e2e/kit/instant.ts';
import { freePorts } from '../test/e2e/kit/ports.ts';
import { SluiceProcess } from '../test/e2e/kit/sluice-process.ts';
import { TestCluster } from '../test/kube/kit/cluster.ts';
import { TestNamespace } from '../test/kube/kit/namespace.ts';
import { changeSlice, fill } from './kube-slices.ts';

/** The first of these warm the process up, which runs for months; the second are measured. */
const CHANGES = 100;
/** Between two changes, so that each is published by itself. */
const GAP_MS = 150;
const IDLE_MS = 10_000;
/** As the image has it: without it the young generation alone, which grows with what is made and forgotten, takes 100 MB. */
const NODE_OPTIONS = '--max-semi-space-size=8';
/** What must not be exceeded. */
const BOUNDS = { firstMs: 5000, residentMb: 300, cpuMsPerChange: 10 };

/** A route file with `services` services, all with a limit, each with a route of its own. */
function routeFile(namespace: string, services: number, port: number): string {
  const names = Array.from({ length: services }, (_, service) => `service-${service}`);
  const one = (service: string) => ({ kubernetes: { namespace, service, port: 80 }, limit: 2, queue: { max: 100 } });
  return stringify({
    version: 1,
    listen: { address: '127.0.0.1', port },
    services: Object.fromEntries(names.map((name) => [name, one(name)])),
    routes: names.map((service) => ({ match: { path: `/${service}` }, service })),
  });
}

/** CPU time of a process since its start, in milliseconds (Linux counts in steps of 10). */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field, in brackets, may have blanks; user and system time are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process now (`VmRSS`) or at its highest (`VmHWM`), in MB. */
function memoryMb(pid: number, key: 'VmRSS' | 'VmHWM'): number {
  const kib = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round((Number(kib) * 1024) / 1e6);
}

/** Waits until Sluice says that Envoy has acknowledged everything, and Envoy that it takes requests. */
async function untilFull(admin: string, envoy: TestEnvoy, services: number): Promise<void> {
  const acked = async () => (await fetch(`${admin}/readyz`)).ok;
  await until(acked, { what: 'Sluice to be ready', within: 60_000, every: 20 });
  const live = async () => {
    const state = await envoy.admin.state();
    return state.ok && state.value === 'LIVE';
  };
  await until(live, { what: 'Envoy to be live', within: 60_000 });
  const stats = await envoy.admin.stats({ filter: '^cluster_manager\\.active_clusters$' });
  const clusters = stats.ok ? (stats.value.get('cluster_manager.active_clusters') ?? 0) : 0;
  if (clusters < services) throw new Error(`Envoy has ${clusters} clusters for ${services} services`);
}

/** Makes changes with the numbers from `first` on, each by itself, and waits for what comes after them. */
async function makeChanges(space: TestNamespace, size: { services: number; pods: number }, first: number) {
  for (let change = first; change < first + CHANGES; change++) {
    await changeSlice(space, { ...size, change });
    await pause(GAP_MS);
  }
  // A pod that has gone is kept until Envoy reports that it is idle.
  await pause(2000);
}

/** How often Envoy has taken endpoints so far. */
async function endpointsAcked(admin: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const line = /^sluice_xds_acks_total\{[^}]*ClusterLoadAssignment[^}]*\} (\d+)/m.exec(text);
  return Number(line?.[1] ?? 0);
}

/** CPU for one change above what the process uses anyway, and how often it published. */
async function measureChanges(
  { pid = 0, admin }: { pid: number | undefined; admin: string },
  space: TestNamespace,
  size: { services: number; pods: number },
) {
  await makeChanges(space, size, 0);
  // What was made for the changes is collected for a while.
  await pause(IDLE_MS);
  const idleFrom = cpuMs(pid);
  await pause(IDLE_MS);
  const idlePerMs = (cpuMs(pid) - idleFrom) / IDLE_MS;
  const [began, before, acked] = [instant(), cpuMs(pid), await endpointsAcked(admin)];
  await makeChanges(space, size, CHANGES);
  const [took, used] = [instant() - began, cpuMs(pid) - before];
  const published = (await endpointsAcked(admin)) - acked;
  if (published === 0) throw new Error('the changes changed nothing');
  return { cpuMsPerChange: (used - idlePerMs * took) / CHANGES, idleShare: idlePerMs, published };
}

async function bench(services: number, pods: number): Promise<boolean> {
  const cluster = await TestCluster.start();
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const ends: (() => Promise<unknown>)[] = [() => cluster.stop()];
  try {
    const space = await TestNamespace.make(cluster);
    console.log(`making ${services} Services with ${pods} pods each …`);
    await fill(space, services, pods);
    const [port = 0, xds = 0] = await freePorts(2);
    const routes = join(folder, 'routes.yaml');
    writeFileSync(routes, routeFile(space.name, services, port));
    const began = instant();
    const where = ['--xds', `127.0.0.1:${xds}`, '--admin', '127.0.0.1:0'];
    const sluice = new SluiceProcess(['serve', '--routes', routes, ...where], {
      KUBECONFIG: cluster.kubeconfig(),
      NODE_OPTIONS,
    });
    ends.push(() => sluice.end());
    const serving = await sluice.logged('it serves', ({ msg }) => msg === 'serving');
    const address = { kind: 'tcp', host: '127.0.0.1', port: xds } as const;
    const admin = { host: '127.0.0.1', port: 0 };
    const envoy = await startEnvoy(envoyBootstrap({ nodeId: 'envoy', nodeCluster: 'bench', xds: address, admin }));
    ends.push(() => envoy.stop());
    const adminUrl = String(serving.fields['admin']);
    await untilFull(adminUrl, envoy, services);
    const firstMs = Math.round(instant() - began);
    const pid = sluice.pid ?? 0;
    const firstMb = memoryMb(pid, 'VmRSS');
    const changed = await measureChanges({ pid: sluice.pid, admin: adminUrl }, space, { services, pods });
    const residentMb = memoryMb(pid, 'VmHWM');
    const cpu = changed.cpuMsPerChange.toFixed(2);
    console.log(`first full configuration, acknowledged by Envoy, from the start of the process: ${firstMs} ms`);
    console.log(`resident: ${firstMb} MB then, ${memoryMb(pid, 'VmRSS')} MB at the end, ${residentMb} MB at most`);
    console.log(
      `CPU for one changed slice: ${cpu} ms (${changed.published} times Envoy took endpoints for ${CHANGES} changes)`,
    );
    console.log(`CPU without any change: ${(changed.idleShare * 100).toFixed(1)} % of one core`);
    const { cpuMsPerChange } = changed;
    return firstMs < BOUNDS.firstMs && residentMb < BOUNDS.residentMb && cpuMsPerChange < BOUNDS.cpuMsPerChange;
  } finally {
    for (const end of ends.reverse()) await end();
    rmSync(folder, { recursive: true });
  }
}

const [services = '500', pods = '20'] = process.argv.slice(2);
if (!(await bench(Number(services), Number(pods)))) {
  console.error('a bound is broken:', BOUNDS);
  process.exitCode = 1;
}
