// What the xDS server costs with many clients: npm run bench:xds [STREAMS] [SERVICES]. Prints, and judges nothing.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { envoy } from '#xds';
import { SnapshotCache } from '../src/snapshot/cache.ts';
import { type EncodedResource, TYPE_URLS } from '../src/snapshot/resource.ts';
import { makeSnapshot } from '../src/snapshot/snapshot.ts';
import { XdsServer } from '../src/xds/server/server.ts';

const STREAMS = Number(process.argv[2] ?? 1000);
const SERVICES = Number(process.argv[3] ?? 100);
const PODS = 10;
const CHANGES = 20;
const IDLE_MS = 5000;

const { ClusterLoadAssignment } = envoy.config.endpoint.v3;

function endpoints(name: string, service: number, pods: number): EncodedResource {
  const lbEndpoints = Array.from({ length: pods }, (_, pod) => {
    return {
      endpoint: {
        address: { socketAddress: { address: `10.${service >> 8}.${service & 255}.${pod}`, portValue: 80 } },
      },
    };
  });
  const body = ClusterLoadAssignment.encode({ clusterName: name, endpoints: [{ lbEndpoints }] }).finish();
  return { typeUrl: TYPE_URLS.endpoints, name, body };
}

/** As large as what a service really has: about 600 bytes each. */
function filler(typeUrl: EncodedResource['typeUrl'], name: string): EncodedResource {
  return { typeUrl, name, body: Buffer.from(name.padEnd(600, '.')) };
}

function resources(podsOfFirst: number): EncodedResource[] {
  const names = Array.from({ length: SERVICES }, (_, index) => `pods/service-${index}`);
  const { cluster, listener, routes, extension } = TYPE_URLS;
  return [
    ...names.flatMap((name) => [cluster, listener, routes].map((typeUrl) => filler(typeUrl, name))),
    ...names.map((name, index) => endpoints(name, index, index === 0 ? podsOfFirst : PODS)),
    filler(extension, 'sluice.queue'),
  ];
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const cache = new SnapshotCache();
const first = resources(PODS);
cache.set(makeSnapshot(first));
const server = new XdsServer({ addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }], cache });
const started = await server.start();
const [address] = started.ok ? started.value : [];
if (address?.kind !== 'tcp') throw new Error('not bound');

const program = fileURLToPath(new URL('./xds-clients.ts', import.meta.url));
const begin = performance.now();
const clients = fork(program, [`${address.port}`, `${STREAMS}`, `${SERVICES}`]);
let served = 0;
let arrivals: number[] = [];
let wake = () => {};
clients.on('message', (message: { kind: string; at?: number; message?: string }) => {
  if (message.kind === 'served') served++;
  else if (message.kind === 'pod') arrivals.push(message.at ?? 0);
  else console.error(message.message);
  wake();
});
const until = async (done: () => boolean) => {
  while (!done()) await new Promise<void>((resolve) => (wake = resolve));
};
await until(() => served === STREAMS);
console.log(`${STREAMS} delta streams, ${SERVICES} services of ${PODS} pods`);
console.log(
  `connected and served: ${((performance.now() - begin) / 1000).toFixed(2)} s, the start of the clients' process included`,
);

const delays: number[] = [];
let making = 0;
for (let change = 0; change < CHANGES; change++) {
  const next = first.map((resource) =>
    resource.typeUrl === TYPE_URLS.endpoints && resource.name === 'pods/service-0'
      ? endpoints(resource.name, 0, PODS + 1 + change)
      : resource,
  );
  arrivals = [];
  const at = Date.now();
  const before = performance.now();
  cache.set(makeSnapshot(next));
  making += performance.now() - before;
  await until(() => arrivals.length === STREAMS);
  delays.push(...arrivals.map((arrival) => arrival - at));
}
delays.sort((a, b) => a - b);
console.log(
  `one changed pod reaches a stream: median ${percentile(delays, 0.5)} ms, p99 ${percentile(delays, 0.99)} ms, longest ${delays.at(-1)} ms`,
);
console.log(`a new snapshot of ${first.length} resources with one changed: ${(making / CHANGES).toFixed(2)} ms`);
globalThis.gc?.();
console.log(`resident memory: ${Math.round(process.memoryUsage().rss / 1e6)} MB`);
const cpu = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
const { user, system } = process.cpuUsage(cpu);
console.log(`idle CPU: ${((user + system) / 10 / IDLE_MS).toFixed(2)} % of one core`);
clients.kill();
await once(clients, 'exit');
await server.stop();
