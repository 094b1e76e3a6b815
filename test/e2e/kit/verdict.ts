import type { LoadResult } from './load.ts';
import type { PodRequest } from './pod-log.ts';

/** A stretch of time during which a pod held more than its limit. */
export interface Excess {
  readonly pod: string;
  /** When it began, by `instant()`. */
  readonly at: number;
  readonly ms: number;
  /** The most it held meanwhile. */
  readonly held: number;
  /** True when all that is too much had lost its client: a pod learns a moment later than Envoy that a client is gone. */
  readonly aborted: boolean;
}

/** Whether every pod kept its limit. */
export interface OverLimit {
  /** The most that any pod held at once. */
  readonly peak: number;
  /** How often a pod held too much, aborted requests included. */
  readonly times: number;
  /** How often a pod held too much without an abort being the reason: strict means 0. */
  readonly unexcused: number;
  readonly excesses: readonly Excess[];
}

/** Looks for moments at which a pod held more than `limit`. A request is held from `arrived` to `ended`. */
export function overLimit(requests: readonly PodRequest[], limit: number): OverLimit {
  const pods = Map.groupBy(requests, ({ pod }) => pod);
  const perPod = [...pods].map(([pod, held]) => podExcesses(pod, held, limit));
  const excesses = perPod.flatMap((one) => one.excesses).sort((a, b) => a.at - b.at);
  return {
    peak: Math.max(0, ...perPod.map((one) => one.peak)),
    times: excesses.length,
    unexcused: excesses.filter(({ aborted }) => !aborted).length,
    excesses,
  };
}

function podExcesses(pod: string, requests: readonly PodRequest[], limit: number) {
  const changes = requests.flatMap((request) => {
    const aborted = request.outcome === 'aborted' ? 1 : 0;
    const end = { at: request.ended ?? Number.POSITIVE_INFINITY, by: -1, aborted: -aborted };
    return [{ at: request.arrived, by: 1, aborted }, end];
  });
  // What ends at the same moment makes room first.
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  const excesses: Excess[] = [];
  let held = 0;
  let aborted = 0;
  let peak = 0;
  let open: { at: number; held: number; aborted: boolean } | undefined;
  for (const change of changes) {
    held += change.by;
    aborted += change.aborted;
    peak = Math.max(peak, held);
    if (held > limit) {
      const excused = held - aborted <= limit;
      open = open === undefined ? { at: change.at, held, aborted: excused } : widen(open, held, excused);
    } else if (open !== undefined) {
      excesses.push({ ...open, pod, ms: change.at - open.at });
      open = undefined;
    }
  }
  return { peak, excesses };
}

function widen(open: { at: number; held: number; aborted: boolean }, held: number, excused: boolean) {
  return { at: open.at, held: Math.max(open.held, held), aborted: open.aborted && excused };
}

/** Whether requests reached the pods in the order in which they were sent. */
export interface Order {
  /** How many requests reached a pod. */
  readonly compared: number;
  /** How many of them saw a request reach a pod before them that was sent after them. */
  readonly overtaken: number;
  /** By how many requests at most one was overtaken. */
  readonly mostPlaces: number;
  /** The most milliseconds by which an overtaking request was sent later, 0 when there was none. */
  readonly worstMs: number;
  /** The worst few of them, for the test's message. */
  readonly examples: readonly string[];
}

/** What is too close to call, in milliseconds. */
export interface Tie {
  /** Two requests sent within this time have no order: they may have come over different connections. 2 by default. */
  readonly sent?: number;
  /**
   * Two requests that reach pods within this time count as at once: two slots that come free together are filled over
   * two connections, and Envoy may be interrupted between them. 5 by default: use jobs that take longer. What the
   * pods' own thread may have mixed up (`notBefore`) never counts.
   */
  readonly arrived?: number;
}

/** Compares the order of sending with the order of arrival at the pods; a request that reached none is left out. */
export function fifoOrder(
  results: readonly Pick<LoadResult, 'id' | 'sent'>[],
  requests: readonly PodRequest[],
  { sent: sentTie = 2, arrived: arrivedTie = 5 }: Tie = {},
): Order {
  const sentAt = new Map(results.map(({ id, sent }) => [id, sent]));
  const line = firstVisits(requests).flatMap(({ id, arrived, notBefore }) => {
    const sent = sentAt.get(id);
    return sent === undefined ? [] : [{ id, sent, arrived, notBefore }];
  });
  const overtaken: { lateBy: number; text: string }[] = [];
  let mostPlaces = 0;
  let latest: { id: string; sent: number } | undefined;
  let next = 0;
  // In the order of what is certain, so that the requests that surely came before only ever grow.
  for (const request of [...line].sort((a, b) => a.notBefore - b.notBefore)) {
    for (let before = line[next]; before && before.arrived < request.notBefore - arrivedTie; before = line[next]) {
      if (latest === undefined || before.sent > latest.sent) latest = before;
      next += 1;
    }
    const lateBy = latest === undefined ? 0 : latest.sent - request.sent;
    if (latest === undefined || lateBy < sentTie || lateBy <= 0) continue;
    const text = `${latest.id}, sent ${lateBy.toFixed(1)} ms after ${request.id}, was first`;
    overtaken.push({ lateBy, text });
    const { sent } = request;
    const places = line.slice(0, next).filter((before) => before.sent > sent && before.sent - sent >= sentTie).length;
    mostPlaces = Math.max(mostPlaces, places);
  }
  overtaken.sort((a, b) => b.lateBy - a.lateBy);
  return {
    compared: line.length,
    overtaken: overtaken.length,
    mostPlaces,
    worstMs: overtaken[0]?.lateBy ?? 0,
    examples: overtaken.slice(0, 5).map(({ text }) => text),
  };
}

/** The first time each request reached a pod, in the order of arrival; a retry is not a second request. */
export function firstVisits(requests: readonly PodRequest[]): readonly PodRequest[] {
  const seen = new Set<string>();
  return [...requests]
    .sort((a, b) => a.arrived - b.arrived)
    .filter(({ id }) => !seen.has(id) && seen.add(id) !== undefined);
}
