import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

/** The folder of the manifests, and the project's root. */
export const K8S = fileURLToPath(new URL('../../../k8s/', import.meta.url));
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** What `kubectl apply -k` can be given, as paths below k8s/. */
export const APPLICABLE = [
  '.',
  'overlays/lbagent',
  'overlays/external-ip',
  'overlays/load-balancer',
  'watched-namespace',
] as const;

/** Why manifests cannot be rendered here; undefined when they can. */
export const WHY_NOT: string | undefined = whyNot();

/** A Kubernetes object as rendered. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  // Each test knows the object it asks for.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly [key: string]: any;
}

/** What `kubectl kustomize` makes of a folder below k8s/. */
export function render(folder: string): readonly Manifest[] {
  return kustomize(`${K8S}${folder}`);
}

function kustomize(path: string): readonly Manifest[] {
  const text = execFileSync('kubectl', ['kustomize', path], { encoding: 'utf8' });
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS();
  });
}

/** What `kubectl kustomize` makes of a folder below k8s/ with a component of another one. */
export function renderWith(folder: string, component: string): readonly Manifest[] {
  const place = mkdtempSync(join(tmpdir(), 'sluice-kustomize-'));
  try {
    const path = (name: string) => relative(realpathSync(place), join(K8S, name));
    const content = { resources: [path(folder)], components: [path(component)] };
    writeFileSync(join(place, 'kustomization.yaml'), JSON.stringify(content));
    return kustomize(place);
  } finally {
    rmSync(place, { recursive: true });
  }
}

/** What `kubectl kustomize` makes of a folder below k8s/ with other settings. */
export function renderWithSettings(folder: string, settings: object): readonly Manifest[] {
  const place = mkdtempSync(join(tmpdir(), 'sluice-kustomize-'));
  try {
    cpSync(K8S, place, { recursive: true });
    const head = { apiVersion: 'kustomize.config.k8s.io/v1alpha1', kind: 'Component' };
    writeFileSync(join(place, 'settings/kustomization.yaml'), JSON.stringify({ ...head, ...settings }));
    return kustomize(join(place, folder));
  } finally {
    rmSync(place, { recursive: true });
  }
}

/** The only object of its kind. */
export function only(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  const [manifest] = found;
  if (manifest === undefined || found.length > 1) throw new Error(`${found.length} objects of kind ${kind}`);
  return manifest;
}

/** The only object of its kind with this name. */
export function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  return only(
    manifests.filter(({ metadata }) => metadata.name === name),
    kind,
  );
}

function whyNot(): string | undefined {
  let version: string;
  try {
    const args = ['version', '--client', '--output=json'];
    version = JSON.parse(
      execFileSync('kubectl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    ).kustomizeVersion;
  } catch {
    return 'there is no kubectl on the PATH';
  }
  return Number(/^v(\d+)/.exec(version)?.[1]) >= 5
    ? undefined
    : `kubectl is too old: its kustomize is ${version}, not v5`;
}
