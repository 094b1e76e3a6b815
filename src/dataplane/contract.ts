/**
 * Every name that Sluice, the Envoy configuration it sends and the queue filter inside Envoy share. Each is written here
 * and nowhere else; what the filter reads of it stands in `envoy/filter/README.md`.
 */

import { formatHostPort, type HostPort } from '../base/host-port.ts';
import type { Certificate } from '../model/listener.ts';
import type { Service, ServiceName } from '../model/service.ts';

/** What the names of Sluice's own clusters begin with. No service's does; and it may stand in an `:authority`. */
const OWN = '_sluice.';

/** The listener of the route file, its route configuration and its certificate. */
export const PUBLIC = 'public';

/** The route configuration of a socket, or of one of the listeners there that are told apart by name (SNI). */
export function routesName(socket: string, hostname: string | undefined): string {
  return hostname === undefined ? socket : `${socket}/${hostname}`;
}

/** The secret that a certificate is: files by their path, texts by their own name. */
export function certificateName(certificate: Certificate): string {
  return certificate.kind === 'files' ? certificate.cert : certificate.name;
}

/** A cluster that is never there: where the share of a backend goes that is not there. */
export const NO_CLUSTER = `${OWN}none`;

/** The cluster that leads to a collector. */
export function collectorName(address: HostPort): string {
  return `${OWN}otlp.${formatHostPort(address)}`;
}

/** The static cluster of the bootstrap that leads to Sluice. */
export const XDS_CLUSTER = `${OWN}xds`;

/** The cluster and the endpoints of a service are called as the service is. */
export function clusterName({ name }: Pick<Service, 'name'>): string {
  return name;
}

/** The service that a cluster is of; undefined: it is one of Sluice's own. */
export function serviceOfCluster(cluster: string): ServiceName | undefined {
  // Clusters that are not Sluice's own are named after services.
  return cluster.startsWith(OWN) ? undefined : (cluster as ServiceName);
}

/** The filter's plugins: name, root id and, for two of them, the name of the resource with their configuration. */
export const PLUGINS = {
  /** The HTTP filter in which requests wait. */
  queue: 'sluice.queue',
  /** Among the router's upstream filters: sees each try. */
  try: 'sluice.try',
  /** The HTTP filter of the control listener: opens the stream to Sluice. */
  control: 'sluice.control',
  /** The HTTP filter before that of the queue: answers what the queue's VM had when it traps. */
  guard: 'sluice.guard',
  /** Before the control plugin: there the guard learns which VM is its worker's. */
  guardControl: 'sluice.guard.control',
} as const;

/** The VM of the plugins: the same id and the same code are one VM in each worker. The guard has other code. */
export const VM_ID = 'sluice.queue';

/** The internal listener of the control plugin. */
export const CONTROL_LISTENER = 'sluice.control';

/**
 * An internal listener where there is none for clients: so one that has the control listener alone is an Envoy that does not
 * take requests yet, as its filter does not know the services.
 */
export const IDLE_LISTENER = 'sluice.idle';

/** The cluster that leads to the control listener: how each VM of the filter finds out which worker's it is. */
export const SELF_CLUSTER = `${OWN}control`;

/** What all headers between the filter and the rest of the chain begin with; nobody else's are let in or out. */
export const HEADER_PREFIX = 'x-sluice-';

/** Headers that the filter sets on a request. `sluice.try` takes them out before a pod sees them. */
export const HEADERS = {
  /** The pod that the filter has chosen: `10.0.0.1:80`. */
  pod: 'x-sluice-pod',
  /** The number of the request in the filter's VM. */
  request: 'x-sluice-request',
} as const;

/** What the filter answers itself, at hosts whose services want it. */
export const WELL_KNOWN = '/.well-known/sluice/';

/** What a pod ends a job with: it comes with the request, and goes to nobody else. */
export const JOB_TOKEN = 'sluice-job-token';

/** What the filter puts into the filter state of a request for access logs: milliseconds, a whole number, and a name. */
export const FACTS = {
  wait: 'wasm.sluice_wait_ms',
  work: 'wasm.sluice_work_ms',
  place: 'wasm.sluice_place',
  class: 'wasm.sluice_class',
} as const;

/** The namespace of Sluice's metadata on routes. */
export const METADATA = 'sluice';

/** Keys of a route's metadata under `METADATA`: for the texts of local replies, and for the filter. */
export const ROUTE_KEYS = {
  service: 'service',
  /** What a request is told that cannot even wait. */
  full: 'full',
  /** What a request is told that has waited for too long. */
  waitTimeout: 'wait_timeout',
  /** The status with which it is told so, where that is not 429. */
  fullStatus: 'full_status',
  /** The class of its requests: the filter reads it. */
  class: 'class',
  /** A share of its requests has nobody to go to: 1, or not there. */
  missing: 'missing',
} as const;

/** Response code details of the answers that the filter gives itself. */
export const DETAILS = {
  /** The queue is full. */
  full: 'sluice_queue_full',
  /** Too many requests of its tenant wait. */
  tenantFull: 'sluice_tenant_full',
  /** Takes more slots than any pod has. */
  tooCostly: 'sluice_too_costly',
  /** Its own deadline is over, or cannot be met any more. */
  deadline: 'sluice_deadline',
  /** Its pod switches protocols, and nobody has asked for that. */
  unasked: 'sluice_unasked_upgrade',
  /** Waited for longer than `queue.timeout`. */
  waitTimeout: 'sluice_queue_timeout',
  /** Sluice has not sent the service's pods and limits. */
  noState: 'sluice_no_state',
  /** The filter has no room for one more request. */
  tooMany: 'sluice_too_many_requests',
  /** The service was removed while the request waited. */
  removed: 'sluice_service_removed',
  /** Its pod could not be reached, and the next one was removed. */
  podRemoved: 'sluice_pod_removed',
  /** A filter with newer code has taken the place of the one in which it waited. */
  renewed: 'sluice_filter_renewed',
  /** To a question below `WELL_KNOWN`. */
  answer: 'sluice_answer',
  /** A request with the same key is under way. */
  duplicate: 'sluice_duplicate',
  /** The answer of the request with the same key. */
  joined: 'sluice_joined',
  /** Somebody cancelled it. */
  cancelled: 'sluice_cancelled',
  /** By the guard, to what the queue's VM had when it failed. */
  restarted: 'sluice_filter_restarted',
  /** Not the filter's, but Envoy's for it: its VM has failed. */
  failed: 'wasm_fail_stream',
} as const;

/**
 * How the filter's statistics in Envoy are tagged. They are called `wasmcustom.sluice_queue_waiting.SERVICE` and the like: in
 * Envoy's `/stats/prometheus` that is `sluice_queue_waiting{sluice_service="SERVICE"}`.
 */
export const STATISTICS_TAG = {
  name: 'sluice_service',
  regex: '^wasmcustom\\.sluice_queue_[a-z0-9_]+(\\.(.+))$',
} as const;
