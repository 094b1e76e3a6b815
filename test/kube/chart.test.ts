import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { parseRouteFile } from '../../src/routes/file/parse.ts';
import { K8S, type Manifest, WHY_NOT as NO_KUBECTL, named, only, ROOT, render } from '../unit/k8s/kustomize.ts';
import { TestCluster } from './kit/cluster.ts';
import { WHY_NOT as NO_CLUSTER } from './kit/skip.ts';

const HELM = process.env['SLUICE_KUBE_HELM'] ?? '';
const CHART = join(ROOT, 'charts/sluice');
const KUBE = ['--kube-version', '1.35.0'];
const whyNot = NO_CLUSTER ?? NO_KUBECTL ?? (HELM === '' ? 'Helm cannot be built here' : undefined);
const title = whyNot === undefined ? 'the Helm chart' : `the Helm chart (skipped: ${whyNot})`;

/** What `helm template` makes of the chart. */
function template(...args: readonly string[]): readonly Manifest[] {
  const all = ['template', 'sluice', CHART, '--namespace', 'apps', ...KUBE, ...args];
  const text = execFileSync(HELM, all, { encoding: 'utf8' });
  return parseAllDocuments(text).flatMap((document) => {
    expect([...document.errors, ...document.warnings]).toEqual([]);
    return document.toJS() ?? [];
  });
}

const set = (...values: readonly string[]) => values.flatMap((value) => ['--set', value]);

const VARIANTS: readonly (readonly [string, readonly string[]])[] = [
  ['as it is', []],
  ['TLS', set('tls.secretName=codec-tls', 'service.port=443')],
  ['a load balancer', set('service.type=LoadBalancer', 'service.externalTrafficPolicy=Local')],
  ['deletion costs', set('podDeletionCost=true')],
  ['limits of Pods', set('podLimits=true', 'gatewayApi.enabled=false', 'ingresses.enabled=true', 'istio.enabled=true')],
  ['other namespaces', set('watchNamespaces={ai-media,apps}')],
  [
    'everything else',
    [
      ...set('existingConfigMap=mine', 'image.tag=v9', 'priorityClassName=high', 'extraArgs={--dns-poll=1s}'),
      ...set('extraEnv[0].name=LIMIT', 'extraEnv[0].value=two', 'nodeSelector.disk=ssd', 'podLabels.team=media'),
      ...set('imagePullSecrets[0].name=registry', 'tolerations[0].operator=Exists', 'podAnnotations.a=b'),
      ...set('service.externalIPs={192.0.2.1}', 'service.annotations.a=b', 'networkPolicy.enabled=false'),
    ],
  ],
];

