import { gateOfCluster, serviceOfCluster } from '../dataplane/contract.ts';
import type { ServiceName } from '../model/service.ts';

/** The services that the clusters of an Envoy are of. */
export function heldServices(clusters: readonly string[]): ReadonlySet<ServiceName> {
  return new Set(clusters.flatMap((cluster) => serviceOfCluster(cluster) ?? []));
}

/** Whether one of these clusters of an Envoy is the gate of a service with a limit. */
export function hasGate(clusters: readonly string[]): boolean {
  return clusters.some((cluster) => gateOfCluster(cluster) !== undefined);
}
