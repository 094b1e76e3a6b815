// npm run bench:gateway: many HTTPRoutes created at once, and one changed among them, with a real API server and a real
// Envoy: how long until each is accepted and answers, and how many statuses were written in vain.
// Ends with 1 when a bound is broken; the bounds are for 1,000 routes. The API server of one machine takes longer to create them
// than Sluice may take, so the clock of the first bound begins with its last answer to a creation; both times are printed.
import { Agent, createServer, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGatewayApi, untilAccepted } from '../test/conformance/create.ts';
import { instant } from '../test/e2e/kit/instant.ts';
import { SluiceProcess } from '../test/e2e/kit/sluice-process.ts';
import { spread } from '../test/e2e/kit/spread.ts';
import { TestCluster } from '../test/kube/kit/cluster.ts';

const BOUNDS = { allMs: 5000, oneMs: 200, useless: 0 };
const CHANGES = 30;
/** Between two changes, so that each is published by itself. */
const GAP_MS = 300;
/** So many requests at once, of whoever creates the routes. */
const AT_ONCE = 8;
const POD = { ip: '10.244.0.1', port: 8080 };
const GATEWAY = { ip: '10.244.0.1', port: 80 };
const ROUTES = '/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes';

const agent = new Agent({ keepAlive: true });
const count = Number(process.argv[2] ?? '1000');
const cluster = await TestCluster.start();
const pod = createServer((_, response) => response.end('answered'));
await new Promise<void>((resolve) => pod.listen(POD.port, POD.ip, resolve));
const ok = await bench().finally(() => cluster.stop());
pod.close();
process.exit(ok ? 0 : 1);

async function bench(): Promise<boolean> {
  await createGatewayApi(cluster);
  await createBackend();
  const args = ['--gateway-api', '--gateway-address', GATEWAY.ip, '--admin', '127.0.0.1:0', '--log-level', 'debug'];
  const sluice = new SluiceProcess(['run', ...args], { KUBECONFIG: cluster.kubeconfig() });
  try {
    await untilAccepted(cluster);
    await createRoute(count, '/first');
    await untilAnswers('/first');
    const written = await statusWrites();
    const began = instant();
    await inParallel(
      Array.from({ length: count }, (_, at) => at),
      (at) => createRoute(at, `/route-${at}`),
    );
    const createdMs = instant() - began;
    await untilAllAccepted();
    const acceptedMs = instant() - began;
    await inParallel(
      Array.from({ length: count }, (_, at) => at),
      (at) => untilAnswers(`/route-${at}`),
    );
    const allMs = instant() - began;
    const [accepted, answering] = [acceptedMs - createdMs, allMs - createdMs];
    const busyBefore = await metric(sluice, /^process_cpu_seconds_total (\S+)/m);
    const took = await changes(sluice);
    const busy = (await metric(sluice, /^process_cpu_seconds_total (\S+)/m)) - busyBefore;
    // Whatever is still to be written is written.
    await sleep(2000);
    const writes = (await statusWrites()) - written;
    const own = await countedWrites(sluice);
    const wanted = await wantedWrites();
    const useless = writes - wanted;
    const { median, max } = spread(took);
    console.log(
      `${count} HTTPRoutes: the API server has answered the last creation after ${createdMs.toFixed(0)} ms; from then on all accepted after ${accepted.toFixed(0)} ms, all answering after ${answering.toFixed(0)} ms (from the first creation on: ${acceptedMs.toFixed(0)} and ${allMs.toFixed(0)} ms)`,
    );
    console.log(
      `one changed route, from the question to the API server to Envoy's ACK: median ${median.toFixed(0)} ms, worst ${max.toFixed(0)} ms of ${took.length}; ${((1000 * busy) / took.length).toFixed(0)} ms of processor time of Sluice each, statuses and the test's own questions among it`,
    );
    console.log(
      `statuses of HTTPRoutes written: ${writes}, of which ${useless} changed nothing; Sluice counted ${own}`,
    );
    return answering < BOUNDS.allMs && max < BOUNDS.oneMs && useless <= BOUNDS.useless;
  } finally {
    await sluice.end();
  }
}

