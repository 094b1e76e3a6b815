import { type Counts, type Outcome, sumOf, Tally } from './counts.ts';
import { type Quantiles, SlidingDurations } from './durations.ts';

/**
 * What Envoy tells of a request: that it still waits, after a while; that it has got its slot, when it has waited; that
 * it is over. Most are only told of at their end.
 */
export type RequestEvent =
  | { readonly kind: 'waits' | 'admitted'; readonly service: string; readonly id: string; readonly startedAt: number }
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
      /** How many requests like it there were that nobody tells of, itself included. */
      readonly standsFor: number;
    };

/** What is known of the requests of one service. Waits are of all that got a slot, work only of those `answered`. */
export interface TrafficReading {
  /** The longest that a request waits that waits now, in milliseconds; undefined: none has waited for a second. */
  readonly oldestWaitMs: number | undefined;
  /** Since Sluice started. */
  readonly total: Counts;
  readonly lastMinute: Counts & { readonly waitMs?: Quantiles; readonly workMs?: Quantiles };
}

/** Twelve slices of five seconds. */
const SLICES = 12;
/** Whoever waits is told of again every 10 s on average: of one that was not for so long, the end was lost. */
const GONE_MS = 180_000;
/** How long a slice is. */
export const SLICE_MS = 5000;

/** The requests of one service. */
export class ServiceTraffic {
  readonly #waits = new SlidingDurations(SLICES);
  readonly #work = new SlidingDurations(SLICES);
  /** Those that have ended. */
  readonly #slices: Tally[] = [];
  #current = new Tally();
  readonly #total = new Tally();
  /** Those that Envoy has told of. */
  readonly #waiting = new Map<string, { readonly at: number; readonly stream: number; readonly toldAt: number }>();
  /** Some of those who wait came before this moment, and nobody has told when. */
  #unknownBefore: number | undefined;
  /** The line was seen empty, and the log goes on since: of whoever waits the log has told, or will. */
  #isTold: boolean;

  /** `isEmpty`: the line was seen empty before anything else was known of it. */
  constructor(isEmpty = false) {
    this.#isTold = isEmpty;
  }

  /** How many are known to wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** A request waits that came at `at`; so a log stream has told at `toldAt`. */
  waits(id: string, at: number, { stream, toldAt }: { readonly stream: number; readonly toldAt: number }): void {
    this.#waiting.set(id, { at, stream, toldAt });
  }

  /** A request that came at `startedAt` has got its slot. */
  admitted(id: string, startedAt: number): void {
    this.#waiting.delete(id);
    // First in, first out: nobody who came before the log began is left.
    if (this.#unknownBefore !== undefined && startedAt >= this.#unknownBefore) this.#unknownBefore = undefined;
  }

  /** A request is over. */
  ended(event: Extract<RequestEvent, { kind: 'ended' }>): void {
    const { id, startedAt, outcome, waitMs, durationMs, standsFor } = event;
    this.#current.count(outcome, standsFor);
    this.#total.count(outcome, standsFor);
    if (waitMs === undefined) {
      // It left the line, from wherever it stood there, or never came to it.
      this.#waiting.delete(id);
      return;
    }
    this.admitted(id, startedAt);
    this.#waits.add(waitMs, standsFor);
    if (outcome === 'answered') this.#work.add(durationMs - waitMs, standsFor);
  }

  /** One of those that count as failed was given up by Envoy itself. */
  gaveUp(): void {
    this.#current.gaveUp();
    this.#total.gaveUp();
  }

  /** Forgets who waits according to this stream: it has ended. */
  forget(stream: number): void {
    this.#isTold = false;
    for (const [id, entry] of this.#waiting) if (entry.stream === stream) this.#waiting.delete(id);
  }

  /**
   * Envoy says that so many wait; `settled` is a moment so long ago that the log has told everything before it. If
   * more seem to wait who came before that, entries were lost: in a line, the oldest ones must have gone.
   */
  correct(waiting: number, settled: number, logBegan: number | undefined): void {
    const old = [...this.#waiting].filter(([, { at }]) => at < settled);
    if (old.length > waiting) {
      old.sort(([, a], [, b]) => a.at - b.at);
      for (const [id] of old.slice(0, old.length - waiting)) this.#waiting.delete(id);
    }
    if (waiting === 0) {
      this.#unknownBefore = undefined;
      this.#isTold = true;
    } else if (!this.#isTold && logBegan !== undefined && this.#waiting.size < waiting) {
      this.#unknownBefore ??= logBegan;
    }
  }

  /** A slice of time has ended at `now`. */
  rotate(now: number): void {
    for (const [id, { toldAt }] of this.#waiting) if (now - toldAt > GONE_MS) this.#waiting.delete(id);
    this.#waits.rotate();
    this.#work.rotate();
    this.#slices.push(this.#current);
    this.#current = new Tally();
    if (this.#slices.length === SLICES) this.#slices.shift();
  }

  /** What happened in the slice of time that has not ended yet. */
  current(): { readonly counts: Counts; readonly waitMs: Quantiles | undefined } {
    return { counts: sumOf([this.#current]), waitMs: this.#waits.current() };
  }

  /** What is known `now`, in milliseconds since the epoch. */
  read(now: number): TrafficReading {
    const waitMs = this.#waits.all();
    const workMs = this.#work.all();
    return {
      oldestWaitMs: this.#oldest(now),
      total: sumOf([this.#total]),
      lastMinute: {
        ...sumOf([...this.#slices, this.#current]),
        ...(waitMs && { waitMs }),
        ...(workMs && { workMs }),
      },
    };
  }

  #oldest(now: number): number | undefined {
    let first = this.#unknownBefore ?? Number.POSITIVE_INFINITY;
    for (const { at } of this.#waiting.values()) if (at < first) first = at;
    // Another machine's clock may be ahead.
    return first === Number.POSITIVE_INFINITY ? undefined : Math.max(0, now - first);
  }
}
