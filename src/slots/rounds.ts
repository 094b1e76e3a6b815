import type { Clock } from '../base/clock.ts';
import type { Timers } from '../base/timers.ts';
import type { Pace } from './write-message.ts';

/** What rounds are made with. */
export interface RoundsOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly pace: Pick<Pace, 'heartbeatMs' | 'deadAfterMs'>;
  /** Whether there is anything to look at. */
  readonly isNeeded: () => boolean;
  /** `isLate`: this process was frozen, or busy, and has not heard what came meanwhile: it is read next. */
  readonly look: (now: number, isLate: boolean) => void;
}

/** Looks at streams twice in the time of a heartbeat, while there are any. */
export class Rounds {
  readonly #options: RoundsOptions;
  #isWaiting = false;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** There is something to look at, or there may be. */
  begin(): void {
    const { clock, timers, pace, isNeeded, look } = this.#options;
    if (this.#isWaiting || !isNeeded()) return;
    this.#isWaiting = true;
    const from = clock.monotonic();
    timers.after(pace.heartbeatMs / 2, () => {
      this.#isWaiting = false;
      const now = clock.monotonic();
      look(now, now - from >= pace.deadAfterMs / 2);
      this.begin();
    });
  }
}
