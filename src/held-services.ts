import { serviceOf } from './model/generation.ts';
import type { ServiceName } from './model/service.ts';
import { gateOfCluster, podsOfCluster } from './translate/names.ts';

/** The services that the clusters of an Envoy are of. */
export function heldServices(clusters: readonly string[]): ReadonlySet<ServiceName> {
  const services = clusters.flatMap((cluster) => {
    const pods = podsOfCluster(cluster);
    return gateOfCluster(cluster) ?? (pods && serviceOf(pods)) ?? [];
  });
  return new Set(services);
}

/** Whether one of these clusters of an Envoy is the gate of a service with a limit. */
export function hasGate(clusters: readonly string[]): boolean {
  return clusters.some((cluster) => gateOfCluster(cluster) !== undefined);
}
