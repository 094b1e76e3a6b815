import type { Report } from './report.ts';
import type { MapTree, Tree } from './tree.ts';

/** Kinds whose routes `sluice import` turns into a route file. */
const IMPORTED = new Set(['Ingress', 'HTTPRoute', 'GRPCRoute', 'VirtualService', 'DestinationRule']);

/** Kinds that hold other objects. */
const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Pod']);

/** Whether it is an object of Kubernetes' API, of whatever kind. */
export function isObject(tree: MapTree): boolean {
  return textAt(tree, 'kind') !== undefined && valueAt(tree, 'apiVersion') !== undefined;
}

/** Reports a Kubernetes object, or a configuration of Envoy, that stands where a route file should; false: it is neither. */
export function reportObject(tree: MapTree, report: Report): boolean {
  const kind = textAt(tree, 'kind');
  if (kind !== undefined && isObject(tree)) {
    report.error(
      { at: tree.at, path: '' },
      { message: `this is a Kubernetes object (${kind}), not a route file`, fix: whatToDo(kind, tree) },
    );
    return true;
  }
  if (valueAt(tree, 'static_resources') !== undefined || valueAt(tree, 'dynamic_resources') !== undefined) {
    const fix = 'run `sluice import` on it to have its routes as a route file';
    report.error({ at: tree.at, path: '' }, { message: 'this is a configuration of Envoy, not a route file', fix });
    return true;
  }
  return false;
}

function whatToDo(kind: string, tree: MapTree): string {
  if (IMPORTED.has(kind) || kind === 'List') return 'run `sluice import` on it to have its routes as a route file';
  if (kind === 'ConfigMap') {
    const data = valueAt(tree, 'data');
    const names = data?.kind === 'map' ? data.entries.map(({ key }) => key) : [];
    const name = names.find((key) => /\.ya?ml$/.test(key)) ?? names[0] ?? 'routes.yaml';
    return `the route file is the text under data["${name}"]: put that into a file of its own`;
  }
  const service = kind === 'Service' ? textAt(valueAt(tree, 'metadata'), 'name') : undefined;
  if (service !== undefined) {
    const namespace = textAt(valueAt(tree, 'metadata'), 'namespace');
    const where = namespace === undefined ? '' : `namespace: ${namespace}, `;
    return `name it in a route file: kubernetes: {${where}service: ${service}, port: ...} under a service`;
  }
  if (WORKLOADS.has(kind))
    return 'write a route file, and name the Service of these pods in it: kubernetes: {service: ..., port: ...}';
  return 'begin with "version: 1", and write services and routes';
}

function valueAt(tree: Tree | undefined, key: string): Tree | undefined {
  return tree?.kind === 'map' ? tree.entries.find((entry) => entry.key === key)?.value : undefined;
}

function textAt(tree: Tree | undefined, key: string): string | undefined {
  const value = valueAt(tree, key);
  return value?.kind === 'scalar' ? value.text : undefined;
}
