import type { Clock } from './clock.ts';

/** Timers that end together: one left behind would keep the process alive. */
export class Timers {
  readonly #clock: Clock;
  readonly #cancels = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `callback` once after `ms`, unless what is returned, or `stop`, is called before. */
  after(ms: number, callback: () => void): () => void {
    const cancel = this.#clock.after(ms, () => {
      this.#cancels.delete(cancel);
      callback();
    });
    this.#cancels.add(cancel);
    return () => {
      this.#cancels.delete(cancel);
      cancel();
    };
  }

  /** Calls all of them off. */
  stop(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}
