// What one real Envoy with many services costs: npm run bench:xds-envoy [SERVICES]. Prints, and judges nothing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { systemClock } from '../src/base/clock.ts';
import { makeLogger } from '../src/base/log.ts';
import { Controller } from '../src/control-plane/controller.ts';
import { EventQueue } from '../src/control-plane/events.ts';
import { loadFilter } from '../src/control-plane/filter-code.ts';
import { ModelSnapshots } from '../src/control-plane/model-snapshots.ts';
import { Rollouts } from '../src/control-plane/rollouts.ts';
import type { PodSource } from '../src/endpoints/pod-source.ts';
import { envoyBootstrap } from '../src/envoy/bootstrap.ts';
import { formatAddress } from '../src/model/locator.ts';
import { NO_OVERRIDES } from '../src/model/overrides.ts';
import type { Pod } from '../src/model/pod.ts';
import type { Routing } from '../src/model/routing.ts';
import type { Source } from '../src/model/source.ts';
import { Envoys } from '../src/nodes/envoys.ts';
import { RouteFileSource } from '../src/routes/file/watch.ts';
import type { SlotsEvent } from '../src/slots/events.ts';
import { SlotsServer } from '../src/slots/server.ts';
import { SnapshotCache } from '../src/snapshot/cache.ts';
import { XdsServer } from '../src/xds/server/server.ts';
import { startEnvoy } from '../test/e2e/kit/envoy.ts';
import { freePorts } from '../test/e2e/kit/ports.ts';
import { SluiceProcess } from '../test/e2e/kit/sluice-process.ts';

const SERVICES = Number(process.argv[2] ?? 1000);
const PODS = 10;
const CHANGES = 100;

const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
const file = join(folder, 'routes.yaml');

function pods(service: number, count: number): readonly Pod[] {
  return Array.from({ length: count }, (_, pod): Pod => {
    return { ip: `127.${1 + (service >> 8)}.${service & 255}.${pod + 1}`, port: 9000, state: 'ready' };
  });
}

async function writeRoutes(port: number): Promise<void> {
  const names = Array.from({ length: SERVICES }, (_, index) => `service-${index}`);
  const services = names.map((name, index) => [name, { static: pods(index, PODS).map(formatAddress), limit: 2 }]);
  const routes = names.map((service) => ({ match: { prefix: `/${service}` }, service }));
  const listen = { address: '127.0.0.1', port };
  await writeFile(file, stringify({ version: 1, listen, services: Object.fromEntries(services), routes }));
}

function bootstrap(port: number) {
  const xds = { kind: 'tcp', host: '127.0.0.1', port } as const;
  return envoyBootstrap({ nodeId: 'envoy', nodeCluster: 'bench', xds, admin: { host: '127.0.0.1', port: 0 } });
}

function percentile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1);
}

/** Everything an Envoy has once it is ready, at least: cluster and endpoints of each service. */
const EVERYTHING = SERVICES * 2;

