/** Where time comes from, so that a test can hold it still. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds that never jump, from an arbitrary start: for measuring and waiting. */
  monotonic(): number;
  /** Calls `callback` once, when `monotonic()` has grown by `ms` milliseconds or more; the returned function cancels it. */
  after(ms: number, callback: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const due = performance.now() + ms;
    let timer: NodeJS.Timeout;
    // Node cuts off fractions and counts whole milliseconds of its own, so that it may be early: who then looks at `monotonic()`
    // and waits on would wait for ever.
    const wait = () => {
      timer = setTimeout(() => (performance.now() < due ? wait() : callback()), restOf(due));
    };
    wait();
    return () => clearTimeout(timer);
  },
};

/** The longest that Node's timers take; with more they go off at once. */
const MOST_MS = 2 ** 31 - 1;

function restOf(due: number): number {
  return Math.min(MOST_MS, Math.ceil(Math.max(0, due - performance.now())));
}

/** Resolves after `ms` milliseconds, or at once when `signal` is aborted (it never rejects). */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** A clock for tests: time moves only by `advance`, and callbacks run in the order of their times. */
export class FakeClock implements Clock {
  #time: number;
  #next = 0;
  readonly #timers = new Map<number, { readonly at: number; readonly callback: () => void }>();

  constructor(start = 1_700_000_000_000) {
    this.#time = start;
  }

  now(): number {
    return this.#time;
  }

  monotonic(): number {
    return this.#time;
  }

  after(ms: number, callback: () => void): () => void {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#time + Math.max(0, ms), callback });
    return () => this.#timers.delete(id);
  }

  /** How many timers have been set and have neither gone off nor been called off. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on by `ms`, running what comes due, and lets pending promises settle after each callback. */
  async advance(ms: number): Promise<void> {
    const end = this.#time + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers]
        .filter(([, timer]) => timer.at <= end)
        .sort(([a, x], [b, y]) => x.at - y.at || a - b)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#time = Math.max(this.#time, due[1].at);
      due[1].callback();
    }
    this.#time = end;
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
