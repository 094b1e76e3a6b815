import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  APPLICABLE,
  K8S,
  type Manifest,
  named,
  only,
  render,
  renderWith,
  renderWithSettings,
  WHY_NOT,
} from './kustomize.ts';

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

/** Of a container's environment. */
interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
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

  test.each(deployments)(
    '%s: two pairs on different nodes; a new one is there before an old one goes, also when a node is drained',
    (folder) => {
      const manifests = render(folder);
      const { spec } = only(manifests, 'Deployment');
      const rollingUpdate = { maxUnavailable: 0, maxSurge: 1 };
      expect(spec).toMatchObject({ replicas: 2, strategy: { type: 'RollingUpdate', rollingUpdate } });
      const [spread] = spec.template.spec.topologySpreadConstraints;
      expect(spread).toMatchObject({ topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' });
      expect(spec.template.metadata.labels).toMatchObject(spread.labelSelector.matchLabels);
      expect(only(manifests, 'PodDisruptionBudget')['spec'].maxUnavailable).toBe(1);
      // A pod that does not take requests yet gets none.
      expect(only(manifests, 'Service')['spec'].publishNotReadyAddresses).toBeUndefined();
    },
  );

  test.each(deployments)(
    '%s: the pairs know their names, reach each other, and have the rights and the Secret for it',
    (folder) => {
      const manifests = render(folder);
      const { sluice, envoy } = containers(only(manifests, 'Deployment'));
      expect(sluice.args.filter((arg) => /coordinator|peers/.test(arg))).toEqual([
        '--coordinator-lease=$(ACCOUNT)',
        '--peers=$(POD_IP)',
      ]);
      const fields = (container: Container) =>
        Object.fromEntries(
          container['env'].map(({ name, value, valueFrom }: Variable) => [
            name,
            value ?? valueFrom?.fieldRef.fieldPath,
          ]),
        );
      expect(fields(sluice)).toEqual({
        ACCOUNT: 'spec.serviceAccountName',
        POD_IP: 'status.podIP',
        POD_NAME: 'metadata.name',
      });
      expect(fields(envoy)).toEqual({ POD_NAME: 'metadata.name', ENVOY_ADMIN_NOTICE: '5' });
      expect(envoy.args.join(' ')).toContain('--service-node $(POD_NAME)');
      const account = only(manifests, 'ServiceAccount').metadata.name;
      // Empty: whoever applies it again must not take away what Sluice has put there.
      expect(only(manifests, 'Secret')).toMatchObject({ metadata: { name: account } });
      expect(only(manifests, 'Secret')['data'] ?? only(manifests, 'Secret')['stringData']).toBeUndefined();
      expect(named(manifests, 'Role', 'sluice-peers')['rules']).toEqual([
        {
          apiGroups: ['coordination.k8s.io'],
          resources: ['leases'],
          verbs: ['get', 'list', 'create', 'update', 'delete'],
        },
        { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
        { apiGroups: [''], resources: ['secrets'], resourceNames: [account], verbs: ['get', 'update'] },
      ]);
      expect(named(manifests, 'RoleBinding', 'sluice-peers')).toMatchObject({
        roleRef: { name: 'sluice-peers' },
        subjects: [{ kind: 'ServiceAccount', name: account }],
      });
    },
  );

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
    // Envoy goes on without Sluice: what says that it was ready lives as long as the pod.
    const [, , , file] = sluice['readinessProbe'].exec.command;
    const state = sluice.volumeMounts.find(({ name }) => name === 'state');
    expect(file).toBe(`${state?.mountPath}/was-ready`);
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
    const configMaps = manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata: { name } }) => name);
    // The user's own, which is not touched.
    if (folder === 'overlays/lbagent') configMaps.push('lb-agent-config');
    const mounted = spec.volumes.flatMap(({ configMap }: { configMap?: { name: string } }) => configMap?.name ?? []);
    expect(new Set(mounted)).toEqual(new Set(configMaps));
    expect(spec.serviceAccountName).toBe(only(manifests, 'ServiceAccount').metadata.name);
    const binding = named(manifests, 'RoleBinding', 'sluice');
    expect(binding['roleRef'].name).toBe(named(manifests, 'Role', 'sluice').metadata.name);
    const { name, namespace } = only(manifests, 'ServiceAccount').metadata;
    expect(binding['subjects']).toEqual([{ kind: 'ServiceAccount', name, namespace }]);
  });

  test.each(deployments)('%s: files that change are mounted as folders', (folder) => {
    expect(JSON.stringify(only(render(folder), 'Deployment'))).not.toContain('subPath');
  });

  test('the file Sluice reads is the one in the ConfigMap, under a name that stays', () => {
    const manifests = render('.');
    const { sluice } = containers(only(manifests, 'Deployment'));
    const routes = sluice.args.find((arg) => arg.startsWith('--routes='))?.replace('--routes=/etc/sluice/', '');
    const map = manifests.find(({ metadata }) => metadata.name === 'sluice-routes');
    expect([map?.kind, Object.keys(map?.['data'])]).toEqual(['ConfigMap', [routes]]);
  });

  test('the Role allows to list and watch what Sluice follows, and nothing else', () => {
    expect(named(render('.'), 'Role', 'sluice')['rules']).toEqual([
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
    ]);
  });

  test('only requests come in from outside, and other pairs to the port for them: not admin, not xDS', () => {
    const { spec } = only(render('.'), 'NetworkPolicy');
    expect(spec).toMatchObject({
      policyTypes: ['Ingress'],
      ingress: [
        { ports: [{ protocol: 'TCP', port: 'http' }] },
        { from: [{ podSelector: spec.podSelector }], ports: [{ protocol: 'TCP', port: 'peers' }] },
      ],
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
      expect(sluice.ports).toEqual([
        { name: 'peers', containerPort: 18002 },
        { name: 'admin', containerPort: 18001 },
      ]);
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
      // Without it, nothing but Envoy's port for requests, and that for other Sluices, can be reached from outside of the pod.
      const { args, ports } = containers(only(plain, 'Deployment')).sluice;
      expect(args.filter((arg) => /--(xds|admin)=/.test(arg))).toEqual([
        '--xds=127.0.0.1:18000',
        '--admin=127.0.0.1:18001',
      ]);
      expect(ports.map(({ name }) => name)).toEqual(['peers']);
    },
  );

  test("lbagent: the user's ConfigMap is read, not made, and the user's Service is led to Sluice's pods", () => {
    const manifests = render('overlays/lbagent');
    const deployment = only(manifests, 'Deployment');
    expect(containers(deployment).sluice.args).toContain('--routes=/etc/sluice/config.yaml');
    expect(manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata: { name } }) => name)).toEqual([
      expect.stringMatching(/^sluice-envoy-/),
    ]);
    const [{ path, value }] = JSON.parse(readFileSync(join(K8S, 'overlays/lbagent/selector.json'), 'utf8'));
    expect(path).toBe('/spec/selector');
    expect(deployment['spec'].template.metadata.labels).toMatchObject(value);
  });

  const own = { namespace: 'apps', images: [{ name: 'sluice', newName: 'registry.example/sluice', newTag: '9.9.9' }] };

  test.each(deployments)('%s: namespace and image are said once, in settings', (folder) => {
    const manifests = renderWithSettings(folder, own);
    expect(new Set(manifests.map(({ metadata: { namespace } }) => namespace))).toEqual(new Set(['apps']));
    expect(containers(only(manifests, 'Deployment')).sluice['image']).toBe('registry.example/sluice:9.9.9');
    expect(named(manifests, 'RoleBinding', 'sluice')['subjects']).toMatchObject([{ namespace: 'apps' }]);
  });

  test.each(deployments)('%s: two in one namespace share no object and select different pods', (folder) => {
    const labels = [{ pairs: { 'app.kubernetes.io/instance': 'b' }, includeSelectors: true }];
    const second = renderWithSettings(folder, { ...own, nameSuffix: '-b', labels });
    const names = (manifests: readonly Manifest[]) =>
      manifests.map(({ kind, metadata: { name } }) => `${kind} ${name.replace(/-[0-9a-z]{10}$/, '')}`);
    const first = new Set(names(renderWithSettings(folder, own)));
    expect(names(second).filter((name) => first.has(name))).toEqual([]);
    const { selector, template } = only(second, 'Deployment')['spec'];
    expect(selector.matchLabels['app.kubernetes.io/instance']).toBe('b');
    expect(template.metadata.labels['app.kubernetes.io/instance']).toBe('b');
    expect(only(second, 'Service')['spec'].selector['app.kubernetes.io/instance']).toBe('b');
    expect(template.spec.serviceAccountName).toBe('sluice-b');
    expect(only(second, 'Secret').metadata.name).toBe('sluice-b');
    const [, , secret] = named(second, 'Role', 'sluice-peers-b')['rules'];
    expect(secret.resourceNames).toEqual(['sluice-b']);
  });

  test('two Sluices may watch one namespace: each has a RoleBinding of its own there', () => {
    const { metadata, subjects, roleRef } = only(render('watched-namespace'), 'RoleBinding');
    expect(metadata).toMatchObject({ name: `sluice.${subjects[0].namespace}`, namespace: 'ai-media' });
    expect(roleRef.name).toBe('sluice');
  });

  test('with TLS Sluice alone has the Secret, and clients come to port 443', () => {
    const manifests = renderWith('base', 'tls');
    const { sluice, envoy } = containers(only(manifests, 'Deployment'));
    const mount = { name: 'tls', mountPath: '/etc/sluice-tls', readOnly: true };
    expect(sluice.volumeMounts).toContainEqual(mount);
    expect(envoy.volumeMounts).not.toContainEqual(mount);
    expect(only(manifests, 'Deployment')['spec'].template.spec.volumes).toContainEqual({
      name: 'tls',
      secret: { secretName: 'sluice-tls' },
    });
    expect(only(manifests, 'Service')['spec'].ports).toEqual([{ name: 'https', port: 443, targetPort: 'http' }]);
  });

  test('who wants idle pods to go first gives Sluice the right to patch Pods, and no other one', () => {
    const rules = (manifests: readonly Manifest[]) => named(manifests, 'Role', 'sluice')['rules'];
    const before = renderWith('base', 'settings');
    const manifests = renderWith('base', 'deletion-cost');
    expect(rules(manifests)).toEqual([...rules(before), { apiGroups: [''], resources: ['pods'], verbs: ['patch'] }]);
    expect(containers(only(manifests, 'Deployment')).sluice.args).toContain('--pod-deletion-cost');
    expect(containers(only(before, 'Deployment')).sluice.args).not.toContain('--pod-deletion-cost');
  });

  test('who wants Pods to say their limits gives Sluice the right to watch them, wherever it watches services', () => {
    const right = { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] };
    const rules = (manifests: readonly Manifest[], kind: string) => only(manifests, kind)['rules'];
    const own = (component: string) => named(renderWith('base', component), 'Role', 'sluice')['rules'];
    expect(own('pod-limits')).toEqual([...own('settings'), right]);
    for (const folder of ['gateway-api', 'ingress', 'istio']) {
      const before = render(folder);
      expect(rules(renderWith(folder, 'pod-limits'), 'ClusterRole')).toEqual([...rules(before, 'ClusterRole'), right]);
    }
  });

  test('what the operator is told has the label that kube-prometheus-stack selects by', () => {
    const manifests = render('observability');
    expect(manifests.map(({ kind }) => kind).sort()).toEqual(['PodMonitor', 'PrometheusRule']);
    for (const { metadata } of manifests) {
      expect(metadata).toMatchObject({ labels: { release: 'kube-prometheus-stack' }, namespace: 'default' });
    }
  });

  test('a lost node is replaced after half a minute, and the Service has addresses of every family', () => {
    const { tolerations } = only(render('.'), 'Deployment')['spec'].template.spec;
    expect(tolerations).toHaveLength(2);
    for (const one of tolerations) expect(one).toMatchObject({ effect: 'NoExecute', tolerationSeconds: 30 });
    expect(only(render('.'), 'Service')['spec'].ipFamilyPolicy).toBe('PreferDualStack');
  });

  test('the other overlays expose the Service and change nothing else', () => {
    const rest = (folder: string) => render(folder).filter(({ kind }) => kind !== 'Service');
    expect(rest('overlays/external-ip')).toEqual(rest('.'));
    expect(rest('overlays/load-balancer')).toEqual(rest('.'));
    expect(only(render('overlays/external-ip'), 'Service')['spec'].externalIPs).toEqual(['192.0.2.10']);
    expect(only(render('overlays/load-balancer'), 'Service')['spec'].type).toBe('LoadBalancer');
  });
});
