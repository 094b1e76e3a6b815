import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { arePodsChanged, type History, overlaps, type Sent, type Violation, versionsIn } from './history.ts';
import { BROKEN } from './schedule.ts';
import type { Lane } from './setup.ts';

/** So long nobody may wait beside a slot that is free. */
const IDLE_MS = 2000;

/** Requests that are sent so far apart have an order. */
const LATER_MS = 400;

/** After its trouble a pod may still be ejected for the longest time there is, and then gets one request to try. */
const EJECTED_MS = 11_000;

/** After Envoy was killed or frozen, or its filter was started anew. */
const ENVOY_MS = 5000;

interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Requests that waited beside an idle slot of a pod that was well. */
export function idleFaults(history: History): readonly Violation[] {
  const first = new Map([...history.visits].reverse().map(({ id, arrived }) => [id, arrived] as const));
  const waits = Map.groupBy(
    history.sent.flatMap((sent) => waitOf(history, sent, first)),
    ({ sent }) => sent.lane,
  );
  const byPod = Map.groupBy(history.visits, ({ pod }) => pod);
  return [...waits].flatMap(([lane, ofLane]) => {
    const within = { from: Math.min(...ofLane.map(({ from }) => from)), to: Math.max(...ofLane.map(({ to }) => to)) };
    return history.pods.flatMap((pod, number) => {
      const of = { pod, number, lane, visits: byPod.get(pod) ?? [] };
      return idleStretches(history, of, within).flatMap((idle) => faultIn(idle, pod, ofLane));
    });
  });
}

interface Wait extends Stretch {
  readonly sent: Sent;
  /** The queue has gone on without it: when one that came later has started meanwhile. */
  readonly passedAt: number;
}

function waitOf(history: History, sent: Sent, first: ReadonlyMap<string, number>): Wait[] {
  const { now } = history;
  const from = sent.result?.sent ?? sent.asked;
  const to = Math.min(first.get(sent.id) ?? now, sent.result?.ended ?? now);
  if (to - from < IDLE_MS) return [];
  const later = arePodsChanged(history, sent.lane, from, to)
    ? history.sent.filter((one) => one.lane === sent.lane && one.asked > from + LATER_MS)
    : [];
  return [{ sent, from, to, passedAt: Math.min(...later.map(({ id }) => first.get(id) ?? Number.POSITIVE_INFINITY)) }];
}

/** One for a stretch: what follows from the same cause is not told again. */
function faultIn(idle: Stretch, pod: string, waits: readonly Wait[]): Violation[] {
  for (const { sent, from, to, passedAt } of waits) {
    const [begin, end] = [Math.max(from, idle.from), Math.min(to, idle.to, passedAt)];
    if (end - begin < IDLE_MS) continue;
    const text = `${sent.id} waited ${(end - begin).toFixed(0)} ms while ${pod} had a free slot`;
    return [{ rule: 'idle', at: begin, text, about: [sent.id, pod] }];
  }
  return [];
}

interface PodOfLane {
  readonly pod: string;
  readonly number: number;
  readonly lane: Lane;
  readonly visits: readonly PodRequest[];
}

/** When the pod had a slot that the lane could surely have used. */
function idleStretches(history: History, of: PodOfLane, within: Stretch): readonly Stretch[] {
  const { now } = history;
  const { visits } = of;
  const away = awayOf(history, of);
  const moments = new Set([within.from, within.to]);
  for (const { arrived, ended } of visits) moments.add(arrived).add(ended ?? now);
  for (const { from, to } of away) moments.add(from).add(to);
  for (const { at, settledAt } of history.versions) moments.add(at).add(settledAt ?? now);
  const cuts = [...moments].filter((at) => at >= within.from && at <= within.to).sort((a, b) => a - b);
  const found: { from: number; to: number }[] = [];
  cuts.slice(1).forEach((to, index) => {
    const from = cuts[index] ?? to;
    const middle = (from + to) / 2;
    const isAway = away.some((one) => one.from <= middle && one.to >= middle);
    if (isAway || !isIdle(history, of, middle)) return;
    const last = found.at(-1);
    if (last?.to === from) last.to = to;
    else found.push({ from, to });
  });
  return found.filter(({ from, to }) => to - from >= IDLE_MS);
}

function isIdle(history: History, { number, lane, visits, pod }: PodOfLane, at: number): boolean {
  const setups = versionsIn(history, at, at).map(({ setup }) => setup[lane]);
  if (!setups.every(({ pods }) => pods.includes(number))) return false;
  const held = visits.filter(({ arrived, ended }) => arrived <= at && (ended === undefined || ended > at)).length;
  const limit = isTried(history, pod, visits, at) ? Math.min(...setups.map((setup) => setup.limit)) : 1;
  return held < limit;
}

/** Whether the pod has given a good answer since its last trouble: until then it has one request at a time. */
function isTried({ troubles }: History, pod: string, visits: readonly PodRequest[], at: number): boolean {
  const since = Math.max(
    0,
    ...troubles.filter((one) => one.kind === 'pod' && one.pod === pod && one.to <= at).map(({ to }) => to),
    ...visits
      .filter(({ outcome, ended }) => outcome === 'broken' && ended !== undefined && ended <= at)
      .map(({ ended }) => ended ?? 0),
  );
  if (since === 0) return true;
  return visits.some(
    ({ arrived, ended, outcome }) => arrived >= since && outcome === 'answered' && ended !== undefined && ended <= at,
  );
}

/** When nothing could be expected of the pod. */
function awayOf(history: History, { pod, visits }: PodOfLane): readonly Stretch[] {
  const { troubles, sent } = history;
  const broken = new Set(sent.filter(({ odd }) => BROKEN.some((one) => one === odd)).map(({ id }) => id));
  return [
    ...troubles.flatMap((one): Stretch[] => {
      if (one.kind === 'pod') return one.pod === pod ? [{ from: one.from, to: one.to + EJECTED_MS }] : [];
      if (one.kind === 'envoy') return [{ from: one.from, to: one.to + ENVOY_MS }];
      return one.kind === 'machine' ? [one] : [];
    }),
    // Each breaks the connection, and a few in a row are a reason to eject the pod.
    ...visits
      .filter(({ id, ended }) => broken.has(id) && ended !== undefined)
      .map(({ ended = 0 }) => ({ from: ended, to: ended + EJECTED_MS })),
  ];
}

/** Whether a stretch of trouble touches this one. */
export function isTroubled(history: History, from: number, to: number): boolean {
  return history.troubles.some((one) => {
    if (one.kind === 'sluice') return false;
    return overlaps(one.kind === 'machine' ? one : { from: one.from, to: one.to + EJECTED_MS }, from, to);
  });
}
