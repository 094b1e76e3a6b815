import type { envoy } from '#xds';
import { HEADERS } from './contract.ts';
import { duration, wrap } from './encode.ts';

/**
 * The first rest before a request looks for a pod again. Each further one is longer, up to the longest; of each Envoy takes
 * a random part. So a failed connection costs next to nothing, and a thousand requests without a pod not all of the
 * processor.
 */
const FIRST_REST_MS = 5;

/** See `FIRST_REST_MS`. */
const LONGEST_REST_MS = 300;

/** "As often as it takes": the most that Envoy can count. */
const FOR_EVER = 2 ** 32 - 1;

/**
 * In front of pods: try again where no pod has seen a byte, and as long as it takes where there is no pod at
 * all. The slot is kept meanwhile.
 */
export function parkingRetries(): envoy.config.route.v3.RetryPolicy.$Properties {
  return {
    retryOn: 'connect-failure,reset-before-request,retriable-headers',
    retriableHeaders: [{ name: HEADERS.parked, presentMatch: true }],
    numRetries: wrap(FOR_EVER),
    retryBackOff: { baseInterval: duration(FIRST_REST_MS), maxInterval: duration(LONGEST_REST_MS) },
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