/** A Gateway, and a Service with one pod. */
async function createBackend(): Promise<void> {
  await cluster.ask('POST', '/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways', {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'edge' },
    spec: { gatewayClassName: 'sluice', listeners: [{ name: 'http', port: GATEWAY.port, protocol: 'HTTP' }] },
  });
  await cluster.ask('POST', '/api/v1/namespaces/default/services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'codec', annotations: { 'sluice.dev/limit': '10' } },
    spec: { ports: [{ name: 'http', port: 80, targetPort: POD.port }] },
  });
  await cluster.ask('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'codec-1', labels: { 'kubernetes.io/service-name': 'codec' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: POD.port }],
    endpoints: [{ addresses: [POD.ip] }],
  });
}

function createRoute(at: number, path: string) {
  return cluster.ask('POST', ROUTES, {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: `route-${at}` },
    spec: {
      parentRefs: [{ name: 'edge' }],
      hostnames: [`host-${at % 100}.example`, 'any.example'],
      rules: [{ matches: [{ path: { type: 'Exact', value: path } }], backendRefs: [{ name: 'codec', port: 80 }] }],
    },
  });
}

/** Changes one route after the other; for each how long it took. */
async function changes(sluice: SluiceProcess): Promise<readonly number[]> {
  const took: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const path = `/changed-${change}`;
    const { body } = await cluster.ask('GET', `${ROUTES}/route-${change}`);
    body.spec.rules[0].matches[0].path.value = path;
    const asked = cluster.ask('PUT', `${ROUTES}/route-${change}`, body);
    const since = instant();
    const acked = await sluice.logged(
      'an ACK of routes',
      ({ msg, fields }) =>
        msg === 'xds' && fields['kind'] === 'acked' && String(fields['typeUrl']).endsWith('RouteConfiguration'),
      since,
    );
    await asked;
    took.push(acked.at - since);
    await untilAnswers(path);
    await sleep(GAP_MS);
  }
  return took;
}

/** The status of the answer; undefined: there is none. */
function ask(path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { host: 'any.example' };
    const asked = request({ host: GATEWAY.ip, port: GATEWAY.port, path, headers, agent }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    asked.on('error', () => resolve(undefined)).end();
  });
}

async function untilAnswers(path: string): Promise<void> {
  for (const end = instant() + 30_000; instant() < end; ) {
    if ((await ask(path)) === 200) return;
    await sleep(5);
  }
  throw new Error(`${path} is not answered`);
}

interface ListedRoute {
  readonly status?: {
    readonly parents?: readonly {
      readonly conditions: readonly { readonly type: string; readonly status: string }[];
    }[];
  };
}

async function untilAllAccepted(): Promise<void> {
  const isAccepted = ({ status }: ListedRoute) =>
    status?.parents?.[0]?.conditions.some((one) => one.type === 'Accepted' && one.status === 'True') ?? false;
  for (const end = instant() + 60_000; instant() < end; ) {
    const { body } = await cluster.ask('GET', ROUTES);
    const routes: readonly ListedRoute[] = body.items;
    if (routes.length > count && routes.every(isAccepted)) return;
    await sleep(50);
  }
  throw new Error('not all routes are accepted');
}

/** How often the status of an HTTPRoute was patched, as the API server counts. */
async function statusWrites(): Promise<number> {
  const { body } = await cluster.ask('GET', '/metrics');
  const lines = String(body).matchAll(
    /^apiserver_request_total\{(.*resource="httproutes",.*subresource="status".*)\} (\d+)/gm,
  );
  return [...lines].reduce((sum, [, , value]) => sum + Number(value), 0);
}

async function metricsOf(sluice: SluiceProcess): Promise<string> {
  const { fields } = await sluice.logged('where the admin is', ({ fields: { admin } }) => admin !== undefined);
  return (await fetch(`${String(fields['admin'])}/metrics`)).text();
}

async function metric(sluice: SluiceProcess, line: RegExp): Promise<number> {
  return Number(line.exec(await metricsOf(sluice))?.[1]);
}

/** What Sluice itself counts: `40 changed, 0 same, 0 failed`. */
async function countedWrites(sluice: SluiceProcess): Promise<string> {
  const text = await metricsOf(sluice);
  const lines = text.matchAll(/^sluice_object_status_writes_total\{result="(\w+)"\} (\d+)/gm);
  return [...lines].map(([, result, value]) => `${value} ${result}`).join(', ');
}

/** One write for each route that was created, and one for each that was changed: its generation is another one. */
async function wantedWrites(): Promise<number> {
  const { body } = await cluster.ask('GET', ROUTES);
  const routes: readonly { readonly metadata: { readonly generation: number } }[] = body.items;
  // The first route was written before counting began.
  return routes.reduce((sum, { metadata }) => sum + metadata.generation, 0) - 1;
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
