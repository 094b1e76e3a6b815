import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { KubeSource } from '../../src/endpoints/kube/kube-source.ts';
import { HttpApi } from '../../src/kubernetes/http-api.ts';
import type { Locator } from '../../src/model/locator.ts';
import { TestCluster } from './kit/cluster.ts';
import { FaultProxy } from './kit/fault-proxy.ts';
import { Follower } from './kit/follower.ts';
import { podPort, servicePort } from './kit/locators.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';

describe.skipIf(WHY_NOT !== undefined)(named('access to a real API server'), () => {
  let cluster: TestCluster;
  let space: TestNamespace;
  beforeAll(() => {
    cluster = new TestCluster(inject('kubeCluster'));
  });
  beforeEach(async () => {
    space = await TestNamespace.make(cluster);
    await space.addBareService('codec', ['10.244.1.1']);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });
  const follow = (kubeconfig: string, ...locators: readonly Locator[]) => {
    const follower = new Follower(kubeconfig, locators, { steady: 0 });
    onTestFinished(() => follower.stop());
    return follower;
  };
  const grant = async (role: object, subject: object) => {
    await cluster.ask('POST', `${RBAC}/namespaces/${space.name}/roles`, role);
    await cluster.ask('POST', `${RBAC}/namespaces/${space.name}/rolebindings`, {
      metadata: { name: 'sluice' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sluice' },
      subjects: [subject],
    });
  };
  const APP = { kind: 'User', name: 'app' };

  test('without permission: says which, and the Role it gives as a cure is one, without a restart', async () => {
    const codec = servicePort(space.name, 'codec', 80);
    const follower = follow(cluster.kubeconfig('app'), codec);
    await follower.until(codec, ({ problems }) => problems.length === 2);
    expect(follower.say(codec)).toBe('pending');
    const [first, second] = follower.problems(codec);
    expect(first).toContain(
      `kubernetes ${space.name}: not allowed to list endpointslices.discovery.k8s.io in namespace ${space.name} as "app"; apply the Role {`,
    );
    expect(second).toContain(`not allowed to list services in namespace ${space.name} as "app"`);
    expect(first).toContain(`bind it: kubectl create rolebinding sluice -n ${space.name} --role=sluice --user=app`);
    const yaml = /apply the Role (\{.*\}) and bind it/.exec(first ?? '')?.[1] ?? '';
    await grant(parse(yaml), APP);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
    expect(follower.problems(codec)).toEqual([]);
    await space.setPods('codec', ['10.244.1.2']);
    await follower.untilSays(codec, 'ready 10.244.1.2:8080');
  });

  test('without permission for Services: the pods by their own port are there, with a warning', async () => {
    const rules = [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] }];
    await grant({ metadata: { name: 'sluice' }, rules }, APP);
    const [byPod, byService] = [podPort(space.name, 'codec', 8080), servicePort(space.name, 'codec', 80)];
    const follower = follow(cluster.kubeconfig('app'), byPod, byService);
    await follower.untilSays(byPod, 'ready 10.244.1.1:8080');
    expect(follower.problems(byPod)).toHaveLength(1);
    expect(follower.problems(byPod)[0]).toContain(`warning: not allowed to list services in namespace ${space.name}`);
    expect(follower.say(byService)).toBe('pending');
    expect(follower.source.pods(byService).problems.map(({ severity }) => severity)).toEqual(['error']);
    await space.setPods('codec', ['10.244.1.2']);
    await follower.untilSays(byPod, 'ready 10.244.1.2:8080');
  });

  test('permission that is taken away: the pods stay, and it is said', async () => {
    const rules = [{ apiGroups: ['discovery.k8s.io', ''], resources: ['*'], verbs: ['list', 'watch'] }];
    await grant({ metadata: { name: 'sluice' }, rules }, APP);
    const proxy = await FaultProxy.start(cluster);
    onTestFinished(() => proxy.stop());
    const codec = servicePort(space.name, 'codec', 80);
    const follower = follow(proxy.kubeconfig(`${space.name}.kubeconfig`, { token: 'app-token-2' }), codec);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
    await cluster.ask('PUT', `${RBAC}/namespaces/${space.name}/roles/sluice`, {
      metadata: { name: 'sluice' },
      rules: [{ ...rules[0], verbs: ['list'] }],
    });
    // An open watch goes on as it is.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(follower.say(codec)).toBe('ready 10.244.1.1:8080');
    proxy.endWatches();
    await follower.untilSays(codec, 'stale 10.244.1.1:8080');
    expect(follower.problems(codec).join()).toContain('not allowed to watch');
    await cluster.ask('PUT', `${RBAC}/namespaces/${space.name}/roles/sluice`, { metadata: { name: 'sluice' }, rules });
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
  });

  test('in a pod: its service account, with nothing but a Role, and its namespace is the default', async () => {
    await cluster.ask('POST', space.path('serviceaccounts'), { metadata: { name: 'sluice' } });
    const token = await cluster.ask('POST', space.path('serviceaccounts/sluice/token'), { spec: {} });
    const folder = join(cluster.folder, space.name, 'var/run/secrets/kubernetes.io/serviceaccount');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'token'), token.body.status.token);
    writeFileSync(join(folder, 'namespace'), space.name);
    writeFileSync(join(folder, 'ca.crt'), readFileSync(join(cluster.folder, 'certs/apiserver.crt')));
    const { hostname, port } = new URL(cluster.server);
    vi.stubEnv('KUBECONFIG', undefined);
    vi.stubEnv('KUBERNETES_SERVICE_HOST', hostname);
    vi.stubEnv('KUBERNETES_SERVICE_PORT', port);

    const api = new HttpApi({ root: join(cluster.folder, space.name) });
    expect(await api.namespace()).toEqual({ ok: true, value: space.name });
    const source = new KubeSource({ clock: systemClock, log: () => undefined, cluster: api });
    const codec = servicePort(undefined, 'codec', 80);
    source.want([codec]);
    const stop = new AbortController();
    const done = source.run(stop.signal, () => undefined);
    onTestFinished(async () => {
      stop.abort();
      await done;
    });
    await expect.poll(() => source.pods(codec).problems.length, { timeout: 20_000 }).toBe(2);
    const fix = source.pods(codec).problems[0]?.fix ?? '';
    expect(fix).toContain(`--role=sluice --serviceaccount=${space.name}:sluice`);
    const yaml = /apply the Role (\{.*\}) and bind it/.exec(fix)?.[1] ?? '';
    await grant(parse(yaml), { kind: 'ServiceAccount', name: 'sluice', namespace: space.name });
    await expect
      .poll(() => source.pods(codec), { timeout: 20_000 })
      .toEqual({ kind: 'ready', value: [{ ip: '10.244.1.1', port: 8080, state: 'ready' }], problems: [] });
  });

  test('$KUBECONFIG, and the namespace of its context', async () => {
    const text = readFileSync(cluster.kubeconfig(), 'utf8').replace(
      'cluster: test,',
      `cluster: test, namespace: ${space.name},`,
    );
    vi.stubEnv('KUBECONFIG', `${join(cluster.folder, 'not-there')}:${cluster.write(`${space.name}.yaml`, text)}`);
    const codec = servicePort(undefined, 'codec', 80);
    const api = new HttpApi({});
    expect(await api.namespace()).toEqual({ ok: true, value: space.name });
    const source = new KubeSource({ clock: systemClock, log: () => undefined });
    source.want([codec]);
    const stop = new AbortController();
    const done = source.run(stop.signal, () => undefined);
    await expect.poll(() => source.pods(codec).kind, { timeout: 20_000 }).toBe('ready');
    stop.abort();
    await done;
  });

  test('a kubeconfig that is not there yet, or whose address changes, is read again', async () => {
    const path = join(cluster.folder, `${space.name}-late.yaml`);
    const codec = servicePort(space.name, 'codec', 80);
    const follower = follow(path, codec);
    await follower.until(codec, ({ problems }) => problems.some(({ message }) => message.includes('no such file')));
    const right = readFileSync(cluster.kubeconfig(), 'utf8');
    writeFileSync(path, right.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
    await follower.until(codec, ({ problems }) => problems.some(({ message }) => message.includes('ECONNREFUSED')));
    writeFileSync(path, right);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
  });
});
