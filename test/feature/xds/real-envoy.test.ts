import { afterEach, describe, expect, test } from 'vitest';
import { envoy as proto } from '#xds';
import { type EncodedResource, TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { makeSnapshot } from '../../../src/snapshot/snapshot.ts';
import type { TestEnvoy } from '../../e2e/kit/envoy.ts';
import { startXdsEnvoy, stat } from './envoy.ts';
import { useWorld } from './world.ts';

const { Cluster } = proto.config.cluster.v3;
const { ClusterLoadAssignment } = proto.config.endpoint.v3;

function cluster(name: string, connectTimeoutSeconds: number): EncodedResource {
  const body = Cluster.encode({
    name,
    type: Cluster.DiscoveryType.EDS,
    edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: proto.config.core.v3.ApiVersion.V3 } },
    connectTimeout: { seconds: connectTimeoutSeconds },
  }).finish();
  return { typeUrl: TYPE_URLS.cluster, name, body };
}

function endpoints(name: string, ports: readonly number[]): EncodedResource {
  const lbEndpoints = ports.map((portValue) => ({
    endpoint: { address: { socketAddress: { address: '127.0.0.1', portValue } } },
  }));
  const body = ClusterLoadAssignment.encode({ clusterName: name, endpoints: [{ lbEndpoints }] }).finish();
  return { typeUrl: TYPE_URLS.endpoints, name, body };
}

describe.each([{ delta: false }, { delta: true }])('a real Envoy, delta: $delta', ({ delta }) => {
  const world = useWorld();
  let envoy: TestEnvoy | undefined;
  afterEach(async () => {
    await envoy?.stop();
  });

  async function start(): Promise<TestEnvoy> {
    envoy = await startXdsEnvoy({ xdsPort: world().port, delta });
    return envoy;
  }
  const clusters = () =>
    world()
      .server.nodes()[0]
      ?.types.find((type) => type.typeUrl === TYPE_URLS.cluster);
  const patience = { timeout: 20_000, interval: 50 };

  test('takes clusters and endpoints; a changed cluster gets its endpoints again and leaves warming', async () => {
    world().cache.set(
      makeSnapshot([cluster('one', 1), cluster('two', 1), endpoints('one', [1]), endpoints('two', [2])]),
    );
    const envoy = await start();
    // The server's own cluster is the third.
    await expect.poll(() => stat(envoy, 'cluster_manager.active_clusters'), patience).toBe(3);
    await expect.poll(() => stat(envoy, 'cluster.one.membership_total'), patience).toBe(1);

    world().cache.set(
      makeSnapshot([cluster('one', 2), cluster('two', 1), endpoints('one', [1]), endpoints('two', [2])]),
    );
    expect(await world().server.waitForAck([TYPE_URLS.cluster, TYPE_URLS.endpoints], 10_000)).toBe('acked');
    expect(await stat(envoy, 'cluster_manager.warming_clusters')).toBe(0);
    expect(await stat(envoy, 'cluster_manager.cluster_modified')).toBe(1);
    expect(await stat(envoy, 'cluster.one.membership_total')).toBe(1);
    // Warming that ends by the time-out of 15 s would be counted here.
    expect(await stat(envoy, 'cluster.one.init_fetch_timeout')).toBe(0);

    world().cache.set(makeSnapshot([cluster('two', 1), endpoints('two', [2, 3])]));
    expect(await world().server.waitForAck([TYPE_URLS.cluster, TYPE_URLS.endpoints], 10_000)).toBe('acked');
    await expect.poll(() => stat(envoy, 'cluster_manager.active_clusters'), patience).toBe(2);
    expect(await stat(envoy, 'cluster.two.membership_total')).toBe(2);
    expect(world().server.nodes()).toMatchObject([
      {
        node: { id: 'envoy-1', metadata: { sluice: { services: ['codec'] } } },
        userAgent: expect.stringMatching(/^envoy 1\./),
      },
    ]);
  }, 60_000);

  test('refuses a bad cluster in its own words, keeps the good one, and takes it once it is corrected', async () => {
    const bad = {
      ...cluster('bad', 1),
      body: Cluster.encode({ name: 'bad', type: Cluster.DiscoveryType.EDS }).finish(),
    };
    world().cache.set(makeSnapshot([bad, cluster('good', 1), endpoints('good', [1])]));
    const envoy = await start();
    await expect.poll(() => clusters()?.status, patience).toBe('nacked');
    expect(clusters()?.nack).toMatchObject({
      names: ['bad'],
      message: expect.stringContaining('bad'),
    });
    await expect.poll(() => stat(envoy, 'cluster.good.membership_total'), patience).toBe(1);
    const sent = () =>
      world().events.filter((event) => event.kind === 'sent' && event.typeUrl === TYPE_URLS.cluster).length;
    const before = sent();
    world().cache.set(makeSnapshot([bad, cluster('good', 1), endpoints('good', [1, 2])]));
    await expect.poll(() => stat(envoy, 'cluster.good.membership_total'), patience).toBe(2);
    expect(sent()).toBe(before);
    world().cache.set(
      makeSnapshot([cluster('bad', 1), cluster('good', 1), endpoints('bad', [3]), endpoints('good', [1, 2])]),
    );
    expect(await world().server.waitForAck([TYPE_URLS.cluster, TYPE_URLS.endpoints], 10_000)).toBe('acked');
    await expect.poll(() => stat(envoy, 'cluster.bad.membership_total'), patience).toBe(1);
  }, 60_000);

  test('refuses one assignment of several, and takes the others', async () => {
    const names = ['one', 'two', 'three'];
    const clusters = names.map((name) => cluster(name, 1));
    world().cache.set(makeSnapshot([...clusters, ...names.map((name) => endpoints(name, [1]))]));
    const envoy = await start();
    await expect.poll(() => stat(envoy, 'cluster_manager.active_clusters'), patience).toBe(4);
    const socketAddress = { address: 'nonsense', portValue: 1 };
    const lbEndpoints = [{ endpoint: { address: { socketAddress } } }];
    const body = ClusterLoadAssignment.encode({ clusterName: 'two', endpoints: [{ lbEndpoints }] }).finish();
    const bad = { ...endpoints('two', []), body };
    world().cache.set(makeSnapshot([...clusters, endpoints('one', [1, 2]), bad, endpoints('three', [1, 2])]));
    expect(await world().server.waitForAck([TYPE_URLS.endpoints], 10_000)).toBe('nacked');
    const refused = world()
      .server.resources('envoy-1')
      .filter((resource) => resource.status === 'nacked');
    expect(refused).toMatchObject([
      { name: 'two', message: expect.stringContaining('malformed IP address: nonsense') },
    ]);
    const totals = names.map((name) => stat(envoy, `cluster.${name}.membership_total`));
    expect(await Promise.all(totals)).toEqual([2, 1, 2]);
  }, 60_000);
});
