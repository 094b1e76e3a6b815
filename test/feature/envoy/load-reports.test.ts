import { once } from 'node:events';
import { createServer, get } from 'node:http';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { envoy as proto } from '#xds';
import { FakeClock } from '../../../src/base/clock.ts';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { type EncodedResource, TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { makeSnapshot } from '../../../src/snapshot/snapshot.ts';
import {
  type LoadObservation,
  LoadReports,
  type LoadReportsOptions,
} from '../../../src/telemetry/envoy/load-reports.ts';
import { XdsServer } from '../../../src/xds/server/server.ts';
import type { TestEnvoy } from '../../e2e/kit/envoy.ts';
import { freePort } from '../../e2e/kit/ports.ts';
import { TestClient, type TestStream } from '../xds/client.ts';
import { startXdsEnvoy } from '../xds/envoy.ts';

const { LoadStatsRequest, LoadStatsResponse } = proto.service.load_stats.v3;
const PATH = '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

interface Setup {
  readonly reports: LoadReports;
  readonly port: number;
  readonly cache: SnapshotCache;
  readonly seen: LoadObservation[];
  readonly gone: string[];
}

async function serve(options: Partial<LoadReportsOptions> = {}): Promise<Setup> {
  const seen: LoadObservation[] = [];
  const gone: string[] = [];
  const reports = new LoadReports({
    onReport: (observations) => seen.push(...observations),
    onGone: (nodeId) => gone.push(nodeId),
    ...options,
  });
  const cache = new SnapshotCache();
  const server = new XdsServer({
    addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    cache,
    extraServices: [reports],
  });
  const started = await server.start();
  const address = started.ok ? started.value[0] : undefined;
  if (address?.kind !== 'tcp') throw new Error('not bound');
  endings.push(() => server.stop());
  return { reports, port: address.port, cache, seen, gone };
}

function connect(port: number): TestStream<Buffer, Buffer> {
  const client = new TestClient(`127.0.0.1:${port}`);
  endings.push(() => client.close());
  return client.raw(PATH);
}

function send(
  stream: TestStream<Buffer, Buffer>,
  request: proto.service.load_stats.v3.LoadStatsRequest.$Properties,
): void {
  stream.send(Buffer.from(LoadStatsRequest.encode(request).finish()));
}

/** What the server asks for, with its interval in milliseconds. */
async function asked(stream: TestStream<Buffer, Buffer>): Promise<object> {
  const response = LoadStatsResponse.decode(await stream.next());
  const {
    clusters,
    sendAllClusters: all,
    reportEndpointGranularity: perPod,
    loadReportingInterval: interval,
  } = response;
  return { clusters, all, perPod, ms: Number(interval?.seconds) * 1000 + (interval?.nanos ?? 0) / 1e6 };
}

function endpoint(
  address: string,
  portValue: number,
  totalRequestsInProgress: number,
): proto.config.endpoint.v3.UpstreamEndpointStats.$Properties {
  return { address: { socketAddress: { address, portValue } }, totalRequestsInProgress };
}

describe('load reports', () => {
  test('asks for all clusters, per pod, and hands on what is in progress', async () => {
    const clock = new FakeClock(5000);
    const { port, seen } = await serve({ clock });
    const stream = connect(port);
    send(stream, { node: { id: 'envoy-1' } });
    expect(await asked(stream)).toEqual({ clusters: [], all: true, perPod: true, ms: 1000 });
    const internal = {
      address: { envoyInternalAddress: { serverListenerName: 'pods/codec' } },
      totalRequestsInProgress: 9,
    };
    send(stream, {
      clusterStats: [
        {
          clusterName: 'pods/codec',
          upstreamLocalityStats: [
            {
              priority: 0,
              totalRequestsInProgress: 12,
              upstreamEndpointStats: [
                endpoint('10.0.0.1', 80, 2),
                endpoint('::1', 80, 1),
                endpoint('::2', 80, 0),
                internal,
              ],
            },
            { priority: 1, totalRequestsInProgress: 1, upstreamEndpointStats: [endpoint('10.0.0.1', 80, 1)] },
          ],
        },
        { clusterName: 'idle' },
      ],
    });
    await expect
      .poll(() => seen)
      .toEqual([
        {
          nodeId: 'envoy-1',
          at: 5000,
          cluster: 'pods/codec',
          // Those inside Envoy included, which are no pods.
          requestsInProgress: 13,
          endpoints: [
            { address: '10.0.0.1', port: 80, requestsInProgress: 3 },
            { address: '::1', port: 80, requestsInProgress: 1 },
          ],
        },
        { nodeId: 'envoy-1', at: 5000, cluster: 'idle', requestsInProgress: 0, endpoints: [] },
      ]);
  });

  test('asks for named clusters, and again when they change; never more often than four times a second', async () => {
    let clusters = ['a'];
    const { port, reports } = await serve({ intervalMs: () => 1, clusters: () => clusters });
    const stream = connect(port);
    send(stream, { node: { id: 'envoy-1' } });
    const expected = { all: false, perPod: true, ms: 250 };
    expect(await asked(stream)).toEqual({ clusters: ['a'], ...expected });
    clusters = ['a', 'b'];
    reports.refresh();
    expect(await asked(stream)).toEqual({ clusters: ['a', 'b'], ...expected });
  });

  test('a shorter interval is asked for at once, a longer one after a report', async () => {
    let ms = 1000;
    const { port, reports, seen } = await serve({ intervalMs: () => ms });
    const stream = connect(port);
    send(stream, { node: { id: 'envoy-1' } });
    const expected = { clusters: [], all: true, perPod: true };
    expect(await asked(stream)).toEqual({ ...expected, ms: 1000 });
    // No question: the next one is the shorter one.
    reports.quicken();
    ms = 500;
    reports.quicken();
    expect(await asked(stream)).toEqual({ ...expected, ms: 500 });
    ms = 800;
    reports.quicken();
    ms = 900;
    send(stream, { clusterStats: [{ clusterName: 'a' }] });
    expect(await asked(stream)).toEqual({ ...expected, ms: 900 });
    expect(seen.map(({ cluster }) => cluster)).toEqual(['a']);
  });

  test('an Envoy is gone when its last stream ends, in whatever way', async () => {
    const { port, gone } = await serve();
    const [first, second] = [connect(port), connect(port)];
    for (const stream of [first, second]) {
      send(stream, { node: { id: 'envoy-1' } });
      await asked(stream);
    }
    first.halfClose();
    expect(await first.end()).toMatchObject({ code: status.OK });
    expect(gone).toEqual([]);
    second.cancel();
    await expect.poll(() => gone).toEqual(['envoy-1']);
  });

  test('garbage ends its own stream only', async () => {
    const { port } = await serve();
    const [good, bad] = [connect(port), connect(port)];
    bad.send(Buffer.from([0xff, 0xff]));
    expect(await bad.end()).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('not a LoadStatsRequest'),
    });
    send(good, { node: { id: 'envoy-1' } });
    await asked(good);
  });
});

