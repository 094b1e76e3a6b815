import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { documentCommands } from '../../scripts/docs/commands.ts';
import { Certificates } from '../e2e/kit/certificates.ts';
import { WHY_NOT as NO_KUBECTL, ROOT } from '../unit/k8s/kustomize.ts';
import { TestCluster } from './kit/cluster.ts';
import { createIstio } from './kit/istio.ts';
import { TestNamespace } from './kit/namespace.ts';
import { WHY_NOT as NO_CLUSTER } from './kit/skip.ts';

const HELM = process.env['SLUICE_KUBE_HELM'] ?? '';
const whyNot = NO_CLUSTER ?? NO_KUBECTL ?? (HELM === '' ? 'Helm cannot be built here' : undefined);
const title = `commands of the documents${whyNot === undefined ? '' : ` (skipped: ${whyNot})`}`;

/** Each once, in the order in which the documents have them. */
const lines = [...new Set(documentCommands().map(({ line }) => line))].filter((line) => /^(kubectl|helm) /.test(line));

/** These ask a running container; without a kubelet there is none. What kubectl says then shows that it understood. */
const NO_KUBELET: readonly (readonly [RegExp, RegExp])[] = [
  [/^kubectl .*\bexec /, /timed out|no running pods|does not have a host assigned/],
  [/^kubectl .*rollout status /, /timed out|exceeded its progress deadline|not found/],
];

describe.skipIf(whyNot !== undefined)(title, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kube-documents-'));
  let namespace: string;
  let certificates: Certificates;

  /** Types a line, in a copy of the manifests whose settings name the test's namespace. */
  function type(line: string) {
    // The chart and the manifests have objects of the same names.
    const own = line.startsWith('helm') ? `${namespace}-helm` : namespace;
    const text = line
      .replace('NAMESPACE', own)
      .replace('rollout status', '$& --timeout=1s')
      .replace(/ exec /, '$&--pod-running-timeout=1s ');
    const env = {
      ...process.env,
      KUBECONFIG: join(folder, 'kubeconfig'),
      PATH: `${dirname(HELM)}${delimiter}${process.env['PATH']}`,
    };
    const { status, stdout, stderr } = spawnSync('bash', ['-c', text], { cwd: folder, encoding: 'utf8', env });
    return { status, stdout, stderr };
  }

  beforeAll(async () => {
    const cluster = new TestCluster(inject('kubeCluster'));
    namespace = (await TestNamespace.make(cluster)).name;
    await TestNamespace.make(cluster, `${namespace}-helm`);
    await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name: 'ai-media' } }, true);
    await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name: 'monitoring' } }, true);
    for (const name of ['k8s', 'charts', 'docs']) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    const settings = join(folder, 'k8s/settings/kustomization.yaml');
    writeFileSync(settings, readFileSync(settings, 'utf8').replace('namespace: default', `namespace: ${namespace}`));
    const [, values = ''] =
      /```yaml\n(image:.*?)```/s.exec(readFileSync(join(folder, 'charts/sluice/README.md'), 'utf8')) ?? [];
    writeFileSync(join(folder, 'my-values.yaml'), values);
    writeFileSync(join(folder, 'config.yaml'), 'port: 8080\nroutes: []\n');
    certificates = await Certificates.make('tls');
    cpSync(certificates.at('tls.crt'), join(folder, 'tls.crt'));
    cpSync(certificates.at('tls.key'), join(folder, 'tls.key'));
    cpSync(cluster.kubeconfig(), join(folder, 'kubeconfig'));
    expect(type(`kubectl config set-context --current --namespace=${namespace}`)).toMatchObject({ status: 0 });
    // What the page about moving finds there.
    expect(type('kubectl create deployment lb-agent --image=lb-agent')).toMatchObject({ status: 0 });
    expect(type('kubectl expose deployment lb-agent --port=8080')).toMatchObject({ status: 0 });
    await createIstio(cluster);
    await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name: 'ai' } }, true);
    for (const name of ['embed', 'llm', 'llm-large'])
      expect(type(`kubectl create service clusterip ${name} -n ai --tcp=8000`)).toMatchObject({ status: 0 });
    const moving = readFileSync(join(folder, 'docs/moving.md'), 'utf8');
    const objects = [...moving.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml);
    const theirs = objects.filter((yaml) => /^kind: (Ingress|VirtualService)$/m.test(yaml));
    expect(theirs).toHaveLength(2);
    writeFileSync(join(folder, 'theirs.yaml'), theirs.join('---\n'));
    expect(type('kubectl apply -f theirs.yaml')).toMatchObject({ status: 0 });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await certificates?.remove();
  });

  test('there are such', () => expect(lines.length).toBeGreaterThan(10));

  test.each(lines)('%s', (line) => {
    const said = type(line);
    const absent = NO_KUBELET.find(([pattern]) => pattern.test(line))?.[1];
    if (absent === undefined) expect(said).toMatchObject({ status: 0 });
    else expect([said.status, `${said.stdout}${said.stderr}`]).toEqual([1, expect.stringMatching(absent)]);
  });
});
