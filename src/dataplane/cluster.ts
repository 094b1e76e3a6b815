import { envoy, google } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import type { HeaderBounds } from '../model/header-bounds.ts';
import type { Service } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { balancing } from './balancing.ts';
import { ADS } from './connection-manager.ts';
import { clusterName } from './contract.ts';
import { duration, field, merged, pack, resource, wrap } from './encode.ts';
import { healthChecks, outlierDetection } from './health.ts';
import type { TranslateOptions } from './options.ts';
import { podTls } from './pod-tls.ts';

const { Cluster } = envoy.config.cluster.v3;
const { HttpProtocolOptions } = envoy.extensions.upstreams.http.v3;

/** "No bound" in Envoy's circuit breakers, whose defaults are 1024 and 3. */
const UNBOUNDED = 1_000_000_000;

/**
 * Behind the filter only those wait in Envoy that have a slot and want its connection: never so many. The same for every
 * length of the queue, so that another one changes no cluster.
 */
const PENDING_BEHIND_FILTER = 1_000_000;

/**
 * A pod whose machine vanishes says nothing; its requests would keep their slots for ever. The kernel asks after 30 s
 * without a byte, so a connection to nobody ends after a minute. A pod that only computes answers this while it does.
 */
const KEEPALIVE = { keepaliveTime: wrap(30), keepaliveInterval: wrap(10), keepaliveProbes: wrap(3) };

/** Below any server's own keep-alive, so that a request never meets a connection that is closing. */
const IDLE_MS = 1000;

/** What a cluster is made from besides its service. */
export interface ClusterOptions extends TranslateOptions {
  /** Of pods' answers. */
  readonly bounds: HeaderBounds;
}

/** The cluster of a service, called as the service is. */
export function cluster(service: Service, options: ClusterOptions): EncodedResource {
  const name = clusterName(service);
  return resource(Cluster, name, {
    name,
    type: Cluster.DiscoveryType.EDS,
    connectTimeout: duration(service.timeout.connect),
    edsClusterConfig: { edsConfig: ADS },
    commonLbConfig: {
      // Where all pods are ejected Envoy tries them all the same, instead of refusing: whoever is tried first tells.
      healthyPanicThreshold: { value: 1 },
      // Envoy tells its workers of a second pod that is out, or drains, up to 1 s after the first by default, and until
      // then that pod is the least loaded one (seen on 1.40: 4 of 8 pods died, 21 tries met a dead one in place of 4).
      updateMergeWindow: duration(0),
    },
    loadBalancingPolicy: balancing(service, options.filter),
    healthChecks: healthChecks(service, options.filter),
    // Otherwise a pod that is gone would stay, and get requests, for as long as it answers health checks.
    ignoreHealthOnHostRemoval: true,
    outlierDetection: outlierDetection(service, options.filter),
    circuitBreakers: circuitBreakers(service, options),
    ...(service.tls === undefined ? {} : { transportSocket: podTls(service.tls, service) }),
    upstreamConnectionOptions: { tcpKeepalive: KEEPALIVE },
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': pack(HttpProtocolOptions, podHttp(service, options)),
    },
  });
}

/** Worker threads of an Envoy for whose connections there is room. */
const MOST_WORKERS = 64;

/** What Envoy holds itself. */
function circuitBreakers(
  { discipline, protocol }: Service,
  { filter }: TranslateOptions,
): envoy.config.cluster.v3.CircuitBreakers.$Properties {
  const isOff = filter.kind === 'off';
  switch (discipline.kind) {
    case 'limited':
      return {
        thresholds: [
          {
            maxConnections: wrap(UNBOUNDED),
            maxPendingRequests: wrap(isOff ? discipline.queue.max : PENDING_BEHIND_FILTER),
            maxRequests: wrap(UNBOUNDED),
            maxRetries: wrap(UNBOUNDED),
          },
        ],
        perHostThresholds: [{ maxConnections: wrap(podConnections(discipline.limit, protocol, isOff)) }],
      };
    case 'balanced':
      return {
        thresholds: [
          {
            maxConnections: wrap(UNBOUNDED),
            maxPendingRequests: wrap(discipline.queueMax),
            maxRequests: wrap(discipline.maxRequests),
            maxRetries: wrap(UNBOUNDED),
          },
        ],
      };
    default:
      return assertNever(discipline);
  }
}

/**
 * The connections to a pod. Without the filter they hold the limit: one HTTP/1.1 connection for each slot, one HTTP/2 connection
 * that carries `limit` requests. The filter holds the limit itself, over the connections of all workers, of which each keeps
 * its own; and each HTTP/2 request may be on one of its own, on which the pod takes no new ones (GOAWAY).
 */
function podConnections(limit: number, protocol: Service['protocol'], isOff: boolean): number {
  if (isOff) return protocol === 'h2c' ? 1 : limit;
  return (protocol === 'h2c' ? Math.max(2, limit) : limit) * MOST_WORKERS;
}

/**
 * `max_response_headers_kb` of envoy.config.core.v3.HttpProtocolOptions, its field 7: the definitions that npm has of Envoy's
 * messages do not know it yet.
 */
function maxResponseHeadersKb(kilobytes: number): Uint8Array {
  return merged(field(7, google.protobuf.UInt32Value.encode({ value: kilobytes }).finish()));
}

function podHttp(
  { discipline, protocol }: Service,
  { bounds }: ClusterOptions,
): envoy.extensions.upstreams.http.v3.HttpProtocolOptions.$Properties {
  const commonHttpProtocolOptions = {
    idleTimeout: duration(IDLE_MS),
    maxHeadersCount: wrap(bounds.lines),
    $unknowns: [maxResponseHeadersKb(bounds.size / 1024)],
  };
  switch (protocol) {
    case 'http1':
      return {
        commonHttpProtocolOptions,
        explicitHttpConfig: {
          httpProtocolOptions: {
            enableTrailers: true,
            // An answer with both is read by its chunks, as RFC 9112 has it; to clients it goes framed anew.
            allowChunkedLength: true,
          },
        },
      };
    case 'h2c':
      return {
        commonHttpProtocolOptions,
        explicitHttpConfig: {
          http2ProtocolOptions: discipline.kind === 'limited' ? { maxConcurrentStreams: wrap(discipline.limit) } : {},
        },
      };
    default:
      return assertNever(protocol);
  }
}
