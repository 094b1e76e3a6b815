import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { envoy as proto } from '#xds';
import { type EncodedResource, PUSH_ORDER, TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { makeSnapshot } from '../../../src/snapshot/snapshot.ts';
import { freePort } from '../../e2e/kit/ports.ts';
import { startXdsEnvoy, stat } from './envoy.ts';
import { useWorld } from './world.ts';

const { Cluster } = proto.config.cluster.v3;
const { HttpConnectionManager } = proto.extensions.filters.network.http_connection_manager.v3;
const { Router } = proto.extensions.filters.http.router.v3;
const world = useWorld();
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const ads = { ads: {}, resourceApiVersion: proto.config.core.v3.ApiVersion.V3 };
const local = (portValue: number) => ({ socketAddress: { address: '127.0.0.1', portValue } });

/** One listener, whose only route leads to the cluster `name`, which has one pod. */
function resources(name: string, publicPort: number, podPort: number): readonly EncodedResource[] {
  const router = { name: 'router', typedConfig: { typeUrl: Router.getTypeUrl(), value: Router.encode({}).finish() } };
  const rds = { routeConfigName: 'routes', configSource: ads };
  const manager = HttpConnectionManager.encode({ statPrefix: 'public', httpFilters: [router], rds }).finish();
  const filter = { name: 'http', typedConfig: { typeUrl: HttpConnectionManager.getTypeUrl(), value: manager } };
  const lbEndpoints = [{ endpoint: { address: local(podPort) } }];
  const virtualHosts = [
    { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: name } }] },
  ];
  const listener = { name: 'public', address: local(publicPort), filterChains: [{ filters: [filter] }] };
  return [
    [
      TYPE_URLS.cluster,
      name,
      Cluster.encode({ name, type: Cluster.DiscoveryType.EDS, edsClusterConfig: { edsConfig: ads } }),
    ] as const,
    [
      TYPE_URLS.endpoints,
      name,
      proto.config.endpoint.v3.ClusterLoadAssignment.encode({ clusterName: name, endpoints: [{ lbEndpoints }] }),
    ] as const,
    [TYPE_URLS.listener, 'public', proto.config.listener.v3.Listener.encode(listener)] as const,
    [
      TYPE_URLS.routes,
      'routes',
      proto.config.route.v3.RouteConfiguration.encode({ name: 'routes', virtualHosts }),
    ] as const,
  ].map(([typeUrl, name, writer]) => ({ typeUrl, name, body: writer.finish() }));
}

// Measured without the wait for the answer to the clusters: about 12 requests per move are answered with 503.
test.each([{ delta: true }, { delta: false }])(
  'no request fails while its route moves to a new cluster, and the old one goes, delta: $delta',
  async ({ delta }) => {
    const pod = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
    await once(pod, 'listening');
    endings.push(
      () => pod.close(),
      () => pod.closeAllConnections(),
    );
    const address = pod.address();
    const podPort = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const publicPort = await freePort();
    const publish = (name: string) => world().cache.set(makeSnapshot(resources(name, publicPort, podPort)));
    publish('cluster-0');
    const envoy = await startXdsEnvoy({ xdsPort: world().port, delta });
    endings.push(() => envoy.stop());
    const url = `http://127.0.0.1:${publicPort}/`;
    const ask = () =>
      fetch(url).then(
        async (response) => `${response.status} ${await response.text()}`,
        (error: Error) => error.message,
      );
    await expect.poll(ask, { timeout: 20_000 }).toBe('200 ok');

    let moving = true;
    const answers = new Map<string, number>();
    const clients = Array.from({ length: 8 }, async () => {
      while (moving) {
        const answer = await ask();
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    });
    for (let move = 1; move <= 10; move++) {
      publish(`cluster-${move}`);
      expect(await world().server.waitForAck(PUSH_ORDER, 20_000)).toBe('acked');
    }
    moving = false;
    await Promise.all(clients);
    expect([...answers.keys()]).toEqual(['200 ok']);
    // The server's own, and the last one.
    await expect.poll(() => stat(envoy, 'cluster_manager.active_clusters'), { timeout: 20_000 }).toBe(2);
  },
);
