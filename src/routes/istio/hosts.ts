/** A Service, or a host outside, as Istio names it. */
export interface MeshHost {
  readonly namespace: string | undefined;
  readonly name: string;
  /** Not of this cluster. */
  readonly outside: boolean;
}

/** `reviews`, `reviews.shop.svc.cluster.local`, or a name outside. */
export function meshHost(host: string, namespace: string | undefined): MeshHost {
  const [name = '', own, kind] = host.split('.');
  if (own === undefined) return { namespace, name, outside: false };
  if (kind === 'svc') return { namespace: own, name, outside: false };
  return { namespace: undefined, name: host, outside: true };
}

/** Equal for the same host. */
export function hostKey({ outside, namespace, name }: MeshHost): string {
  return outside || namespace === undefined ? name : `${namespace}/${name}`;
}

/** Names by which callers ask for a host. */
export function requestHosts(host: string, namespace: string | undefined): readonly string[] {
  const { outside, name, namespace: own } = meshHost(host, namespace);
  if (outside || host.startsWith('*')) return [host.toLowerCase()];
  const full = own === undefined ? [] : [`${name}.${own}`, `${name}.${own}.svc`, `${name}.${own}.svc.cluster.local`];
  return [name, ...full];
}
