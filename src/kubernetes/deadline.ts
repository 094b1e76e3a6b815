import type { Clock } from '../base/clock.ts';

/** An `AbortSignal` that follows another one and a timer that can be set anew. Its reason is a text for people. */
export class Deadline {
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  readonly #controller = new AbortController();
  readonly #follow = () => this.abort('stopped');
  #cancel: (() => void) | undefined;

  /** Without a time yet; aborted when `outer` is. */
  constructor(clock: Clock, outer: AbortSignal) {
    this.#clock = clock;
    this.#outer = outer;
    outer.addEventListener('abort', this.#follow, { once: true });
    if (outer.aborted) this.#follow();
  }

  /** Hand this to what has to end in time. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Aborts after `ms` milliseconds, in place of any time set before. */
  set(ms: number, reason: string): void {
    this.#cancel?.();
    this.#cancel = this.#clock.after(ms, () => this.abort(reason));
  }

  /** Aborts now. */
  abort(reason: string): void {
    this.#controller.abort(reason);
  }

  /** Lets go of the timer and of the outer signal; call it when the work is done. */
  end(): void {
    this.#cancel?.();
    this.#outer.removeEventListener('abort', this.#follow);
  }
}
