import { Client, credentials, Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { envoy } from '#xds';
import { rawMethod } from '../../../src/base/raw-method.ts';
import { type EncodedResource, TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { makeSnapshot } from '../../../src/snapshot/snapshot.ts';
import { useWorld } from './world.ts';

// A second kind of client: gRPC's own, which speaks state of the world and asks for everything by name.
const world = useWorld();
const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

const same = (bytes: Buffer) => bytes;
const definition = { Who: rawMethod('/test.Pod/Who', 'neither') };

/** A pod that says its name. */
async function pod(name: string): Promise<number> {
  const server = new Server();
  server.addService(definition, {
    Who: (_: unknown, callback: sendUnaryData<Buffer>) => callback(null, Buffer.from(name)),
  });
  endings.push(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

function resources(ports: readonly number[]): readonly EncodedResource[] {
  const { Cluster } = envoy.config.cluster.v3;
  const { HttpConnectionManager } = envoy.extensions.filters.network.http_connection_manager.v3;
  const { Router } = envoy.extensions.filters.http.router.v3;
  const config = { ads: {}, resourceApiVersion: envoy.config.core.v3.ApiVersion.V3 };
  const router = { name: 'router', typedConfig: { typeUrl: Router.getTypeUrl(), value: Router.encode({}).finish() } };
  const manager = HttpConnectionManager.encode({
    rds: { routeConfigName: 'pods-route', configSource: config },
    httpFilters: [router],
  });
  const apiListener = { typeUrl: HttpConnectionManager.getTypeUrl(), value: manager.finish() };
  const routes = [{ match: { prefix: '' }, route: { cluster: 'pods' } }];
  const lbEndpoints = ports.map((portValue) => ({
    endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue } } },
  }));
  const locality = { region: 'r', zone: 'z', subZone: 's' };
  const cluster = { name: 'pods', type: Cluster.DiscoveryType.EDS, edsClusterConfig: { edsConfig: config } };
  const encoded: readonly (readonly [EncodedResource['typeUrl'], string, Uint8Array])[] = [
    [
      TYPE_URLS.listener,
      'pods',
      envoy.config.listener.v3.Listener.encode({ name: 'pods', apiListener: { apiListener } }).finish(),
    ],
    [
      TYPE_URLS.routes,
      'pods-route',
      envoy.config.route.v3.RouteConfiguration.encode({
        name: 'pods-route',
        virtualHosts: [{ name: 'all', domains: ['*'], routes }],
      }).finish(),
    ],
    [TYPE_URLS.cluster, 'pods', Cluster.encode({ ...cluster, lbPolicy: Cluster.LbPolicy.ROUND_ROBIN }).finish()],
    [
      TYPE_URLS.endpoints,
      'pods',
      envoy.config.endpoint.v3.ClusterLoadAssignment.encode({
        clusterName: 'pods',
        endpoints: [{ locality, loadBalancingWeight: { value: 1 }, lbEndpoints }],
      }).finish(),
    ],
  ];
  return encoded.map(([typeUrl, name, body]) => ({ typeUrl, name, body }));
}

function who(client: Client): Promise<string> {
  return new Promise((resolve) => {
    const deadline = Date.now() + 10_000;
    client.makeUnaryRequest('/test.Pod/Who', same, same, Buffer.alloc(0), { deadline }, (error, name) => {
      resolve(error ? `${error.code} ${error.details}` : `${name}`);
    });
  });
}

test('grpc-js-xds resolves xds:///pods and balances over the pods, as they come and go', async () => {
  const [first, second, third] = [await pod('first'), await pod('second'), await pod('third')];
  world().cache.set(makeSnapshot(resources([first, second])));
  const server = {
    server_uri: `127.0.0.1:${world().port}`,
    channel_creds: [{ type: 'insecure' }],
    server_features: ['xds_v3'],
  };
  process.env.GRPC_XDS_BOOTSTRAP_CONFIG = JSON.stringify({
    xds_servers: [server],
    node: { id: 'grpc-1', cluster: 'clients', locality: {} },
  });
  // It reads its configuration as soon as it is loaded.
  const { register } = await import('@grpc/grpc-js-xds');
  register();
  const client = new Client('xds:///pods', credentials.createInsecure());
  endings.push(() => client.close());
  const seen = async (count: number) => {
    const names = new Set<string>();
    for (let index = 0; index < count; index++) names.add(await who(client));
    return [...names].sort();
  };
  await expect.poll(() => seen(6), { timeout: 30_000 }).toEqual(['first', 'second']);
  const [node] = world().server.nodes();
  expect(node).toMatchObject({
    node: { id: 'grpc-1', cluster: 'clients' },
    userAgent: expect.stringContaining('gRPC'),
  });
  expect(node?.types.map((type) => type.status)).toEqual(['in sync', 'in sync', 'in sync', 'in sync']);
  world().cache.set(makeSnapshot(resources([second, third])));
  expect(await world().server.waitForAck([TYPE_URLS.endpoints], 10_000)).toBe('acked');
  await expect.poll(() => seen(6), { timeout: 30_000 }).toEqual(['second', 'third']);
}, 60_000);
