import type { Clock } from '../../base/clock.ts';

/** How fast a client may ask; see `RequestRate`. */
export interface RateOptions {
  readonly perSecond: number;
  /** How many may come at once after a quiet time. */
  readonly burst: number;
  readonly clock: Clock;
}

/** A token bucket that never refuses: it says how long to wait before the next request is read, so none is lost. */
export class RequestRate {
  readonly #options: RateOptions;
  #tokens: number;
  #at: number;

  constructor(options: RateOptions) {
    this.#options = options;
    this.#tokens = options.burst;
    this.#at = options.clock.monotonic();
  }

  /** Counts one request; returns the milliseconds for which no further one should be read, 0 mostly. */
  take(): number {
    const { perSecond, burst, clock } = this.#options;
    const now = clock.monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) * perSecond) / 1000) - 1;
    this.#at = now;
    // Once it is empty, a tenth of a second's worth is gathered, so that reading does not stop and go for each request.
    return this.#tokens >= 0 ? 0 : Math.max(1, Math.ceil((-this.#tokens * 1000) / perSecond), Math.min(100, burst));
  }
}
