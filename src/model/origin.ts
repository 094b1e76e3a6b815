/** The Kubernetes object that something comes from. */
export interface ObjectRef {
  /** `HTTPRoute`, `Ingress`, `VirtualService`, … */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** An object, with its age: of two that say different things the older one counts. */
export interface Origin extends ObjectRef {
  /** Milliseconds since the Unix epoch. */
  readonly created: number;
}

/** `HTTPRoute shop/checkout`, as problems and the status name it. */
export function formatObject({ kind, namespace, name }: ObjectRef): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}

/** Older objects first; of two that were made in the same second, the one whose name comes first. */
export function byAge(a: Origin, b: Origin): number {
  return a.created - b.created || compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`);
}

/** By code units, the same everywhere. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
