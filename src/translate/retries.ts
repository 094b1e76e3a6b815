import type { envoy } from '#xds';
import { duration, wrap } from './encode.ts';
import { HEADERS } from './names.ts';

/**
 * In front of pods: try again where no pod has seen a byte, and as long as it takes where there is no pod at
 * all. The slot is kept meanwhile.
 */
export function parkingRetries(): envoy.config.route.v3.RetryPolicy.$Properties {
  return {
    retryOn: 'connect-failure,reset-before-request,retriable-headers',
    retriableHeaders: [{ name: HEADERS.parked, presentMatch: true }],
    numRetries: wrap(1_000_000),
    retryBackOff: { baseInterval: duration(5), maxInterval: duration(50) },
  };
}

/**
 * In front of the gate, which leads into this very process. Should that fail once, or should an edit have taken
 * away what the request waited at, no pod has seen it: it lines up again.
 */
export function gateRetries(): envoy.config.route.v3.RetryPolicy.$Properties {
  return {
    retryOn: 'connect-failure,retriable-headers',
    retriableHeaders: [{ name: HEADERS.again, presentMatch: true }],
    numRetries: wrap(10),
    retryBackOff: { baseInterval: duration(5), maxInterval: duration(50) },
  };
}
