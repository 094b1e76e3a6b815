import { isIP } from 'node:net';
import { SERVICES } from './core.ts';
import type { Objects } from './object.ts';

/** Where clients reach Envoy, for the status of objects. */
export interface Published {
  /** IP addresses and host names, as a person gave them. */
  readonly addresses: readonly string[];
  /** `namespace/name` of the Service in front of Envoy: its addresses are told as well. */
  readonly service?: string;
}

/**
 * The addresses as texts, each once, in the order of the alphabet: IP addresses and host names. Of a Service those that its
 * load balancer has, and its external ones.
 */
export function publishedAddresses(objects: Objects, { addresses, service }: Published): readonly string[] {
  const [namespace = '', name = ''] = (service ?? '').split('/');
  const found = service === undefined ? undefined : objects.get(SERVICES, namespace, name);
  const balanced = (found?.status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '');
  const all = [...addresses, ...balanced, ...(found?.spec?.externalIPs ?? [])];
  return [...new Set(all.filter((one) => one !== ''))].sort();
}

/** As the status of an Ingress or Service has it. */
export function toLoadBalancer(
  addresses: readonly string[],
): readonly { readonly ip?: string; readonly hostname?: string }[] {
  return addresses.map((address) => (isIP(address) === 0 ? { hostname: address } : { ip: address }));
}
