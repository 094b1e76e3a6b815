import { formatAddress, type PodAddress } from './locator.ts';
import type { Slots } from './service.ts';

/**
 * One address that answers requests. A `draining` pod gets no new request but finishes those it has (EndpointSlice
 * `terminating`): its source says so. What a pod does at the moment (in use, ejected) is telemetry.
 */
export interface Pod extends PodAddress {
  readonly state: 'ready' | 'draining';
  /** What Kubernetes calls it, and the node it runs on: for people alone. */
  readonly name?: string;
  readonly node?: string;
  /** Requests that it may hold at a time; undefined: as its service says. */
  readonly limit?: Slots;
}

/** The highest limit of a pod of a service, where those that say none have that of the service. */
export function highestLimit(limit: Slots, pods: readonly Pod[]): Slots {
  return pods.reduce((most, pod) => (pod.limit !== undefined && pod.limit > most ? pod.limit : most), limit);
}

/** The order in which pods are published: by address and port, so that equal sets have equal bytes. */
export function byAddress(a: PodAddress, b: PodAddress): number {
  if (a.ip !== b.ip) return a.ip < b.ip ? -1 : 1;
  return a.port - b.port;
}

/** Sorted, each address once; an address that is both ready and draining counts as ready. */
export function normalizePods(pods: readonly Pod[]): readonly Pod[] {
  const byKey = new Map<string, Pod>();
  for (const pod of pods) {
    const key = formatAddress(pod);
    if (byKey.get(key)?.state !== 'ready') byKey.set(key, pod);
  }
  return [...byKey.values()].sort(byAddress);
}

/** Whether two normalized lists mean the same. */
export function samePods(a: readonly Pod[], b: readonly Pod[]): boolean {
  return a.length === b.length && a.every((pod, at) => samePod(pod, b[at]));
}

function samePod(a: Pod, b: Pod | undefined): boolean {
  if (a === b) return true;
  return (
    a.ip === b?.ip &&
    a.port === b.port &&
    a.state === b.state &&
    a.name === b.name &&
    a.node === b.node &&
    a.limit === b.limit
  );
}
