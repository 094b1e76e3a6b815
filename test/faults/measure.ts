import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { outcomeOf } from '../e2e/kit/summary.ts';
import { fifoOrder, overLimit } from '../e2e/kit/verdict.ts';
import { fullUseAfter } from './full-use.ts';
import { type FaultRow, type Inflicted, NOISE } from './row.ts';
import { LIMIT, SLOTS } from './world.ts';

/** The cells of one row, all of them measured. */
export interface Measured {
  readonly requests: number;
  /** The most that any pod held. */
  readonly peak: number;
  /** Moments at which a pod held more than its limit, and no client that had just gone was the reason. */
  readonly over: number;
  /** Moments at which a pod held more than its limit because it had not heard yet that a client had gone. */
  readonly overByAbort: number;
  /** Requests without any answer that the fault does not explain. */
  readonly lost: number;
  /** Requests with an answer other than 200 and its text that the fault does not explain. */
  readonly wrong: number;
  /** What the fault itself explains, counted by kind: `502`, `failed`. */
  readonly explained: Readonly<Record<string, number>>;
  /** Requests that reached a pod after one that was sent later. */
  readonly overtaken: number;
  /** How much later that one was sent, at most, in milliseconds. */
  readonly worstMs: number;
  /** From the end of the fault until all slots were in full use, in milliseconds. */
  readonly fullUseMs: number;
  /** The first few of what is lost, wrong or out of order, in words. */
  readonly examples: readonly string[];
}

/** What a row's run left behind. */
export interface RowRun {
  /** The load's requests, sent over one connection. */
  readonly results: readonly LoadResult[];
  readonly requests: readonly PodRequest[];
  readonly inflicted: Inflicted;
}

/** Measures every cell of a row. */
export function measure({ results, requests, inflicted }: RowRun): Measured {
  const { over, along = [], beside = [], explains = () => false, late = () => false } = inflicted;
  const inOrder = [...results, ...along];
  const all = [...inOrder, ...beside];
  const visits = Map.groupBy(requests, ({ id }) => id);
  const bad = all.filter((result) => result.outcome !== 'aborted' && !isGood(result));
  const byFault = (result: LoadResult) => explains(result, visits.get(result.id) ?? []);
  const unexplained = bad.filter((result) => !byFault(result));
  const lost = unexplained.filter(({ status }) => status === 0);
  const wrong = unexplained.filter(({ status }) => status !== 0);
  const strict = overLimit(requests, LIMIT);
  const lateIds = new Set(requests.filter(late).map(({ id }) => id));
  const order = fifoOrder(
    inOrder.filter(({ id }) => !lateIds.has(id)),
    requests,
  );
  const words = ({ id, status, error = '', body }: LoadResult) => `${id}: ${status} ${error} ${body.slice(0, 120)}`;
  return {
    requests: all.length,
    peak: strict.peak,
    over: strict.unexcused,
    overByAbort: strict.times - strict.unexcused,
    lost: lost.length,
    wrong: wrong.length,
    explained: countBy(bad.filter(byFault)),
    overtaken: order.overtaken,
    worstMs: order.worstMs,
    fullUseMs: fullUseAfter({ results: all, requests, slots: SLOTS, since: over }),
    examples: [...unexplained.slice(0, 5).map(words), ...order.examples],
  };
}

/** A whole answer of a pod. */
function isGood({ outcome, status, body }: LoadResult): boolean {
  return outcome === 'answered' && status === 200 && body.includes('"pod":');
}

function countBy(results: readonly LoadResult[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const result of results) {
    const kind = outcomeOf(result);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** What a row promised and did not keep, in words; empty when it kept everything. */
export function brokenPromises({ promise }: FaultRow, measured: Measured): readonly string[] {
  const { over, lost, wrong, overtaken, fullUseMs, explained } = measured;
  const byFault = Object.values(explained).reduce((sum, count) => sum + count, 0);
  const most = { explained: promise.explained ?? 0, overtaken: promise.overtaken ?? NOISE };
  return [
    ...(over > 0 ? [`a pod was over its limit ${over} times, at most ${measured.peak} of ${LIMIT}`] : []),
    ...(lost > 0 ? [`${lost} requests were lost`] : []),
    ...(wrong > 0 ? [`${wrong} requests were answered wrongly`] : []),
    ...(byFault > most.explained ? [`the fault cost ${byFault} requests, not ${most.explained} at most`] : []),
    ...(overtaken > most.overtaken ? [`${overtaken} requests were overtaken, not ${most.overtaken} at most`] : []),
    ...(fullUseMs > promise.fullUseMs
      ? [`full use again after ${fullUseMs} ms, not ${promise.fullUseMs} at most`]
      : []),
  ];
}
