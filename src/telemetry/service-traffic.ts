import type { Counts } from '../slots/events.ts';
import { ClassTraffic } from './class-traffic.ts';
import { type Quantiles, quantilesOf } from './histogram.ts';
import { Peaks } from './peaks.ts';
import { addTo, countsOf, durationsOf, isNothing, noTotals, type Totals } from './totals.ts';

/** What one service's requests did. Waits are of all that got a slot, work of all that ended at a pod. */
export interface TrafficReading {
  /** Since Sluice started. */
  readonly total: Counts;
  readonly lastMinute: Counts & {
    readonly waitMs?: Quantiles;
    readonly workMs?: Quantiles;
    /** The most at a time. */
    readonly mostWaiting: number;
    readonly mostInUse: number;
  };
}

/** Five seconds. */
interface Slice {
  /** Undefined: nothing happened. */
  totals: Totals | undefined;
  mostWaiting: number;
  mostInUse: number;
}

/** Slices in a minute. */
const SLICES = 12;

/** What is counted of one service over all members and their restarts: it only grows. */
export class ServiceTraffic {
  readonly #total = noTotals();
  /** Those that have ended, oldest first. */
  readonly #past: Slice[] = [];
  #current = emptySlice();
  readonly #demand = new Peaks();
  /** Of its classes, where it has some. */
  readonly classes = new ClassTraffic();

  /** Adds what has happened. */
  add(more: Totals): void {
    if (isNothing(more)) return;
    addTo(this.#total, more);
    this.#current.totals ??= noTotals();
    addTo(this.#current.totals, more);
  }

  /** The most that were wanted at a time, waiting or in use, since this moment. */
  mostWanted(since: number): number {
    return this.#demand.since(since);
  }

  /** So many wait and are in use now. */
  wants(requests: number, now: number): void {
    this.#demand.add(requests, now);
  }

  /** So many waited, and were in use, at a time. */
  saw(waiting: number, inUse: number): void {
    this.#current.mostWaiting = Math.max(this.#current.mostWaiting, waiting);
    this.#current.mostInUse = Math.max(this.#current.mostInUse, inUse);
  }

  /** Everything since Sluice started. */
  get total(): Totals {
    return this.#total;
  }

  /** What happened in the slice that has not ended yet. */
  current(): Readonly<Slice> {
    return this.#current;
  }

  /** The slice has ended with so many that wait and are in use: they are there when the next one begins. */
  rotate(waiting: number, inUse: number): void {
    this.#past.push(this.#current);
    if (this.#past.length === SLICES) this.#past.shift();
    this.#current = { totals: undefined, mostWaiting: waiting, mostInUse: inUse };
  }

  /** What is known now. */
  read(): TrafficReading {
    const minute = noTotals();
    let [mostWaiting, mostInUse] = [0, 0];
    for (const slice of [...this.#past, this.#current]) {
      if (slice.totals !== undefined) addTo(minute, slice.totals);
      mostWaiting = Math.max(mostWaiting, slice.mostWaiting);
      mostInUse = Math.max(mostInUse, slice.mostInUse);
    }
    const waitMs = quantilesOf(durationsOf(minute, 'wait').buckets);
    const workMs = quantilesOf(durationsOf(minute, 'work').buckets);
    return {
      total: countsOf(this.#total),
      lastMinute: {
        ...countsOf(minute),
        ...(waitMs && { waitMs }),
        ...(workMs && { workMs }),
        mostWaiting,
        mostInUse,
      },
    };
  }
}

function emptySlice(): Slice {
  return { totals: undefined, mostWaiting: 0, mostInUse: 0 };
}
