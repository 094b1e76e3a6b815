import { assertNever } from '../base/assert-never.ts';
import { remember } from '../base/remember.ts';
import type { Slots } from './service.ts';

/** A TCP port of a Kubernetes Service as the user names it. */
export type KubernetesPort =
  /** A port of the Service, by number or name: led to the pods' port by the EndpointSlices. */
  | { readonly kind: 'service'; readonly port: number | string }
  /** A port of the pods themselves (lbagent's `http_port`). */
  | { readonly kind: 'pod'; readonly port: number };

/** Where the pods of a service are to be found. */
export type Locator =
  | {
      readonly kind: 'kubernetes';
      /** Undefined: the namespace Sluice runs in, or the kubeconfig context's, else `default`. */
      readonly namespace?: string;
      readonly service: string;
      readonly port: KubernetesPort;
      /** A Pod may say its own limit, by its annotation. The pods are the same either way. */
      readonly podLimits?: true;
    }
  | { readonly kind: 'dns'; readonly host: string; readonly port: number }
  | { readonly kind: 'static'; readonly addresses: readonly StaticPod[] };

/** One pod's address: an IPv4 or IPv6 address without brackets, and a port. */
export interface PodAddress {
  readonly ip: string;
  readonly port: number;
}

/** A pod of a list: with a limit of its own, or that of its service. */
export interface StaticPod extends PodAddress {
  readonly limit?: Slots;
}

/** `10.0.0.1:80` or `[fd00::1]:80`. */
export function formatAddress({ ip, port }: PodAddress): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** `10.0.0.1:80`, or `10.0.0.1:80 (limit 4)` for one with a limit of its own. */
export function formatStaticPod(pod: StaticPod): string {
  const address = formatAddress(pod);
  return pod.limit === undefined ? address : `${address} (limit ${pod.limit})`;
}

const keys = new WeakMap<Locator, string>();

/** A text that is equal for locators that find the same pods. */
export function locatorKey(locator: Locator): string {
  // Asked for every service at every change of a pod, while a locator stays the same object until the file changes.
  return remember(keys, locator, makeKey);
}

function makeKey(locator: Locator): string {
  switch (locator.kind) {
    case 'kubernetes': {
      const { namespace = '', service, port } = locator;
      return `kubernetes ${namespace}/${service} ${port.kind} ${port.port}`;
    }
    case 'dns':
      return `dns ${locator.host}:${locator.port}`;
    case 'static':
      return `static ${locator.addresses.map(formatStaticPod).join(' ')}`;
    default:
      return assertNever(locator);
  }
}
