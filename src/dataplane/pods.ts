import { envoy } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import type { Balance, Service } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { podsCluster as podsClusterName, podsName } from './contract.ts';
import { duration, extension, pack, resource, wrap } from './encode.ts';
import { HTTP_OPTIONS, UNBOUNDED } from './gate.ts';

const { Cluster } = envoy.config.cluster.v3;
const { HttpProtocolOptions } = envoy.extensions.upstreams.http.v3;
const { LeastRequest } = envoy.extensions.load_balancing_policies.least_request.v3;
const { RoundRobin } = envoy.extensions.load_balancing_policies.round_robin.v3;
const { Random } = envoy.extensions.load_balancing_policies.random.v3;

/** The longest a pod stays ejected when the user has not asked for longer. */
const LONGEST_EJECTION_MS = 10_000;

/**
 * A pod whose machine vanishes says nothing; its requests would keep their slots for ever. The kernel asks after 30 s
 * without a byte, so a connection to nobody ends after a minute. A pod that only computes answers this while it does.
 */
const KEEPALIVE = { keepaliveTime: wrap(30), keepaliveInterval: wrap(10), keepaliveProbes: wrap(3) };

/** The pods of a service: chooses the least loaded one, and never gives a pod more than its limit. */
export function podsCluster(service: Service): EncodedResource {
  const name = podsClusterName(service);
  return resource(Cluster, name, {
    name,
    altStatName: podsName(service.name),
    type: Cluster.DiscoveryType.EDS,
    connectTimeout: duration(service.timeout.connect),
    // 0: wait for the endpoints rather than come up without them.
    edsClusterConfig: {
      edsConfig: { resourceApiVersion: envoy.config.core.v3.ApiVersion.V3, ads: {}, initialFetchTimeout: duration(0) },
    },
    commonLbConfig: {
      // Never panic: a request waits (in parking) rather than go to a pod that is known to be bad.
      healthyPanicThreshold: { value: 0 },
      // Envoy tells its workers of a second pod that is out, or drains, up to 1 s after the first by default, and until
      // then that pod is the least loaded one (run: 4 of 8 pods died, 21 tries met a dead one in place of 4).
      updateMergeWindow: duration(0),
    },
    loadBalancingPolicy: { policies: [{ typedExtensionConfig: policy(balanceOf(service)) }] },
    healthChecks: healthChecks(service),
    // Otherwise a pod that is gone would stay, and get requests, for as long as it answers health checks.
    ignoreHealthOnHostRemoval: true,
    outlierDetection: outlierDetection(service),
    circuitBreakers: circuitBreakers(service),
    upstreamConnectionOptions: { tcpKeepalive: KEEPALIVE },
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: pack(HttpProtocolOptions, podHttp(service)) },
  });
}

function balanceOf({ discipline }: Service): Balance {
  return discipline.kind === 'limited' ? 'least_request' : discipline.balance;
}

function policy(balance: Balance) {
  switch (balance) {
    case 'least_request':
      // The whole set is looked at, not two at random: the next request goes to a pod with a free slot.
      return extension('least_request', LeastRequest, { selectionMethod: LeastRequest.SelectionMethod.FULL_SCAN });
    case 'round_robin':
      return extension('round_robin', RoundRobin, {});
    case 'random':
      return extension('random', Random, {});
    default:
      return assertNever(balance);
  }
}

function healthChecks({ health, protocol }: Service): envoy.config.core.v3.HealthCheck.$Properties[] {
  if (health === undefined) return [];
  return [
    {
      timeout: duration(Math.min(health.interval, 2000)),
      interval: duration(health.interval),
      // A pod that is out for the moment is asked often, so that it is back soon.
      unhealthyInterval: duration(Math.min(health.interval, 1000)),
      noTrafficInterval: duration(health.interval),
      unhealthyThreshold: wrap(2),
      healthyThreshold: wrap(1),
      httpHealthCheck: {
        path: health.path,
        codecClientType: protocol === 'h2c' ? envoy.type.v3.CodecClientType.HTTP2 : envoy.type.v3.CodecClientType.HTTP1,
      },
    },
  ];
}

/**
 * A dead pod is the least loaded one and would swallow everything, retries included: the first connection
 * that fails ejects it. All may be ejected: then requests wait in parking.
 */
function outlierDetection({ outlier }: Service): envoy.config.cluster.v3.OutlierDetection.$Properties {
  return {
    splitExternalLocalOriginErrors: true,
    consecutiveLocalOriginFailure: wrap(1),
    enforcingConsecutiveLocalOriginFailure: wrap(100),
    // The local success rate is statistics over many requests: too slow for a few long ones.
    enforcingLocalOriginSuccessRate: wrap(0),
    enforcingSuccessRate: wrap(0),
    consecutiveGatewayFailure: wrap(3),
    enforcingConsecutiveGatewayFailure: wrap(100),
    consecutive5xx: wrap(outlier.consecutive5xx),
    enforcingConsecutive5xx: wrap(outlier.consecutive5xx > 0 ? 100 : 0),
    interval: duration(1000),
    baseEjectionTime: duration(outlier.eject),
    // Each ejection is longer than the one before, up to this: a pod that is back is tried soon.
    maxEjectionTime: duration(Math.max(outlier.eject, LONGEST_EJECTION_MS)),
    maxEjectionPercent: wrap(100),
  };
}

function circuitBreakers({ discipline, protocol }: Service): envoy.config.cluster.v3.CircuitBreakers.$Properties {
  switch (discipline.kind) {
    case 'limited':
      return {
        thresholds: [
          {
            maxConnections: wrap(UNBOUNDED),
            maxPendingRequests: wrap(UNBOUNDED),
            maxRequests: wrap(UNBOUNDED),
            maxRetries: wrap(UNBOUNDED),
          },
        ],
        // The backstop: holds a pod's limit while the gate is being lowered or a pod is ejected. With HTTP/2
        // a pod has one connection, with `limit` streams.
        perHostThresholds: [{ maxConnections: wrap(protocol === 'h2c' ? 1 : discipline.limit) }],
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

function podHttp({
  discipline,
  protocol,
}: Service): envoy.extensions.upstreams.http.v3.HttpProtocolOptions.$Properties {
  // Below any server's own keep-alive, so that a request never meets a connection that is closing.
  const commonHttpProtocolOptions = { idleTimeout: duration(1000) };
  switch (protocol) {
    case 'http1':
      return { commonHttpProtocolOptions, explicitHttpConfig: { httpProtocolOptions: { enableTrailers: true } } };
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