test('a real Envoy tells of a request that began long ago, and of its end', async () => {
  const pod = createServer(() => {
    // Never answers: the request is in progress until the client goes.
  }).listen(0, '127.0.0.1');
  await once(pod, 'listening');
  endings.push(
    () => pod.closeAllConnections(),
    () => pod.close(),
  );
  const address = pod.address();
  const podPort = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const { port, cache, seen } = await serve({ intervalMs: () => 250 });
  const publicPort = await freePort();
  cache.set(makeSnapshot(onePodBehind(publicPort, podPort)));
  const envoy: TestEnvoy = await startXdsEnvoy({ xdsPort: port, delta: true, loadReports: true });
  endings.push(() => envoy.stop());
  const patience = { timeout: 20_000, interval: 50 };
  await expect
    .poll(async () => (await envoy.admin.state()).ok && seen.some(({ cluster }) => cluster === 'pods'), patience)
    .toBe(true);
  await expect
    .poll(
      () => fetch(`http://127.0.0.1:${publicPort}/`, { signal: AbortSignal.timeout(300) }).catch((error) => error.name),
      patience,
    )
    .toBe('TimeoutError');
  const loads = () =>
    seen.filter(({ cluster }) => cluster === 'pods').map(({ endpoints }) => endpoints[0]?.requestsInProgress ?? 0);
  await expect.poll(() => loads().at(-1), patience).toBe(0);
  const from = loads().length;
  const request = get(`http://127.0.0.1:${publicPort}/`).on('error', () => {});
  // Three reports in a row: nothing begins any more, and it is still told.
  await expect.poll(() => loads().slice(from).join(''), patience).toContain('111');
  request.destroy();
  await expect.poll(() => loads().at(-1), patience).toBe(0);
});

function onePodBehind(publicPort: number, podPort: number): readonly EncodedResource[] {
  const { Cluster } = proto.config.cluster.v3;
  const { HttpConnectionManager } = proto.extensions.filters.network.http_connection_manager.v3;
  const { Router } = proto.extensions.filters.http.router.v3;
  const local = (portValue: number) => ({ socketAddress: { address: '127.0.0.1', portValue } });
  const router = { name: 'router', typedConfig: { typeUrl: Router.getTypeUrl(), value: Router.encode({}).finish() } };
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'pods', timeout: { seconds: 0 } } }];
  const manager = HttpConnectionManager.encode({
    statPrefix: 'public',
    httpFilters: [router],
    routeConfig: { name: 'routes', virtualHosts: [{ name: 'all', domains: ['*'], routes }] },
  }).finish();
  const listener = proto.config.listener.v3.Listener.encode({
    name: 'public',
    address: local(publicPort),
    filterChains: [
      { filters: [{ name: 'http', typedConfig: { typeUrl: HttpConnectionManager.getTypeUrl(), value: manager } }] },
    ],
  }).finish();
  const edsConfig = { ads: {}, resourceApiVersion: proto.config.core.v3.ApiVersion.V3 };
  const cluster = Cluster.encode({
    name: 'pods',
    type: Cluster.DiscoveryType.EDS,
    edsClusterConfig: { edsConfig },
  }).finish();
  const endpoints = proto.config.endpoint.v3.ClusterLoadAssignment.encode({
    clusterName: 'pods',
    endpoints: [{ lbEndpoints: [{ endpoint: { address: local(podPort) } }] }],
  }).finish();
  const runtime = proto.service.runtime.v3.Runtime.encode({ name: 'layer' }).finish();
  return [
    { typeUrl: TYPE_URLS.cluster, name: 'pods', body: cluster },
    { typeUrl: TYPE_URLS.endpoints, name: 'pods', body: endpoints },
    { typeUrl: TYPE_URLS.listener, name: 'public', body: listener },
    { typeUrl: TYPE_URLS.runtime, name: 'layer', body: runtime },
  ];
}
