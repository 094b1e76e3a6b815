import type { Clock } from '../base/clock.ts';
import { PUSH_ORDER, type TypeUrl } from '../snapshot/resource.ts';

/** What the convergence of published configurations is measured on. */
export interface ConvergenceOptions {
  /** Calls back after every publication, later than the xDS server hears of it; returns the unsubscriber. */
  readonly subscribe: (published: () => void) => () => void;
  /** As the xDS server's. */
  readonly waitForAck: (types: readonly TypeUrl[], timeoutMs: number) => Promise<string>;
  /** Seconds from a publication until every Envoy had taken it, or until nobody waited any longer. */
  readonly onConverged: (seconds: number) => void;
  readonly clock: Clock;
}

/** An Envoy that has not answered by then is counted as having taken this long: above every bucket. */
const LONGEST_MS = 300_000;

/**
 * Measures how long Envoys take to be in step. While one publication is still being answered, later ones are not
 * measured on their own: the answer to a newer one counts for it, and with an Envoy that is stuck there is never more
 * than one wait. Refusals and publications that nobody gets are not measured. Returns what ends it.
 */
export function followConvergence({ subscribe, waitForAck, onConverged, clock }: ConvergenceOptions): () => void {
  let waiting = false;
  return subscribe(() => {
    if (waiting) return;
    waiting = true;
    const start = clock.monotonic();
    void waitForAck(PUSH_ORDER, LONGEST_MS).then((result) => {
      waiting = false;
      if (result === 'acked' || result === 'timeout') onConverged((clock.monotonic() - start) / 1000);
    });
  });
}
