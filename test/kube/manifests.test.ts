import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { APPLICABLE, K8S, WHY_NOT as NO_KUBECTL, renderWith } from '../unit/k8s/kustomize.ts';
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

  const dryRun = ['apply', '--dry-run=server', '--validate=strict'];

  test.each(APPLICABLE)('kubectl apply -k k8s/%s is taken by the API server', async (folder) => {
    const out = await kubectl([...dryRun, '-k', `${K8S}${folder}`]);
    expect(out.trim().split('\n')).toHaveLength(folder === 'watched-namespace' ? 2 : 9);
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
    expect(await refusal([...dryRun, '-f', '-'], text.replace('type: Recreate', 'type: Never'))).toContain(
      'spec.strategy',
    );
  });

  test('it takes the place of a running lb-agent', async () => {
    const labels = { 'k8s-app': 'lb-agent', 'qcloud-app': 'lb-agent' };
    const containers = [{ name: 'lb-agent-container', image: 'lb-agent' }];
    const before = [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'lb-agent', namespace: 'ai-media', labels },
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
        metadata: { name: 'lb-agent', namespace: 'ai-media', labels: { app: 'lb-agent' } },
        spec: {
          ports: [{ name: '8080-8080-tcp', port: 8080, targetPort: 8080 }],
          selector: { 'k8s-app': 'lb-agent' },
        },
      },
    ];
    await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: before }));
    await kubectl(['apply', '-k', `${K8S}overlays/lbagent`]);
    const deployment = await cluster.ask('GET', '/apis/apps/v1/namespaces/ai-media/deployments/lb-agent');
    const { strategy, template } = deployment.body.spec;
    expect(strategy).toEqual({ type: 'Recreate' });
    expect(template.spec.containers.map(({ name }: { name: string }) => name)).toEqual(['sluice', 'envoy']);
    const service = await cluster.ask('GET', '/api/v1/namespaces/ai-media/services/lb-agent');
    expect(service.body.spec.ports).toMatchObject([{ name: 'http', port: 8080, targetPort: 'http' }]);
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
  });
});
