import { envoy } from '#xds';
import type { Service } from '../model/service.ts';
import { duration, extension, wrap } from './encode.ts';

const { PreviousHostsPredicate } = envoy.extensions.retry.host.previous_hosts.v3;

/**
 * The first rest before a request is tried again. Each further one is longer, up to the longest; of each Envoy takes a
 * random part. So a failed connection costs next to nothing, and a thousand requests whose pods are all away not all of
 * the processor.
 */
const FIRST_REST_MS = 10;

/** See `FIRST_REST_MS`. */
const LONGEST_REST_MS = 300;

/** "As often as it takes": the most that Envoy can count. */
const FOR_EVER = 2 ** 32 - 1;

/** How often Envoy looks for a pod that this request has not met yet. */
const OTHER_PODS = 3;

/**
 * Tries of a request for pods by TLS without a limit: a certificate that nobody trusts looks like a pod that cannot be
 * reached, and will not be another one in a moment.
 */
const TLS_TRIES = 4;

/** Where no pod has seen a byte of it a request is tried again, at another pod and for as long as it takes. */
export function retryPolicy(services: readonly Service[]): envoy.config.route.v3.RetryPolicy.$Properties {
  const isBounded = services.every(({ tls, discipline }) => tls !== undefined && discipline.kind === 'balanced');
  return {
    retryOn: 'connect-failure,refused-stream,reset-before-request',
    numRetries: wrap(isBounded ? TLS_TRIES : FOR_EVER),
    retryBackOff: { baseInterval: duration(FIRST_REST_MS), maxInterval: duration(LONGEST_REST_MS) },
    retryHostPredicate: [extension('envoy.retry_host_predicates.previous_hosts', PreviousHostsPredicate, {})],
    hostSelectionRetryMaxAttempts: OTHER_PODS,
  };
}
