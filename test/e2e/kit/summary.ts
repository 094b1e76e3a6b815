import { idealFifo } from './ideal.ts';
import type { LoadResult } from './load.ts';
import { type LostTime, lostTime, type SlotCount } from './lost-time.ts';
import type { PodRequest } from './pod-log.ts';
import { type Spread, spread } from './spread.ts';
import { fifoOrder, firstVisits, type Order, type OverLimit, overLimit, type Tie } from './verdict.ts';

/** What a run is judged by. */
export interface RunInput {
  readonly results: readonly LoadResult[];
  readonly requests: readonly PodRequest[];
  /** Slots of one pod. */
  readonly limit: number;
  /** Slots of all pods together, or how that number changed. */
  readonly slots: number | readonly SlotCount[];
  readonly tie?: Tie;
  /** Since when a pod may be used, for those that came later than the load. */
  readonly opened?: ReadonlyMap<string, number>;
}

/** Everything the kit can say about a run. */
export interface Verdict {
  /** How many requests ended in which way: `200`, `429`, `grpc 8`, `failed`, `aborted`. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly strict: OverLimit;
  readonly order: Order;
  readonly lost: LostTime;
  /** From being sent to the full answer, of all that were answered. */
  readonly response: Spread;
  /** From being sent to the arrival at a pod. */
  readonly wait: Spread;
  /** From the first request sent to the last one ended. */
  readonly makespan: number;
  /** The same requests, with the work they really took, in an ideal line; undefined when the slots changed. */
  readonly ideal: { readonly response: Spread; readonly wait: Spread; readonly makespan: number } | undefined;
}

/** Judges a run. */
export function judge(input: RunInput): Verdict {
  const { results, requests, limit, slots, tie = {} } = input;
  const visits = new Map(firstVisits(requests).map((visit) => [visit.id, visit]));
  const waits = results.flatMap(({ id, sent }) => {
    const visit = visits.get(id);
    return visit === undefined ? [] : [visit.arrived - sent];
  });
  const answered = results.filter(({ outcome }) => outcome === 'answered');
  const first = results.reduce((least, { sent }) => Math.min(least, sent), Number.POSITIVE_INFINITY);
  const last = results.reduce((most, { ended }) => Math.max(most, ended), Number.NEGATIVE_INFINITY);
  return {
    outcomes: countBy(results, outcomeOf),
    strict: overLimit(requests, limit),
    order: fifoOrder(results, requests, tie),
    lost: lostTime(input),
    response: spread(answered.map(({ sent, ended }) => ended - sent)),
    wait: spread(waits),
    makespan: results.length === 0 ? 0 : last - first,
    ideal: typeof slots === 'number' ? ideal(results, visits, slots) : undefined,
  };
}

function ideal(results: readonly LoadResult[], visits: ReadonlyMap<string, PodRequest>, slots: number) {
  const served = results.flatMap(({ id, sent }) => {
    const visit = visits.get(id);
    return visit?.ended === undefined ? [] : [{ sent, work: visit.ended - visit.arrived }];
  });
  const run = idealFifo(
    served.map(({ sent }) => sent),
    served.map(({ work }) => work),
    slots,
  );
  return { response: spread(run.responses), wait: spread(run.waits), makespan: run.makespan };
}

/** What a result is counted as: its HTTP status, `grpc` and the code for a gRPC call, else `failed` or `aborted`. */
export function outcomeOf({ outcome, status, grpcStatus }: LoadResult): string {
  if (outcome !== 'answered') return outcome;
  return grpcStatus === undefined ? String(status) : `grpc ${grpcStatus}`;
}

function countBy(results: readonly LoadResult[], key: (result: LoadResult) => string): Record<string, number> {
  const groups = Object.groupBy(results, key);
  return Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, group?.length ?? 0]));
}

/** The verdict as a small table, for the output of a test. Times are in milliseconds. */
export function summary(title: string, verdict: Verdict): string {
  const { outcomes, strict, order, lost, response, wait, makespan, ideal: best } = verdict;
  const rows: (readonly [string, string])[] = [
    [
      'outcomes',
      Object.entries(outcomes)
        .map(([name, count]) => `${count} × ${name}`)
        .join(', ') || 'none',
    ],
    ['held at most', `${strict.peak}; over the limit ${strict.times} times, ${strict.unexcused} not by an abort`],
    ['order', `${order.overtaken} of ${order.compared} overtaken, worst by ${ms(order.worstMs)}`],
    ['slot handed over in', percentiles(lost.handover)],
    ['free slot reached in', percentiles(lost.direct)],
    ['slot time lost', `${ms(lost.total)} in all, ${(lost.share * 100).toFixed(2)} %`],
    ['wait', percentiles(wait, best?.wait)],
    ['response', percentiles(response, best?.response)],
    ['makespan', `${ms(makespan)}${best === undefined ? '' : ` (ideal ${ms(best.makespan)})`}`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [`── ${title}`, ...rows.map(([name, text]) => `   ${name.padEnd(width)}  ${text}`)].join('\n');
}

function percentiles(own: Spread, best?: Spread): string {
  if (own.count === 0) return 'none';
  const names = ['median', 'mean', 'p99', 'max'] as const;
  const one = (name: (typeof names)[number]) =>
    `${name} ${ms(own[name])}${best === undefined ? '' : ` (ideal ${ms(best[name])})`}`;
  return `${names.map(one).join(', ')}, n ${own.count}`;
}

function ms(value: number): string {
  return Number.isNaN(value) ? '–' : Math.abs(value) < 100 ? value.toFixed(2) : value.toFixed(0);
}
