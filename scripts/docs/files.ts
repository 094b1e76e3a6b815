import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Folders of the project's own documents, besides the top. */
const FOLDERS = ['charts', 'docs', 'envoy', 'k8s', 'src', 'test/kube'];

/** Every Markdown file of the project, by its path below `ROOT`. */
export function markdownFiles(): readonly string[] {
  const below = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return [...readdirSync(ROOT), ...below].filter((name) => name.endsWith('.md')).sort();
}

/** Files of the Helm chart, which may not lead out of its folder, and what they are copies of. */
export const CHART_FILES: Readonly<Record<string, string>> = {
  'charts/sluice/crds/slot-policy.yaml': 'k8s/crds/slot-policy.yaml',
  'charts/sluice/files/gateway-api-role.yaml': 'k8s/gateway-api/cluster-role.yaml',
  'charts/sluice/files/ingress-role.yaml': 'k8s/ingress/cluster-role.yaml',
  'charts/sluice/files/istio-role.yaml': 'k8s/istio/cluster-role.yaml',
  'charts/sluice/files/bootstrap.yaml': 'k8s/base/bootstrap.yaml',
  'charts/sluice/files/envoy-admin.sh': 'k8s/base/envoy-admin.sh',
  'charts/sluice/files/sluice-probe.sh': 'k8s/base/sluice-probe.sh',
  'charts/sluice/files/alerts.yaml': 'k8s/observability/alerts.yaml',
};
