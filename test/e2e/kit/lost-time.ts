import type { LoadResult } from './load.ts';
import type { PodRequest } from './pod-log.ts';
import { type Spread, spread } from './spread.ts';
import { firstVisits } from './verdict.ts';

/** How many slots there are from a moment on. */
export interface SlotCount {
  readonly at: number;
  readonly slots: number;
}

/** Slot time that was lost while somebody waited, in milliseconds. */
export interface LostTime {
  /**
   * For each request that was waiting already when the slot it got came free: from the end of that slot's last request,
   * as the pod saw it (or the pod's opening), to its own arrival at the pod. This is what handing over a slot costs.
   */
  readonly handover: Spread;
  /** For each request that found a slot free: from its being sent to its arrival at the pod. */
  readonly direct: Spread;
  /** The integral over time of the smaller of free slots and waiting requests: what an ideal line would not lose. */
  readonly total: number;
  /** `total` as a share of all slot time that was used or so lost. */
  readonly share: number;
}

/** What `lostTime` looks at. */
export interface LostTimeInput {
  readonly results: readonly Pick<LoadResult, 'id' | 'sent' | 'ended'>[];
  readonly requests: readonly PodRequest[];
  /** Slots of one pod. */
  readonly limit: number;
  /** Slots of all pods together, or how that number changed, oldest first. */
  readonly slots: number | readonly SlotCount[];
  /** Since when a pod may be used, by its `address:port`, for those that came later than the load. */
  readonly opened?: ReadonlyMap<string, number>;
}

/** Measures the slot time lost while somebody waited. A request waits from being sent until its first pod has it. */
export function lostTime(input: LostTimeInput): LostTime {
  const sentAt = new Map(input.results.map(({ id, sent }) => [id, sent]));
  const handover: number[] = [];
  const direct: number[] = [];
  for (const { id, arrived, free } of slotStarts(input)) {
    const sent = sentAt.get(id);
    if (sent === undefined) continue;
    if (sent < free) handover.push(arrived - free);
    else direct.push(arrived - sent);
  }
  const { total, busy } = integrate(input);
  const share = total === 0 ? 0 : total / (total + busy);
  return { handover: spread(handover), direct: spread(direct), total, share };
}

/** Each start with the moment since which the slot it took had been free; of several, the one longest free. */
function slotStarts({ requests, limit, opened = new Map() }: LostTimeInput) {
  return [...Map.groupBy(requests, ({ pod }) => pod)].flatMap(([pod, one]) => {
    const since = opened.get(pod) ?? Number.NEGATIVE_INFINITY;
    const ends = one.flatMap(({ ended }) => ended ?? []).sort((a, b) => a - b);
    const starts = [...one].sort((a, b) => a.arrived - b.arrived);
    // With all slots full, the n-th start takes what the (n - limit)-th end gave back; before that a slot never used.
    return starts.map(({ id, arrived }, index) => {
      return { id, arrived, free: ends[index - limit] ?? since };
    });
  });
}

function integrate({ results, requests, slots }: LostTimeInput): { total: number; busy: number } {
  const visits = new Map(firstVisits(requests).map((visit) => [visit.id, visit]));
  const changes = results.flatMap(({ id, sent, ended }) => {
    const leaves = Math.max(sent, visits.get(id)?.arrived ?? ended);
    return [
      { at: sent, waiting: 1, busy: 0, slots: 0 },
      { at: leaves, waiting: -1, busy: 0, slots: 0 },
    ];
  });
  const last = changes.reduce((latest, { at }) => Math.max(latest, at), Number.NEGATIVE_INFINITY);
  for (const { arrived, ended = last } of requests) {
    changes.push({ at: arrived, waiting: 0, busy: 1, slots: 0 });
    changes.push({ at: Math.max(arrived, ended), waiting: 0, busy: -1, slots: 0 });
  }
  const counts = typeof slots === 'number' ? [{ at: Number.NEGATIVE_INFINITY, slots }] : slots;
  let before = 0;
  for (const count of counts) {
    changes.push({ at: count.at, waiting: 0, busy: 0, slots: count.slots - before });
    before = count.slots;
  }
  changes.sort((a, b) => a.at - b.at);
  const now = { waiting: 0, busy: 0, slots: 0 };
  const sum = { total: 0, busy: 0 };
  let since = Number.NEGATIVE_INFINITY;
  for (const change of changes) {
    const ms = Number.isFinite(since) ? change.at - since : 0;
    sum.total += ms * Math.max(0, Math.min(now.slots - now.busy, now.waiting));
    sum.busy += ms * now.busy;
    now.waiting += change.waiting;
    now.busy += change.busy;
    now.slots += change.slots;
    since = change.at;
  }
  return sum;
}