describe.skipIf(whyNot !== undefined)(title, () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = new TestCluster(inject('kubeCluster'));
    for (const name of ['apps', 'ai-media']) {
      await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name } }, true);
    }
  });

  test('has nothing that helm lint would find', () => {
    expect(execFileSync(HELM, ['lint', '--strict', ...KUBE, CHART], { encoding: 'utf8' })).toContain(
      '1 chart(s) linted, 0 chart(s) failed',
    );
  });

  test.each(VARIANTS)('%s: every object is taken by the API server', async (_, args) => {
    const items = template(...args);
    const running = promisify(execFile)('kubectl', [
      ...['--kubeconfig', cluster.kubeconfig(), 'apply', '--dry-run=server', '--validate=strict', '-f', '-'],
    ]);
    running.child.stdin?.end(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    expect((await running).stdout.trim().split('\n')).toHaveLength(items.length);
  });

  test('runs the same pod as k8s/, with the same rights and the same bounds', () => {
    const [chart, manifests] = [template(), render('.')];
    const pod = (all: readonly Manifest[]) => only(all, 'Deployment')['spec'].template.spec;
    // Their names differ, and so does what tells the level of the log.
    const comparable = (spec: unknown) =>
      JSON.parse(
        JSON.stringify(spec)
          .replaceAll(/sluice-envoy-[0-9a-z]+/g, 'sluice-envoy')
          .replaceAll(',"app.kubernetes.io/instance":"sluice"', '')
          .replace(',"--log-level=info"', ''),
      );
    const { imagePullPolicy: _, ...sluice } = comparable(pod(chart)).containers[0];
    const { containers: expected, ...rest } = comparable(pod(manifests));
    expect(sluice).toEqual(expected[0]);
    expect(comparable(pod(chart)).containers[1]).toEqual(expected[1]);
    expect(comparable(pod(chart))).toMatchObject(rest);
    for (const role of ['sluice', 'sluice-peers'])
      expect(named(chart, 'Role', role)['rules']).toEqual(named(manifests, 'Role', role)['rules']);
    const ingress = (all: readonly Manifest[]) => comparable(only(all, 'NetworkPolicy')['spec'].ingress);
    expect(ingress(chart)).toEqual(ingress(manifests));
    const { replicas, strategy } = only(manifests, 'Deployment')['spec'];
    expect(only(chart, 'Deployment')['spec']).toMatchObject({ replicas, strategy });
    const budget = ({ spec: { selector: _, ...bounds } }: Manifest) => bounds;
    expect(budget(only(chart, 'PodDisruptionBudget'))).toEqual(budget(only(manifests, 'PodDisruptionBudget')));
    expect(Object.keys(only(chart, 'Secret')).sort()).toEqual(['apiVersion', 'kind', 'metadata']);
  });

  test('selectors find the pod, and nothing of a version is among its labels', () => {
    const all = template(...set('monitoring.enabled=true'));
    const { labels } = only(all, 'Deployment')['spec'].template.metadata;
    expect(labels).toEqual({ 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/instance': 'sluice' });
    const selectors = [
      only(all, 'Deployment')['spec'].selector.matchLabels,
      only(all, 'Service')['spec'].selector,
      only(all, 'PodDisruptionBudget')['spec'].selector.matchLabels,
      only(all, 'NetworkPolicy')['spec'].podSelector.matchLabels,
      only(all, 'PodMonitor')['spec'].selector.matchLabels,
    ];
    for (const selector of selectors) expect(selector).toEqual(labels);
  });

  test('with TLS the route file, Sluice and the Service have it', () => {
    const all = template(...set('tls.secretName=codec-tls', 'service.port=443'));
    const map = all.find(({ metadata }) => metadata.name === 'sluice-routes');
    const read = parseRouteFile(map?.['data']['routes.yaml'], { path: 'routes.yaml', env: {}, baseDir: '/' });
    const files = { kind: 'files', cert: '/etc/sluice-tls/tls.crt', key: '/etc/sluice-tls/tls.key' };
    expect(read).toMatchObject({ ok: true, value: { routing: { listeners: [{ tls: { certificates: [files] } }] } } });
    const { containers, volumes } = only(all, 'Deployment')['spec'].template.spec;
    expect(volumes).toContainEqual({ name: 'tls', secret: { secretName: 'codec-tls' } });
    const [sluice, envoy] = containers;
    expect(sluice.volumeMounts).toContainEqual({ name: 'tls', mountPath: '/etc/sluice-tls', readOnly: true });
    expect(envoy.volumeMounts.map(({ name }: { name: string }) => name)).toEqual(['envoy']);
    expect(only(all, 'Service')['spec'].ports).toEqual([{ name: 'https', port: 443, targetPort: 'http' }]);
  });

  test('each watched namespace has a Role, and two releases do not share a name there', () => {
    const all = template(...set('watchNamespaces={ai-media,apps}'));
    const isOfServices = ({ metadata }: Manifest) => !metadata.name.endsWith('-peers');
    const roles = all.filter((one) => one.kind === 'Role' && isOfServices(one)).map(({ metadata }) => metadata);
    expect(roles).toMatchObject([
      { name: 'sluice', namespace: 'apps' },
      { name: 'sluice.apps', namespace: 'ai-media' },
    ]);
    const bindings = all.filter((one) => one.kind === 'RoleBinding' && isOfServices(one));
    expect(bindings).toHaveLength(2);
    for (const { subjects } of bindings) {
      expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'sluice', namespace: 'apps' }]);
    }
  });

  test('monitoring opens the admin for Prometheus, with the labels that it selects by and the alerts of k8s/', () => {
    const all = template(...set('monitoring.enabled=true'));
    for (const kind of ['PodMonitor', 'PrometheusRule']) {
      expect(only(all, kind).metadata).toMatchObject({ labels: { release: 'kube-prometheus-stack' } });
    }
    const [sluice] = only(all, 'Deployment')['spec'].template.spec.containers;
    expect(sluice.args).toContain('--admin=0.0.0.0:18001');
    expect(sluice.ports).toEqual([
      { name: 'peers', containerPort: 18002 },
      { name: 'admin', containerPort: 18001 },
    ]);
    const [, , admin] = only(all, 'NetworkPolicy')['spec'].ingress;
    expect(admin.ports).toEqual([{ protocol: 'TCP', port: 'admin' }]);
    const rules = execFileSync('cat', [`${K8S}observability/alerts.yaml`], { encoding: 'utf8' });
    expect(only(all, 'PrometheusRule')['spec']).toEqual(parse(rules));
    expect(template().map(({ kind }) => kind)).not.toContain('PodMonitor');
  });

  test("the example of the chart's own page has the routes that it says", () => {
    const [, values = ''] = /```yaml\n(image:.*?)```/s.exec(readFileSync(join(CHART, 'README.md'), 'utf8')) ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'sluice-chart-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'values.yaml'), values);
    const map = template('--values', join(folder, 'values.yaml')).find(
      ({ metadata }) => metadata.name === 'sluice-routes',
    );
    const read = parseRouteFile(map?.['data']['routes.yaml'], { path: 'routes.yaml', env: {}, baseDir: '/' });
    expect(read).toMatchObject({ ok: true, value: { warnings: [], routing: { services: [{ name: 'codec' }] } } });
  });

  test('objects of the Gateway API: rights, class, ports, and no route file unless there is one', () => {
    const all = template(...set('gatewayApi.enabled=true', 'routes=null', 'gatewayApi.statusAddresses={192.0.2.1}'));
    const { containers, volumes, securityContext } = only(all, 'Deployment')['spec'].template.spec;
    const [sluice, envoy] = containers;
    expect(sluice.args).toEqual(expect.arrayContaining(['--gateway-api', '--gateway-status-address=192.0.2.1']));
    expect(sluice.args.join(' ')).not.toContain('--routes');
    expect(JSON.stringify([volumes, sluice.volumeMounts])).not.toContain('"routes"');
    expect(all.some(({ metadata }) => metadata.name === 'sluice-routes')).toBe(false);
    expect(securityContext.sysctls).toEqual([{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }]);
    expect(envoy.ports.map((one: { containerPort: number }) => one.containerPort).sort()).toEqual([443, 80]);
    expect(only(all, 'Service')['spec'].ports).toHaveLength(2);
    expect(only(all, 'GatewayClass')['spec']).toEqual({ controllerName: 'sluice.dev/gateway-controller' });
    expect(only(all, 'ClusterRole')['rules']).toEqual(only(render('gateway-api'), 'ClusterRole')['rules']);
    expect(only(all, 'ClusterRoleBinding')['roleRef'].name).toBe(only(all, 'ClusterRole').metadata.name);
    const both = only(template(...set('gatewayApi.enabled=true')), 'Deployment')['spec'].template.spec.containers[0];
    expect(both.args).toEqual(expect.arrayContaining(['--routes=/etc/sluice/routes.yaml', '--gateway-api']));
  });

  test('Ingresses: rights, class, and the same ports once, whatever else takes requests there', () => {
    const flags = ['ingresses.enabled=true', 'routes=null', 'ingresses.classes={nginx}', 'ingresses.defaultClass=true'];
    const all = template(...set(...flags));
    const { containers } = only(all, 'Deployment')['spec'].template.spec;
    expect(containers[0].args).toEqual(
      expect.arrayContaining(['--ingress', '--ingress-class=nginx', '--ingress-port=80', '--ingress-tls-port=443']),
    );
    expect(containers[0].args.join(' ')).toMatch(/--publish-service=\S+\/sluice/);
    expect(containers[0].args.join(' ')).not.toContain('--routes');
    expect(only(all, 'IngressClass')).toMatchObject({
      metadata: { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: 'sluice.dev/ingress-controller' },
    });
    expect(only(all, 'ClusterRole')['rules']).toEqual(only(render('ingress'), 'ClusterRole')['rules']);
    const both = template(...set('ingresses.enabled=true', 'gatewayApi.enabled=true'));
    expect(only(both, 'Service')['spec'].ports).toHaveLength(2);
    expect(both.filter(({ kind }) => kind === 'ClusterRole')).toHaveLength(2);
    const istio = template(...set('istio.enabled=true', 'istio.certificates={a/b}'));
    const { args } = only(istio, 'Deployment')['spec'].template.spec.containers[0];
    expect(args).toEqual(expect.arrayContaining(['--istio', '--istio-certificate=a/b', '--istio-port=80']));
    expect(only(istio, 'ClusterRole')['rules']).toEqual(only(render('istio'), 'ClusterRole')['rules']);
  });

  test('a Secret of your own is read, and never written; none is made', () => {
    const all = template(...set('peers.secretName=mine'));
    expect(all.map(({ kind }) => kind)).not.toContain('Secret');
    expect(only(all, 'Deployment')['spec'].template.spec.containers[0].args).toContain('--peers-secret=mine');
    const [, , right] = named(all, 'Role', 'sluice-peers')['rules'];
    expect(right).toMatchObject({ resources: ['secrets'], resourceNames: ['mine'], verbs: ['get'] });
  });

  test('values that make no sense are refused', () => {
    const refused = () =>
      execFileSync(HELM, ['template', CHART, ...KUBE, ...set('service.port=no')], { stdio: 'pipe' });
    expect(refused).toThrow(/service.port|port/);
  });
});
