import { beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { KubeLocator } from '../../src/endpoints/kube/find-pods.ts';
import { formatStaticPod } from '../../src/model/locator.ts';
import { http1Client } from '../e2e/kit/client-http1.ts';
import { until } from '../e2e/kit/instant.ts';
import { load, startLoad } from '../e2e/kit/load.ts';
import { burst } from '../e2e/kit/load-plan.ts';
import { Pods } from '../e2e/kit/pods.ts';
import { fixed } from '../e2e/kit/random.ts';
import { slotPeaks } from '../e2e/kit/slot-peaks.ts';
import { Sluice } from '../e2e/kit/sluice.ts';
import { TestCluster } from './kit/cluster.ts';
import { Follower } from './kit/follower.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const PORT = 8080;

describe.skipIf(WHY_NOT !== undefined)(named('limits that Pods say themselves'), { timeout: 120_000 }, () => {
  let cluster: TestCluster;
  let space: TestNamespace;
  beforeAll(() => {
    cluster = new TestCluster(inject('kubeCluster'));
  });
  beforeEach(async () => {
    space = await TestNamespace.make(cluster);
    await space.addService('codec', [{ name: 'http', port: 80, targetPort: PORT }]);
  });
  const locators = (): readonly [KubeLocator, KubeLocator] => {
    const plain: KubeLocator = {
      kind: 'kubernetes',
      namespace: space.name,
      service: 'codec',
      port: { kind: 'service', port: 80 },
    };
    return [plain, { ...plain, podLimits: true }];
  };
  const follow = (kubeconfig: string, wanted: readonly KubeLocator[]) => {
    const follower = new Follower(kubeconfig, wanted, { steady: 0 });
    onTestFinished(() => follower.stop());
    const limits = (locator: KubeLocator) => {
      const state = follower.source.pods(locator);
      return state.kind === 'pending' ? ['pending'] : state.value.map(formatStaticPod);
    };
    return { follower, limits };
  };

  test('come, change and go with their annotations; a Pod made anew under its name is another one', async () => {
    const [plain, own] = locators();
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'], limit: '4' });
    await space.addPod('two', { app: 'codec', ips: ['10.244.1.2'] });
    const { follower, limits } = follow(cluster.kubeconfig(), [plain, own]);
    const untilHas = (...wanted: readonly string[]) =>
      follower.until(own, () => JSON.stringify(limits(own)) === JSON.stringify(wanted));
    await untilHas('10.244.1.1:8080 (limit 4)', '10.244.1.2:8080');
    await follower.untilSays(plain, 'ready 10.244.1.1:8080 10.244.1.2:8080');
    expect(limits(plain)).toEqual(['10.244.1.1:8080', '10.244.1.2:8080']);
    await space.setLimit('two', ' 7 ');
    await untilHas('10.244.1.1:8080 (limit 4)', '10.244.1.2:8080 (limit 7)');
    await space.setLimit('two', 'some');
    await untilHas('10.244.1.1:8080 (limit 4)', '10.244.1.2:8080');
    expect(follower.problems(own)).toEqual([
      `kubernetes ${space.name}/codec: warning: sluice.dev/limit: "some" is no limit; that of the service holds for Pod two; write a whole number from 1 up, in quotes: "4"`,
    ]);
    expect(follower.problems(plain)).toEqual([]);
    await space.setLimit('two', null);
    await follower.until(own, ({ problems }) => problems.length === 0);
    await space.removePod('one', 'at once');
    await untilHas('10.244.1.2:8080');
    // At the same address, as a node gives it to the next Pod.
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'], limit: '2' });
    await untilHas('10.244.1.1:8080 (limit 2)', '10.244.1.2:8080');
  });

  test('without the right to watch Pods only those services wait that ask for it, and the cure is one', async () => {
    const rules = [{ apiGroups: ['', 'discovery.k8s.io'], resources: ['services', 'endpointslices'] }];
    const role = (metadata: object, more: object) =>
      cluster.ask('POST', `${RBAC}/namespaces/${space.name}/roles`, { metadata, ...more });
    await role({ name: 'plain' }, { rules: rules.map((rule) => ({ ...rule, verbs: ['list', 'watch'] })) });
    const bind = (name: string) =>
      cluster.ask('POST', `${RBAC}/namespaces/${space.name}/rolebindings`, {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        subjects: [{ kind: 'User', name: 'app' }],
      });
    await bind('plain');
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'], limit: '4' });
    const [plain, own] = locators();
    const { follower, limits } = follow(cluster.kubeconfig('app'), [plain, own]);
    await follower.untilSays(plain, 'ready 10.244.1.1:8080');
    await follower.until(own, ({ problems }) => problems.length > 0);
    expect(follower.problems(plain)).toEqual([]);
    expect(follower.say(own)).toBe('pending');
    expect(follower.problems(own)[0]).toContain(`not allowed to list pods in namespace ${space.name} as "app"`);
    const yaml = /apply the Role (\{.*\}) and bind it/.exec(follower.problems(own).join('\n'))?.[1] ?? '';
    const { metadata, ...cure } = parse(yaml);
    expect(metadata.name).toBe('sluice');
    await role({ name: 'sluice' }, cure);
    await bind('sluice');
    await follower.untilSays(own, 'ready 10.244.1.1:8080');
    expect(limits(own)).toEqual(['10.244.1.1:8080 (limit 4)']);
  });

  test('a real Envoy gives each Pod what it allows, also one that comes under load, and after an edit', async () => {
    const pods = await Pods.start({ count: 3, network: '10.244.43', port: PORT });
    onTestFinished(() => pods.stop());
    const ipOf = (address = '') => address.split(':')[0] ?? '';
    const [large = '', usual = '', small = ''] = pods.addresses;
    await space.addPod('large', { app: 'codec', ips: [ipOf(large)], limit: '5' });
    await space.addPod('usual', { app: 'codec', ips: [ipOf(usual)] });
    const sluice = await Sluice.start({
      routes: {
        services: {
          codec: { kubernetes: { namespace: space.name, service: 'codec', port: 80 }, limit: 3, pod_limits: 'on' },
        },
        routes: [{ match: { prefix: '/' }, service: 'codec' }],
      },
      env: { KUBECONFIG: cluster.kubeconfig() },
    });
    onTestFinished(async () => {
      await sluice.stop();
    });
    await until(async () => (await sluice.podStates('codec')).length === 2, { what: 'two pods', within: 30_000 });
    const client = http1Client({ port: sluice.port });
    onTestFinished(() => client.close());
    const peaks = async () => Object.fromEntries((await pods.counts()).map(({ pod, peak }) => [pod, peak]));
    const running = startLoad(client, burst(120, { work: fixed(100) }));
    await until(async () => (await pods.held()) === 8, { what: 'both pods to be full' });
    await space.addPod('small', { app: 'codec', ips: [ipOf(small)], limit: '1' });
    const first = await running.results;
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await peaks()).toEqual({ [large]: 5, [usual]: 3, [small]: 1 });
    // An edit while requests run: more at once, fewer as soon as the ones too many have ended.
    const edited = startLoad(client, burst(100, { name: 'e', work: fixed(200) }));
    await until(async () => (await pods.held()) === 9, { what: 'all pods to be full' });
    await space.setLimit('small', '4');
    await space.setLimit('large', '2');
    await until(async () => (await pods.held()) === 9 && (await peaks())[small] === 4, { what: 'the new limits' });
    await edited.results;
    await pods.forget();
    const last = await load(client, burst(60, { name: 'l', work: fixed(50) }));
    expect(new Set(last.map(({ status }) => status))).toEqual(new Set([200]));
    expect(slotPeaks(await pods.requests())).toEqual({ [large]: 2, [usual]: 3, [small]: 4 });
  });
});
