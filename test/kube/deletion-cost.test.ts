import { beforeAll, describe, expect, inject, test } from 'vitest';
import { http1Client } from '../e2e/kit/client-http1.ts';
import { until } from '../e2e/kit/instant.ts';
import { startLoad } from '../e2e/kit/load.ts';
import { burst } from '../e2e/kit/load-plan.ts';
import { Pods } from '../e2e/kit/pods.ts';
import { fixed } from '../e2e/kit/random.ts';
import { Sluice } from '../e2e/kit/sluice.ts';
import { TestCluster } from './kit/cluster.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

const PORT = 8080;
const COST = 'controller.kubernetes.io/pod-deletion-cost';

interface KubePod {
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly status?: { readonly podIP?: string };
}

describe.skipIf(WHY_NOT !== undefined)(named('scaling down'), { timeout: 120_000 }, () => {
  let cluster: TestCluster;
  beforeAll(() => {
    cluster = new TestCluster(inject('kubeCluster'));
  });

  /** The Pods of the ReplicaSet that are not terminating. */
  async function podsOf(space: TestNamespace): Promise<readonly KubePod[]> {
    const { body } = await cluster.ask('GET', space.path('pods'));
    const items: readonly KubePod[] = body.items;
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  test('the real ReplicaSet controller takes idle pods, and no job is killed', async () => {
    const space = await TestNamespace.make(cluster);
    const pods = await Pods.start({ count: 6, network: '10.244.42', port: PORT });
    await space.addService('codec', [{ name: 'http', port: 80, targetPort: PORT }]);
    const path = `/apis/apps/v1/namespaces/${space.name}/replicasets`;
    const labels = { app: 'codec' };
    const template = {
      metadata: { labels },
      spec: { nodeName: 'node-a', automountServiceAccountToken: false, containers: [{ name: 'main', image: 'none' }] },
    };
    const spec = { replicas: 6, selector: { matchLabels: labels }, template };
    await cluster.ask('POST', path, { metadata: { name: 'codec' }, spec });
    await until(async () => (await podsOf(space)).length === 6, {
      what: 'the controller to make six Pods',
      within: 30_000,
    });
    // What a kubelet does: each Pod gets the address of a server that runs.
    for (const [index, { metadata }] of (await podsOf(space)).entries()) {
      const [ip = ''] = (pods.addresses[index] ?? '').split(':');
      const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString() }];
      const status = { phase: 'Running', conditions, podIP: ip, podIPs: [{ ip }] };
      await cluster.ask('PATCH', space.path(`pods/${metadata.name}/status`), { status });
    }
    const sluice = await Sluice.start({
      routes: {
        services: { codec: { kubernetes: { namespace: space.name, service: 'codec', port: 80 }, limit: 1 } },
        routes: [{ match: { prefix: '/' }, service: 'codec' }],
      },
      args: ['--kubeconfig', cluster.kubeconfig(), '--pod-deletion-cost'],
    });
    const client = http1Client({ port: sluice.port });
    try {
      await until(async () => (await sluice.podStates('codec')).length === 6, {
        what: 'Sluice to see six pods',
        within: 30_000,
      });
      const jobs = startLoad(client, burst(2, { work: fixed(20_000) }));
      await until(async () => (await pods.held()) === 2, { what: 'two jobs' });
      const busy = (await pods.counts()).filter(({ held }) => held > 0).map(({ pod }) => pod.split(':')[0]);
      const costs = async () =>
        new Map((await podsOf(space)).map(({ metadata, status }) => [status?.podIP, metadata.annotations?.[COST]]));
      await until(
        async () => {
          const told = await costs();
          return [...told].every(([ip, cost]) => cost === (busy.includes(ip ?? '') ? '1' : '0'));
        },
        { what: 'each Pod to have its cost', within: 15_000 },
      );
      await cluster.ask('PATCH', `${path}/codec`, { spec: { replicas: 2 } });
      await until(async () => (await podsOf(space)).length === 2, { what: 'four Pods to go', within: 30_000 });
      const left = (await podsOf(space)).map(({ status }) => status?.podIP);
      expect(left.sort()).toEqual([...busy].sort());
      expect((await jobs.results).map(({ status }) => status)).toEqual([200, 200]);
      // Idle again.
      await until(async () => [...(await costs()).values()].every((cost) => cost === '0'), {
        what: 'both to be idle',
        within: 15_000,
      });
    } finally {
      client.close();
      await sluice.stop();
      await pods.stop();
    }
  });
});
