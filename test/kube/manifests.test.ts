import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import {
  APPLICABLE,
  K8S,
  type Manifest,
  WHY_NOT as NO_KUBECTL,
  renderWith,
  renderWithSettings,
} from '../unit/k8s/kustomize.ts';
import { TestCluster } from './kit/cluster.ts';
import { TestNamespace } from './kit/namespace.ts';
import { WHY_NOT as NO_CLUSTER } from './kit/skip.ts';

const whyNot = NO_CLUSTER ?? NO_KUBECTL;
const title = whyNot === undefined ? 'k8s manifests' : `k8s manifests (skipped: ${whyNot})`;

describe.skipIf(whyNot !== undefined)(title, () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = new TestCluster(inject('kubeCluster'));
    await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name: 'ai-media' } }, true);
  });

  async function kubectl(args: readonly string[], input?: string): Promise<string> {
    const running = promisify(execFile)('kubectl', ['--kubeconfig', cluster.kubeconfig(), ...args]);
    running.child.stdin?.end(input ?? '');
    return (await running).stdout;
  }

  /** kubectl's complaint; fails when it has none. */
  async function refusal(args: readonly string[], input?: string): Promise<string> {
    const done = await kubectl(args, input).then(
      (out) => out,
      (error: { stderr: string }) => error,
    );
    if (typeof done === 'string') throw new Error(`was accepted:\n${done}`);
    return done.stderr;
  }

  /** How many objects there are, where it is not the usual number. */
  const OBJECTS: Readonly<Record<string, number>> = { 'watched-namespace': 2, 'overlays/lbagent': 11 };
  const dryRun = ['apply', '--dry-run=server', '--validate=strict'];

  test.each(APPLICABLE)('kubectl apply -k k8s/%s is taken by the API server', async (folder) => {
    const out = await kubectl([...dryRun, '-k', `${K8S}${folder}`]);
    expect(out.trim().split('\n')).toHaveLength(OBJECTS[folder] ?? 12);
    expect(await kubectl([...dryRun, '--server-side', '-k', `${K8S}${folder}`])).toContain('serverside-applied');
  });

  test('so is the component that lets Prometheus in', async () => {
    const items = renderWith('base', 'observability/scraping').map((item) => ({
      ...item,
      metadata: { ...item.metadata, namespace: 'ai-media' },
    }));
    const out = await kubectl([...dryRun, '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    expect(out).toContain('networkpolicy.networking.k8s.io/sluice-scraping created');
  });

  test('a manifest with an unknown field or a bad value is not: the test above can fail', async () => {
    const text = await kubectl(['kustomize', `${K8S}.`]);
    const misspelt = text.replace('terminationGracePeriodSeconds', 'terminationGracePeriod');
    expect(await refusal([...dryRun, '-f', '-'], misspelt)).toContain('unknown field');
    expect(await refusal([...dryRun, '-f', '-'], text.replace('type: RollingUpdate', 'type: Never'))).toContain(
      'spec.strategy',
    );
  });

  test.each([
    ['applied, with the labels of its own manifests', { 'k8s-app': 'lb-agent', 'qcloud-app': 'lb-agent' }, 'apply'],
    ['created, with other labels', { app: 'agent' }, 'create'],
  ])('it takes the place of an lb-agent that was %s, and keeps its ConfigMap', async (_, labels, how) => {
    const { name: namespace } = await TestNamespace.make(cluster);
    const metadata = { name: 'lb-agent', namespace };
    const containers = [{ name: 'lb-agent-container', image: 'lb-agent' }];
    const before = [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { ...metadata, labels },
        spec: {
          replicas: 1,
          selector: { matchLabels: labels },
          strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
          template: { metadata: { labels }, spec: { containers } },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { ...metadata, labels: { app: 'lb-agent' } },
        spec: {
          type: 'NodePort',
          ports: [{ name: '8080-8080-tcp', port: 8080, targetPort: 8080 }],
          selector: labels,
        },
      },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'lb-agent-config', namespace },
        data: { 'config.yaml': 'port: 8080\nroutes: []\n' },
      },
    ];
    await kubectl([how, '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: before }));
    const items = renderWithSettings('overlays/lbagent', { namespace });
    await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const patch = ['--type=json', `--patch-file=${K8S}overlays/lbagent/selector.json`];
    await kubectl(['patch', 'service', 'lb-agent', '--namespace', namespace, ...patch]);

    const service = await cluster.ask('GET', `/api/v1/namespaces/${namespace}/services/lb-agent`);
    expect(service.body.spec).toMatchObject({ type: 'NodePort', ports: [{ port: 8080, targetPort: 8080 }] });
    expect(service.body.spec.selector).toEqual({ 'app.kubernetes.io/name': 'sluice' });
    const deployments = await cluster.ask('GET', `/apis/apps/v1/namespaces/${namespace}/deployments`);
    expect(deployments.body.items.map((one: Manifest) => one.metadata.name).sort()).toEqual(['lb-agent', 'sluice']);
    const config = await cluster.ask('GET', `/api/v1/namespaces/${namespace}/configmaps/lb-agent-config`);
    expect(config.body.data).toEqual({ 'config.yaml': 'port: 8080\nroutes: []\n' });
  });

  test('the Role suffices, in its own namespace and in a watched one, and gives nothing beyond', async () => {
    const home = await TestNamespace.make(cluster);
    const watched = await TestNamespace.make(cluster);
    const here = (await kubectl(['kustomize', `${K8S}.`])).replaceAll('namespace: default', `namespace: ${home.name}`);
    await kubectl(['apply', '-f', '-'], here);
    const there = (await kubectl(['kustomize', `${K8S}watched-namespace`]))
      .replaceAll('namespace: ai-media', `namespace: ${watched.name}`)
      .replaceAll('namespace: default', `namespace: ${home.name}`);
    await kubectl(['apply', '-f', '-'], there);

    const may = async (verb: string, resource: string, namespace: string) => {
      const who = ['--as', `system:serviceaccount:${home.name}:sluice`, '--namespace', namespace];
      // Without the right, kubectl says "no" and fails.
      const said = await kubectl(['auth', 'can-i', verb, resource, ...who]).catch(
        ({ stdout }: { stdout: string }) => stdout,
      );
      return said.trim();
    };
    for (const namespace of [home.name, watched.name]) {
      for (const resource of ['services', 'endpointslices.discovery.k8s.io']) {
        expect([await may('list', resource, namespace), await may('watch', resource, namespace)]).toEqual([
          'yes',
          'yes',
        ]);
        expect([await may('get', resource, namespace), await may('delete', resource, namespace)]).toEqual(['no', 'no']);
      }
      expect(await may('list', 'secrets', namespace)).toBe('no');
    }
    expect(await may('list', 'services', 'kube-system')).toBe('no');
    // What the pairs share is in their own namespace.
    const leases = 'leases.coordination.k8s.io';
    for (const verb of ['get', 'list', 'create', 'update', 'delete'])
      expect([await may(verb, leases, home.name), await may(verb, leases, watched.name)]).toEqual(['yes', 'no']);
    expect([await may('get', 'pods', home.name), await may('list', 'pods', home.name)]).toEqual(['yes', 'no']);
    const secrets = ['secrets/sluice', 'secrets/other'];
    for (const verb of ['get', 'update'])
      expect(await Promise.all(secrets.map((one) => may(verb, one, home.name)))).toEqual(['yes', 'no']);
  });
});
