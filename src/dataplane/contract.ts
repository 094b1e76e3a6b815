import { type PodsId, podsId, serviceOf } from '../model/generation.ts';
import type { Service, ServiceName } from '../model/service.ts';

/** The public listener and its route configuration. */
export const PUBLIC = 'public';
/** The internal listener where requests wait that found no pod. */
export const PARKING = 'parking';
/** The loopback listener for kicks and its route configuration. */
export const KICK = 'kick';
/** The second hop, an internal listener that requests of all services reach with their slots, and its route configuration. */
export const SECOND_HOP = 'pods';
/** The runtime layer that holds the limits of all gates; the bootstrap asks for it by this name. */
export const LIMITS = 'limits';

const GATE = 'gate/';
const PODS = 'pods/';

/** The cluster that holds a service's line: `gate/codec`. */
export function gateName(service: Service): string {
  return gateClusterOf(service.name);
}

/** The cluster of the gate that is named after this service. */
export function gateClusterOf(service: ServiceName): string {
  return `${GATE}${service}`;
}

/** The cluster of a service's pods, and its endpoints: `pods/codec@4f1c2d` (see `PodsId`). */
export function podsCluster(service: Service): string {
  return `${PODS}${podsId(service)}`;
}

/** What the clusters of a service's pods are called in Envoy's statistics, whatever their settings: `pods/codec`. */
export function podsName(service: ServiceName): string {
  return `${PODS}${service}`;
}

/** After which service the gate is named that a cluster is; undefined for other clusters. */
export function gateOfCluster(cluster: string): ServiceName | undefined {
  // Only `gateClusterOf` makes such names.
  return cluster.startsWith(GATE) ? (cluster.slice(GATE.length) as ServiceName) : undefined;
}

/** Whose pods a cluster has; undefined for other clusters. */
export function podsOfCluster(cluster: string): PodsId | undefined {
  // Only `podsCluster` makes such names.
  return cluster.startsWith(PODS) ? (cluster.slice(PODS.length) as PodsId) : undefined;
}

/** Whose gate or pods a cluster is; undefined for other clusters. */
export function serviceOfCluster(cluster: string): ServiceName | undefined {
  const pods = podsOfCluster(cluster);
  return gateOfCluster(cluster) ?? (pods && serviceOf(pods));
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
  /** To whose pods the second hop leads. */
  service: 'x-sluice-service',
  /** The status of a refusal where it is not 429. */
  fullStatus: 'x-sluice-full-status',
  /** On an answer from a draining pod: `PodsId address`. */
  draining: 'x-sluice-draining',
  /** On an answer that no pod has made or seen: the first hop may try again. */
  again: 'x-sluice-again',
  /** On an answer of the parking: no pod was there, try again. */
  parked: 'x-sluice-parked',
} as const;

/** In the header of the service it marks a kick: answered by the second hop, never by a pod. No service has such a name. */
export const KICKED = '/kick';

/** The namespace of Sluice's metadata on routes (for the texts of local replies) and on endpoints. */
export const METADATA = 'sluice';

/** What a draining endpoint's metadata has under `METADATA`: the value of the header `HEADERS.draining`. */
export const DRAINING_KEY = 'draining';

/** Envoy's access logs, as the control plane tells them apart. */
export const REQUEST_LOG = {
  /** Every request at the public listener: when it is over (see `SAMPLES`), and before that when it has waited for a while. */
  requests: 'requests',
  /** Requests that the second hop has given up. */
  timeouts: 'timeouts',
  /** Tries at a pod that have failed. */
  failures: 'failures',
} as const;

/** The tag by which an access log's entries name the service. */
export const SERVICE_TAG = 'service';

/** Under `METADATA` in a request's own metadata: when it arrived, in ms since the epoch, where the wait has a limit. */
export const ARRIVED_KEY = 'arrived_ms';
/** Under `METADATA` in a request's own metadata: how long it waited, and may have, in ms, when it waited too long. */
export const WAITED_KEY = 'waited_ms';
/** See `WAITED_KEY`: whole seconds after which it may come again. */
export const RETRY_AFTER_KEY = 'retry_after';
/** See `WAITED_KEY`. */
export const LONGEST_WAIT_KEY = 'longest_wait_ms';

/** The gRPC method of the control plane that is told of requests that end on draining pods. */
export const REQUEST_ENDED_PATH = '/sluice.v1.Slots/RequestEnded';
