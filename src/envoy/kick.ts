import type { HostPort } from '../base/host-port.ts';
import { ok, type Result } from '../base/result.ts';
import { httpGet } from './http-get.ts';

/**
 * How a kick ended: the second hop answered it (there was a free slot), it was taken back while it waited in the
 * line, the line was full, or Envoy did not let it in for another reason (404: there is no such gate).
 */
export type Kick =
  | { readonly kind: 'answered' }
  | { readonly kind: 'withdrawn' }
  | { readonly kind: 'full' }
  | { readonly kind: 'refused'; readonly status: number };

/** Envoy's router sets it when a circuit breaker refuses a request, and then alone (`x-envoy-*` in "Router" of its docs). */
const OVERLOADED = 'x-envoy-overloaded';

/** Long enough for Envoy to take it in and look at the limit again, too short to hold up anyone in the line. */
const KICK_MS = 100;

/**
 * Wakes the line of a service after its limit was raised: Envoy opens connections to the pods only when a request
 * arrives, so without a kick the line stands still until a running request ends. The kick is a request through the
 * gate to `address`, the listener that Envoy keeps for this on loopback; the second hop answers it with 204, no pod
 * sees it. One is enough for any number of new slots: each connection it makes Envoy open leads to the next.
 * Errors: the listener cannot be reached, or `signal` was aborted.
 */
export async function kick(address: HostPort, service: string, signal?: AbortSignal): Promise<Result<Kick, string>> {
  const enough = AbortSignal.timeout(KICK_MS);
  const path = `/${encodeURIComponent(service)}`;
  const answer = await httpGet(address, path, signal ? AbortSignal.any([signal, enough]) : enough);
  if (!answer.ok) return enough.aborted && signal?.aborted !== true ? ok({ kind: 'withdrawn' }) : answer;
  const { status, headers } = answer.value;
  if (status === 204) return ok({ kind: 'answered' });
  return ok(headers[OVERLOADED] === undefined ? { kind: 'refused', status } : { kind: 'full' });
}
