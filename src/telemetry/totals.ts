import type { Counts, DurationCounts, ServiceReport } from '../slots/events.ts';
import { BUCKETS } from './histogram.ts';

/** All names in `Counts`, in the order in which they are kept. */
const COUNTS = [
  'arrived',
  'started',
  'answered',
  'failed',
  'refused',
  'waitTimeouts',
  'abandonedWaiting',
  'abandonedWorking',
  'workTimeouts',
  'retried',
  'ejections',
  'unserved',
  'deadlines',
] as const satisfies readonly (keyof Counts)[];

/**
 * Everything about a service that only grows, in one row of numbers, so that adding, subtracting and remembering is one
 * loop: the counts, then each histogram with its sum.
 */
export type Totals = Float64Array;

const WAIT = COUNTS.length;
const WAIT_SUM = WAIT + BUCKETS;
const WORK = WAIT_SUM + 1;
const WORK_SUM = WORK + BUCKETS;
const SIZE = WORK_SUM + 1;

/** All 0. */
export function noTotals(): Totals {
  return new Float64Array(SIZE);
}

/** As a member reports them. */
export function totalsOf({ counts, wait, work }: Pick<ServiceReport, 'counts' | 'wait' | 'work'>): Totals {
  const totals = noTotals();
  for (const [index, name] of COUNTS.entries()) totals[index] = counts[name];
  putDurations(totals, wait, WAIT);
  putDurations(totals, work, WORK);
  return totals;
}

/** Buckets beyond those that are known are of another version: they count as the longest. */
function putDurations(totals: Totals, { buckets, sumMs }: DurationCounts, at: number): void {
  for (const [index, count] of buckets.entries()) {
    const place = at + Math.min(index, BUCKETS - 1);
    totals[place] = (totals[place] ?? 0) + count;
  }
  totals[at + BUCKETS] = sumMs;
}

/**
 * What has come since `before`. A service that its member had forgotten meanwhile counts from 0 again: then all of it.
 */
export function growth(now: Totals, before: Totals): Totals {
  if (COUNTS.some((_, index) => (now[index] ?? 0) < (before[index] ?? 0))) return now;
  return now.map((value, index) => Math.max(0, value - (before[index] ?? 0)));
}

/** Adds `more` to `sum`. */
export function addTo(sum: Totals, more: Totals): void {
  for (let index = 0; index < SIZE; index++) sum[index] = (sum[index] ?? 0) + (more[index] ?? 0);
}

/** Whether all are 0. */
export function isNothing(totals: Totals): boolean {
  return totals.every((value) => value === 0);
}

/** The counts in a row. */
export function countsOf(totals: Totals): Counts {
  const at = (name: keyof Counts) => totals[COUNTS.indexOf(name)] ?? 0;
  return {
    arrived: at('arrived'),
    started: at('started'),
    answered: at('answered'),
    failed: at('failed'),
    refused: at('refused'),
    waitTimeouts: at('waitTimeouts'),
    abandonedWaiting: at('abandonedWaiting'),
    abandonedWorking: at('abandonedWorking'),
    workTimeouts: at('workTimeouts'),
    retried: at('retried'),
    ejections: at('ejections'),
    unserved: at('unserved'),
    deadlines: at('deadlines'),
  };
}

/** A histogram in a row; a view, not a copy. */
export function durationsOf(
  totals: Totals,
  what: 'wait' | 'work',
): { readonly buckets: Totals; readonly sumMs: number } {
  const at = what === 'wait' ? WAIT : WORK;
  return { buckets: totals.subarray(at, at + BUCKETS), sumMs: totals[at + BUCKETS] ?? 0 };
}
