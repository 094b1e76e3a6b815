import type { ServiceName } from '../model/service.ts';

/** The public listener and its route configuration. */
export const PUBLIC = 'public';
/** The internal listener where requests wait that found no pod. */
export const PARKING = 'parking';
/** The loopback listener for kicks and its route configuration. */
export const KICK = 'kick';
/** The runtime layer that holds the limits of all gates; the bootstrap asks for it by this name. */
export const LIMITS = 'limits';

/** The cluster that holds a service's line. */
export function gateName(service: ServiceName): string {
  return `gate/${service}`;
}

/** The cluster of a service's pods, its endpoints, and the internal listener and routes in front of it. */
export function podsName(service: ServiceName): string {
  return `pods/${service}`;
}

/**
 * Headers between the two hops. The public listener removes them from what clients send, the second hop
 * from what pods get.
 */
export const HEADERS = {
  /** When the request arrived, in milliseconds since the epoch. */
  arrived: 'x-sluice-arrived',
  /** The route's own limit on the work, in milliseconds, where it differs from the service's. */
  timeout: 'x-sluice-timeout',
  /** Marks a kick: answered by the second hop, never by a pod. */
  kick: 'x-sluice-kick',
  /** The status of a refusal where it is not 429. */
  fullStatus: 'x-sluice-full-status',
  /** On an answer from a draining pod: `service address`. */
  draining: 'x-sluice-draining',
  /** On an answer of the parking: no pod was there, try again. */
  parked: 'x-sluice-parked',
} as const;

/** The namespace of Sluice's metadata on routes (for the texts of local replies) and on endpoints. */
export const METADATA = 'sluice';

/** What a draining endpoint's metadata has under `METADATA`: the value of the header `HEADERS.draining`. */
export const DRAINING_KEY = 'draining';

/** The gRPC method of the control plane that is told of requests that end on draining pods. */
export const REQUEST_ENDED_PATH = '/sluice.v1.Slots/RequestEnded';

/** The service whose pods the cluster holds; undefined for other clusters. */
export function serviceOfPods(cluster: string): ServiceName | undefined {
  const prefix = 'pods/';
  // Only `podsName` makes such names, and only of service names.
  return cluster.startsWith(prefix) ? (cluster.slice(prefix.length) as ServiceName) : undefined;
}