/** From the start of the process `sluice serve` to the last ACK; Envoy is started at the same moment. */
async function start(): Promise<void> {
  const [traffic = 0, xds = 0] = await freePorts(2);
  await writeRoutes(traffic);
  const begin = performance.now();
  const args = ['serve', '--routes', file, '--xds', `127.0.0.1:${xds}`];
  const serve = new SluiceProcess([...args, '--admin', '127.0.0.1:0', '--log-level', 'debug']);
  const envoy = await startEnvoy(bootstrap(xds), 'warn', undefined, 1);
  const acked = new Set<string>();
  let read = 0;
  while (acked.size < EVERYTHING && performance.now() - begin < 60_000) {
    for (; read < serve.log.length; read++) {
      const { kind, typeUrl, resources } = serve.log[read]?.fields ?? {};
      if (kind === 'acked' && Array.isArray(resources)) for (const name of resources) acked.add(`${typeUrl} ${name}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const seconds = ((performance.now() - begin) / 1000).toFixed(2);
  console.log(
    `from the start of \`serve\` and Envoy to the last of ${acked.size} resources acknowledged: ${seconds} s`,
  );
  await Promise.all([envoy.stop(), serve.end()]);
}

/** From the moment a source tells of one pod more to the filter's word that it has it. */
async function changes(): Promise<void> {
  const [traffic = 0] = await freePorts(1);
  await writeRoutes(traffic);
  const log = makeLogger('warn');
  const clock = systemClock;
  const cache = new SnapshotCache();
  const events = new EventQueue();
  const heard: SlotsEvent[] = [];
  const routes: Source<Routing> & { load(): Promise<unknown> } = new RouteFileSource({ path: file, env: {}, clock });
  await routes.load();
  const slots = new SlotsServer({
    clock,
    onEvent: (event) => {
      heard.push(event);
      events.post({ kind: 'slots', event });
    },
  });
  const server = new XdsServer({
    addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    cache,
    onEvent: (event) => {
      envoys.record(event);
      events.post({ kind: 'xds', event });
    },
    extraServices: [slots],
  });
  const envoys = new Envoys({
    clock,
    hasFilter: () => true,
    hasOthers: () => false,
    ask: () => false,
    drop: () => {},
    changed: (nodes) => events.post({ kind: 'ownership', nodes }),
  });
  let changed = () => {};
  const known = new Map(
    Array.from({ length: SERVICES }, (_, index) => [formatAddress(pods(index, 1)[0] as Pod), pods(index, PODS)]),
  );
  const source: PodSource = {
    name: 'made up',
    want: () => {},
    pods: (locator) => {
      const [first] = locator.kind === 'static' ? locator.addresses : [];
      return { kind: 'ready', value: known.get(first === undefined ? '' : formatAddress(first)) ?? [], problems: [] };
    },
    run: (signal, tell) => {
      changed = tell;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    },
  };
  const rollouts = new Rollouts({
    clock,
    envoys,
    holdings: (stream) => server.holdings(stream),
    slots,
    podsOf: (locator) => source.pods(locator),
    unhealthy: () => new Set(),
    takenByJobs: () => 0,
    snapshots: new ModelSnapshots({ filter: await loadFilter('on') }),
    changed: (node) => events.post({ kind: 'rollout', node }),
  });
  const controller = new Controller({
    events,
    routes,
    pods: source,
    envoys,
    // One Envoy has all slots.
    sharing: { follow: () => {}, recordJobs: () => {}, problems: () => [] },
    rollouts,
    checks: { follow: () => {}, stop: () => {} },
    jobs: { follow: () => {}, stop: () => {} },
    cache,
    overrides: () => NO_OVERRIDES,
    pending: { problems: () => [] },
    filterProblems: () => [],
    clock,
    log,
  });
  const started = await server.start();
  const address = started.ok ? started.value[0] : undefined;
  if (address?.kind !== 'tcp') throw new Error('not bound');
  const stopping = new AbortController();
  const running = controller.run(stopping.signal);
  const begun = performance.now();
  const envoy = await startEnvoy(bootstrap(address.port), 'warn', undefined, 1);
  const until = async (done: () => boolean) => {
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const acked = () => new Set(heard.flatMap((event) => (event.kind === 'acked' ? [...event.services] : [])));
  await until(() => acked().size >= SERVICES);
  console.log(`from Envoy's start to all known to its filter: ${((performance.now() - begun) / 1000).toFixed(2)} s`);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const times: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const service = (change * 37) % SERVICES;
    heard.length = 0;
    const [first] = pods(service, 1);
    known.set(formatAddress(first as Pod), pods(service, PODS + 1 + Math.floor(change / SERVICES)));
    const begin = performance.now();
    changed();
    await until(() => acked().size > 0);
    times.push(performance.now() - begin);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  console.log(
    `one pod more, from its source's word to the filter's: median ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms, longest ${percentile(times, 1)} ms, of ${CHANGES}`,
  );
  console.log(`  resident memory of server and benchmark: ${Math.round(process.memoryUsage().rss / 1e6)} MB`);
  await envoy.stop();
  stopping.abort();
  envoys.stop();
  await server.stop(0);
  await running;
}

console.log(`one Envoy, ${SERVICES} services of ${PODS} pods`);
await start();
await changes();
await rm(folder, { recursive: true, force: true });
