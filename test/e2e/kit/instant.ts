/**
 * The one clock of a test: milliseconds of the machine's monotonic clock. Unlike `performance.now()`, whose zero differs
 * from thread to thread, it can be compared between the pods' thread, the load's thread and other processes.
 */
export function instant(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Resolves after `ms` milliseconds, by a timer that keeps the process alive. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How long to wait for a condition, in milliseconds, and what to call it when it does not come. */
export interface Until {
  /** Ends the sentence "waited 5000 ms for …". */
  readonly what: string;
  /** Give up after this long; 20 s when left out, generous because the machine may be busy. */
  readonly within?: number;
  /** Look again this often; 10 ms when left out. */
  readonly every?: number;
}

/**
 * Asks `look` again and again until it gives something other than `undefined` or `false`, and returns that.
 * Errors: throws when it has not come in time, with the last error of `look` if there was one.
 */
export async function until<T>(look: () => T | Promise<T>, { what, within = 20_000, every = 10 }: Until) {
  const deadline = instant() + within;
  let last: unknown;
  do {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen as Exclude<T, undefined | false>; // both ruled out just here
      last = undefined;
    } catch (error) {
      last = error;
    }
    await pause(every);
  } while (instant() < deadline);
  throw new Error(`waited ${within} ms for ${what}`, last === undefined ? {} : { cause: last });
}
