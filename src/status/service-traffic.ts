import { type Quantiles, SlidingDurations } from './durations.ts';

/** How a request ended. `failed`: with a status of 500 or above. `abandoned`: its client left before. */
export type Outcome = 'answered' | 'failed' | 'refused' | 'timed out' | 'abandoned';

/** A request at one of three moments of its life, as Envoy tells it. */
export type RequestEvent =
  | { readonly kind: 'arrived' | 'admitted'; readonly service: string; readonly id: string; readonly startedAt: number }
  | {
      readonly kind: 'ended';
      readonly service: string;
      readonly id: string;
      /** When it came, in milliseconds since the epoch. */
      readonly startedAt: number;
      /** Until it got its slot, in milliseconds; undefined: it never did. */
      readonly waitMs: number | undefined;
      /** From its arrival to its end, in milliseconds. */
      readonly durationMs: number;
      readonly outcome: Outcome;
    };

/** How many requests ended how. */
export interface Counts {
  readonly answered: number;
  readonly failed: number;
  readonly refused: number;
  /** Given up while they waited, or while a pod worked on them. */
  readonly timedOut: number;
  readonly abandoned: number;
}

/** What is known of the requests of one service. Waits are of all that got a slot, work only of those `answered`. */
export interface TrafficReading {
  /** The longest that a request waits that waits now, in milliseconds; undefined: none does. */
  readonly oldestWaitMs: number | undefined;
  /** Since Sluice started. */
  readonly total: Counts;
  readonly lastMinute: Counts & { readonly waitMs?: Quantiles; readonly workMs?: Quantiles };
}

/** Twelve slices of five seconds. */
const SLICES = 12;
/** How long a slice is. */
export const SLICE_MS = 5000;

const NONE: Counts = { answered: 0, failed: 0, refused: 0, timedOut: 0, abandoned: 0 };

/** The requests of one service. */
export class ServiceTraffic {
  readonly #waits = new SlidingDurations(SLICES);
  readonly #work = new SlidingDurations(SLICES);
  /** The current slice comes last. */
  readonly #slices: Counts[] = [NONE];
  /** In the order of their arrival. */
  readonly #waiting = new Map<string, { readonly at: number; readonly stream: number }>();
  /** Some of those who wait came before this moment, and nobody has told when. */
  #unknownBefore: number | undefined;
  #total: Counts = NONE;

  /** How many are known to wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A request has come. */
  arrived(id: string, at: number, stream: number): void {
    this.#waiting.set(id, { at, stream });
  }

  /** A request waits no longer, for whatever reason. */
  left(id: string, startedAt: number): void {
    this.#waiting.delete(id);
    // First in, first out: nobody who came before the log began is left.
    if (this.#unknownBefore !== undefined && startedAt >= this.#unknownBefore) this.#unknownBefore = undefined;
  }

  /** A request is over. */
  ended(event: Extract<RequestEvent, { kind: 'ended' }>): void {
    const { outcome, waitMs, durationMs } = event;
    this.count(outcome);
    if (waitMs === undefined) return;
    this.#waits.add(waitMs);
    if (outcome === 'answered') this.#work.add(durationMs - waitMs);
  }

  /** Counts an end. */
  count(outcome: Outcome): void {
    const last = this.#slices.length - 1;
    this.#slices[last] = plusOne(this.#slices[last] ?? NONE, outcome);
    this.#total = plusOne(this.#total, outcome);
  }

  /** One of those that count as failed was given up by Envoy itself. */
  gaveUp(): void {
    const last = this.#slices.length - 1;
    this.#slices[last] = failedToTimedOut(this.#slices[last] ?? NONE);
    this.#total = failedToTimedOut(this.#total);
  }

  /** Forgets who waits according to this stream: it has ended. */
  forget(stream: number): void {
    for (const [id, entry] of this.#waiting) if (entry.stream === stream) this.#waiting.delete(id);
  }

  /**
   * Envoy says that so many wait; `settled` is a moment so long ago that the log has told everything before it. If
   * more seem to wait who came before that, entries were lost: in a line, the oldest ones must have gone.
   */
  correct(waiting: number, settled: number, logBegan: number | undefined): void {
    let old = [...this.#waiting.values()].filter(({ at }) => at < settled).length;
    for (const [id] of this.#waiting) {
      if (old <= waiting) break;
      this.#waiting.delete(id);
      old -= 1;
    }
    if (waiting === 0) this.#unknownBefore = undefined;
    else if (logBegan !== undefined && this.#waiting.size < waiting) this.#unknownBefore ??= logBegan;
  }

  /** A slice of time has ended. */
  rotate(): void {
    this.#waits.rotate();
    this.#work.rotate();
    this.#slices.push(NONE);
    if (this.#slices.length > SLICES) this.#slices.shift();
  }

  /** What happened in the slice of time that has not ended yet. */
  current(): { readonly counts: Counts; readonly waitMs: Quantiles | undefined } {
    return { counts: settled(this.#slices.at(-1) ?? NONE), waitMs: this.#waits.current() };
  }

  /** What is known `now`, in milliseconds since the epoch. */
  read(now: number): TrafficReading {
    const waitMs = this.#waits.all();
    const workMs = this.#work.all();
    return {
      oldestWaitMs: this.#oldest(now),
      total: settled(this.#total),
      lastMinute: { ...settled(this.#slices.reduce(plus, NONE)), ...(waitMs && { waitMs }), ...(workMs && { workMs }) },
    };
  }

  #oldest(now: number): number | undefined {
    const [first] = this.#waiting.values();
    const known = [first?.at, this.#unknownBefore].filter((at) => at !== undefined);
    // Another machine's clock may be ahead.
    return known.length === 0 ? undefined : Math.max(0, now - Math.min(...known));
  }
}

function plusOne(counts: Counts, outcome: Outcome): Counts {
  const key = outcome === 'timed out' ? 'timedOut' : outcome;
  return { ...counts, [key]: counts[key] + 1 };
}

/** Below 0 failures when the failure itself is still to be told. */
function failedToTimedOut(counts: Counts): Counts {
  return { ...counts, failed: counts.failed - 1, timedOut: counts.timedOut + 1 };
}

function settled(counts: Counts): Counts {
  return { ...counts, failed: Math.max(0, counts.failed) };
}

function plus(a: Counts, b: Counts): Counts {
  return {
    answered: a.answered + b.answered,
    failed: a.failed + b.failed,
    refused: a.refused + b.refused,
    timedOut: a.timedOut + b.timedOut,
    abandoned: a.abandoned + b.abandoned,
  };
}
