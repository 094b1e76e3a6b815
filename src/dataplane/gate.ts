import { envoy } from '#xds';
import type { Service } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { gateName, SECOND_HOP } from './contract.ts';
import { duration, pack, resource, wrap } from './encode.ts';

const { Cluster } = envoy.config.cluster.v3;
const { HttpProtocolOptions } = envoy.extensions.upstreams.http.v3;

/** "No bound" in Envoy's circuit breakers, whose defaults are 1024 and 3. */
export const UNBOUNDED = 1_000_000_000;

/** Under which name Envoy looks for a cluster's HTTP options. */
export const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/**
 * The length of a line that the runtime layer does not name: most have this one (the default of `queue.max`), so that most
 * gates have one key there and not two. A constant, whatever the route file says: see `gateCluster`.
 */
export const PENDING_UNSAID = 1000;

/** How long a lowered limit may still be exceeded at the gate by reused connections (the pods' backstop holds). */
const GATE_CONNECTION_MS = 1000;

/**
 * The gate: a cluster with one endpoint, and so with one connection pool and one first-in first-out line. A
 * connection carries one request at a time, so `max_connections` is the number of slots.
 */
export function gateCluster(service: Service): EncodedResource {
  const name = gateName(service);
  return resource(Cluster, name, {
    name,
    altStatName: `gate/${service.name}`,
    type: Cluster.DiscoveryType.STATIC,
    connectTimeout: duration(2000),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: internalAddress(SECOND_HOP) } }] }],
    },
    circuitBreakers: {
      thresholds: [
        {
          // Values to start from: the runtime layer has the true ones. They must never depend on the pods or the route
          // file, since a changed cluster is a new cluster whose counters are at 0.
          maxConnections: wrap(1),
          maxPendingRequests: wrap(PENDING_UNSAID),
          // These two would refuse instead of letting wait.
          maxRequests: wrap(UNBOUNDED),
          maxRetries: wrap(UNBOUNDED),
        },
      ],
    },
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: pack(HttpProtocolOptions, GATE_HTTP) },
  });
}

/**
 * HTTP/1.1 whatever the pods speak: its connections carry one request at a time, bodies both ways at once, and trailers.
 * HTTP/2 would need a new connection for every request, as a slot is a connection: with one that is used again, the
 * request that follows one whose client has gone chooses its pod too early, and some are broken off (run).
 */
const GATE_HTTP: envoy.extensions.upstreams.http.v3.HttpProtocolOptions.$Properties = {
  // A reused connection does not look at the limit again, so none may live long.
  commonHttpProtocolOptions: { idleTimeout: duration(2000), maxConnectionDuration: duration(GATE_CONNECTION_MS) },
  explicitHttpConfig: { httpProtocolOptions: { enableTrailers: true } },
};

/** The address of an internal listener; `endpointId` tells several endpoints at one listener apart. */
export function internalAddress(listener: string, endpointId = ''): envoy.config.core.v3.Address.$Properties {
  return { envoyInternalAddress: { serverListenerName: listener, endpointId } };
}
