import { envoy } from '#xds';
import type { Service } from '../model/service.ts';
import { duration, wrap } from './encode.ts';
import type { FilterOptions } from './options.ts';

/** The longest a pod stays ejected when the user has not asked for longer. */
const LONGEST_EJECTION_MS = 10_000;

/** So many gateway errors (502, 503, 504) in a row eject a pod. */
const GATEWAY_ERRORS = 3;

/** Active health checks by Envoy. The filter does not see them: behind it Sluice asks the pods, and tells it. */
export function healthChecks(
  { health, protocol, discipline }: Service,
  filter: FilterOptions,
): envoy.config.core.v3.HealthCheck.$Properties[] {
  if (health === undefined || (discipline.kind === 'limited' && filter.kind === 'wasm')) return [];
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
 * When Envoy itself gives a pod no requests for a while. Behind the filter, which ejects on its own account, this only
 * keeps further tries of a request off pods that cannot be reached, so one failure is enough, and answers play no part.
 * Without the filter a pod must fail a few times in a row: to Envoy a WebSocket that its pod closes is such a failure too.
 */
export function outlierDetection(
  { outlier, discipline }: Service,
  filter: FilterOptions,
): envoy.config.cluster.v3.OutlierDetection.$Properties {
  const hasFilter = discipline.kind === 'limited' && filter.kind === 'wasm';
  return {
    splitExternalLocalOriginErrors: true,
    consecutiveLocalOriginFailure: wrap(hasFilter ? 1 : 5),
    enforcingConsecutiveLocalOriginFailure: wrap(100),
    // Success rates are statistics over many requests: too slow for a few long ones.
    enforcingLocalOriginSuccessRate: wrap(0),
    enforcingSuccessRate: wrap(0),
    consecutiveGatewayFailure: wrap(GATEWAY_ERRORS),
    enforcingConsecutiveGatewayFailure: wrap(hasFilter ? 0 : 100),
    consecutive5xx: wrap(outlier.consecutive5xx),
    enforcingConsecutive5xx: wrap(outlier.consecutive5xx > 0 && !hasFilter ? 100 : 0),
    interval: duration(1000),
    baseEjectionTime: duration(outlier.eject),
    // Each ejection is longer than the one before, up to this: a pod that is back is tried soon.
    maxEjectionTime: duration(Math.max(outlier.eject, LONGEST_EJECTION_MS)),
    maxEjectionPercent: wrap(100),
  };
}
