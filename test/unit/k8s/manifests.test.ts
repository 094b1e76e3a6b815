import { describe, expect, test } from 'vitest';
import { APPLICABLE, type Manifest, only, render, renderWith, WHY_NOT } from './kustomize.ts';

const title = WHY_NOT === undefined ? 'k8s manifests' : `k8s manifests (skipped: ${WHY_NOT})`;
const deployments = APPLICABLE.filter((folder) => folder !== 'watched-namespace');

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  // biome-ignore lint/suspicious/noExplicitAny: looked at as a whole
  readonly [key: string]: any;
}

function containers(deployment: Manifest): { readonly sluice: Container; readonly envoy: Container } {
  const [sluice, envoy] = deployment['spec'].template.spec.containers;
  expect([sluice.name, envoy.name]).toEqual(['sluice', 'envoy']);
  return { sluice, envoy };
}

describe.skipIf(WHY_NOT !== undefined)(title, { timeout: 60_000 }, () => {
  test.each(APPLICABLE)('%s: every object is in one namespace', (folder) => {
    const namespaces = new Set(render(folder).map(({ metadata }) => metadata.namespace));
    expect([...namespaces]).toEqual([expect.stringMatching(/./)]);
  });

  test('the base names no namespace at all', () => {
    expect(JSON.stringify(render('base').map(({ metadata, subjects }) => ({ metadata, subjects })))).not.toContain(
      '"namespace"',
    );
  });

  test.each(deployments)('%s: one pod, and never two at a time', (folder) => {
    const { spec } = only(render(folder), 'Deployment');
    expect(spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(spec.progressDeadlineSeconds).toBeGreaterThan(spec.template.spec.terminationGracePeriodSeconds);
  });

  test.each(deployments)('%s: no container can do more than it needs', (folder) => {
    const deployment = only(render(folder), 'Deployment');
    const { securityContext, automountServiceAccountToken } = deployment['spec'].template.spec;
    expect(securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(automountServiceAccountToken).toBe(false);
    const { sluice, envoy } = containers(deployment);
    for (const container of [sluice, envoy]) {
      expect(container['securityContext']).toMatchObject({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      });
      expect(container['securityContext'].runAsUser).toBeGreaterThan(0);
      expect(container['resources'].requests).toMatchObject({ cpu: expect.anything(), memory: expect.anything() });
      expect(container['startupProbe'] && container['livenessProbe'] && container['readinessProbe']).toBeTruthy();
    }
    expect(envoy.volumeMounts.map(({ name }) => name)).toEqual(['envoy']);
  });

  test.each(deployments)('%s: selectors find the pod, names find their objects', (folder) => {
    const manifests = render(folder);
    const deployment = only(manifests, 'Deployment');
    const { metadata, spec } = deployment['spec'].template;
    const selectors = [
      deployment['spec'].selector.matchLabels,
      only(manifests, 'Service')['spec'].selector,
      only(manifests, 'PodDisruptionBudget')['spec'].selector.matchLabels,
      only(manifests, 'NetworkPolicy')['spec'].podSelector.matchLabels,
    ];
    for (const selector of selectors) expect(metadata.labels).toMatchObject(selector);
    const configMaps = manifests.filter(({ kind }) => kind === 'ConfigMap');
    const mounted = spec.volumes.flatMap(({ configMap }: { configMap?: { name: string } }) => configMap?.name ?? []);
    expect(new Set(mounted)).toEqual(new Set(configMaps.map((map) => map.metadata.name)));
    expect(spec.serviceAccountName).toBe(only(manifests, 'ServiceAccount').metadata.name);
    const binding = only(manifests, 'RoleBinding');
    expect(binding['roleRef'].name).toBe(only(manifests, 'Role').metadata.name);
    const { name, namespace } = only(manifests, 'ServiceAccount').metadata;
    expect(binding['subjects']).toEqual([{ kind: 'ServiceAccount', name, namespace }]);
  });

  test.each(deployments)('%s: files that change are mounted as folders', (folder) => {
    expect(JSON.stringify(only(render(folder), 'Deployment'))).not.toContain('subPath');
  });

  test.each(deployments)('%s: the file Sluice reads is the one in the ConfigMap, under a name that stays', (folder) => {
    const manifests = render(folder);
    const { sluice } = containers(only(manifests, 'Deployment'));
    const routes = sluice.args.find((arg) => arg.startsWith('--routes='))?.replace('--routes=/etc/sluice/', '');
    const map = manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && !metadata.name.startsWith('sluice-envoy-'),
    );
    expect(Object.keys(map?.['data'])).toEqual([routes]);
    expect(map?.metadata.name).toBe(folder === 'overlays/lbagent' ? 'lb-agent-config' : 'sluice-routes');
  });

  test('the Role allows to list and watch what Sluice follows, and nothing else', () => {
    expect(only(render('.'), 'Role')['rules']).toEqual([
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
    ]);
  });

  test('only requests come in from outside: not admin, not xDS', () => {
    expect(only(render('.'), 'NetworkPolicy')['spec']).toMatchObject({
      policyTypes: ['Ingress'],
      ingress: [{ ports: [{ protocol: 'TCP', port: 'http' }] }],
    });
    expect(only(render('.'), 'Service')['spec'].ports).toEqual([{ name: 'http', port: 80, targetPort: 'http' }]);
  });

  test.each(['base', 'overlays/lbagent'])(
    '%s with scraping: the admin is open for namespaces with a label',
    (folder) => {
      const plain = render(folder);
      const scraped = renderWith(folder, 'observability/scraping');
      const { sluice } = containers(only(scraped, 'Deployment'));
      expect(sluice.args).toContain('--admin=0.0.0.0:18001');
      expect(sluice.ports).toEqual([{ name: 'admin', containerPort: 18001 }]);
      const [base, added] = scraped.filter(({ kind }) => kind === 'NetworkPolicy');
      expect(base).toEqual(only(plain, 'NetworkPolicy'));
      expect(added?.['spec']).toEqual({
        podSelector: base?.['spec'].podSelector,
        policyTypes: ['Ingress'],
        ingress: [
          {
            from: [{ namespaceSelector: { matchLabels: { 'scrapes-sluice': 'true' } } }],
            ports: [{ protocol: 'TCP', port: 'admin' }],
          },
        ],
      });
      // Without it, nothing but Envoy's port for requests can be reached from outside of the pod.
      const { args, ports } = containers(only(plain, 'Deployment')).sluice;
      expect(args.filter((arg) => /--(xds|admin)=/.test(arg))).toEqual([
        '--xds=127.0.0.1:18000',
        '--admin=127.0.0.1:18001',
      ]);
      expect(ports).toBeUndefined();
    },
  );

  test('lbagent keeps its names', () => {
    const manifests = render('overlays/lbagent');
    const service = only(manifests, 'Service');
    expect(service.metadata).toMatchObject({ name: 'lb-agent', namespace: 'ai-media' });
    expect(service['spec']).toMatchObject({ ports: [{ port: 8080 }], selector: { 'k8s-app': 'lb-agent' } });
    const deployment = only(manifests, 'Deployment');
    expect(deployment.metadata.name).toBe('lb-agent');
    expect(deployment['spec'].selector).toEqual({ matchLabels: { 'k8s-app': 'lb-agent', 'qcloud-app': 'lb-agent' } });
  });

  test('the other overlays expose the Service and change nothing else', () => {
    const rest = (folder: string) => render(folder).filter(({ kind }) => kind !== 'Service');
    expect(rest('overlays/external-ip')).toEqual(rest('.'));
    expect(rest('overlays/load-balancer')).toEqual(rest('.'));
    expect(only(render('overlays/external-ip'), 'Service')['spec'].externalIPs).toEqual(['192.0.2.10']);
    expect(only(render('overlays/load-balancer'), 'Service')['spec'].type).toBe('LoadBalancer');
  });
});
