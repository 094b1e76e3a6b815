import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import type { Lane, LaneSetup, Setup } from './setup.ts';

/** A request as its client knows it. All times are those of `instant()`. */
export interface Sent {
  readonly id: string;
  readonly lane: Lane;
  /** When it was handed to its client, which may have had to connect first. */
  readonly asked: number;
  /** Whether its client was to go away before the answer. */
  readonly aborts: boolean;
  /** The odd answer it asked for. */
  readonly odd: string | undefined;
  /** Undefined: it has not ended yet. */
  readonly result: LoadResult | undefined;
}

/** A route file. */
export interface Version {
  /** Just before it was written. */
  readonly at: number;
  /** When it was surely active, and all before it no more; undefined: not yet. */
  readonly settledAt: number | undefined;
  /** What of it was not active when Sluice was asked last. */
  readonly missing: string | undefined;
  readonly setup: Setup;
}

interface Lasting {
  readonly from: number;
  /** Infinity: still. */
  readonly to: number;
}

/** A pod was in this mode. */
export interface PodTrouble extends Lasting {
  readonly kind: 'pod';
  readonly pod: string;
  readonly how: string;
}

/** Envoy or Sluice was not there, or did not move; or the filter inside Envoy has failed. */
export interface PlaneTrouble extends Lasting {
  readonly kind: 'envoy' | 'sluice';
  readonly how: 'kill' | 'restart' | 'freeze' | 'trap';
}

/** Clients, pods or Envoy had no processor for a while: all that waits for them is late. */
export interface Stall extends Lasting {
  readonly kind: 'machine';
  readonly how: 'stall';
}

/** Something that was broken for a while. */
export type Trouble = PodTrouble | PlaneTrouble | Stall;

/** What is known of a run so far. */
export interface History {
  readonly sent: readonly Sent[];
  /** What the pods saw, in the order of arrival. */
  readonly visits: readonly PodRequest[];
  /** Oldest first. */
  readonly versions: readonly Version[];
  readonly troubles: readonly Trouble[];
  /** `address:port` by number. */
  readonly pods: readonly string[];
  readonly began: number;
  readonly now: number;
}

/** A rule that was broken. */
export interface Violation {
  readonly rule: 'limit' | 'pod' | 'twice' | 'answer' | 'stuck' | 'idle' | 'order' | 'edit' | 'end';
  readonly at: number;
  readonly text: string;
  /** Ids of requests and addresses of pods that it is about. */
  readonly about: readonly string[];
}

/** Whether two stretches of time have something in common. */
export function overlaps(a: { from: number; to: number }, from: number, to: number): boolean {
  return a.from <= to && a.to >= from;
}

/**
 * When Envoy has read what was sent over an open connection at this time, at the latest: it stands still now and then, and reads one
 * connection after the other when it goes on.
 */
export function readAt({ troubles }: History, at: number): number {
  const standstills = troubles.filter(
    (one) => one.kind === 'machine' || (one.kind === 'envoy' && one.how === 'freeze'),
  );
  // One may follow the other.
  for (let read = at; ; ) {
    const next = Math.max(read, ...standstills.filter((one) => overlaps(one, read, read)).map(({ to }) => to));
    if (next === read) return read;
    read = next;
  }
}

/** The route files that may be active between two moments: the last one that was settled, and all after it. */
export function versionsIn({ versions }: History, from: number, to: number): readonly Version[] {
  let first = 0;
  versions.forEach(({ settledAt }, index) => {
    if (settledAt !== undefined && settledAt <= from) first = index;
  });
  return versions.filter(({ at }, index) => index >= first && (index === first || at <= to));
}

/**
 * Whether pods came to the lane or left it between two moments. Who looks for a pod on its own just then may be sent to one that its service
 * has no slots of, and waits there: it is not in the queue any more.
 */
export function arePodsChanged(history: History, lane: Lane, from: number, to: number): boolean {
  const kinds = lanesIn(history, lane, from, to).map(({ name, pods }) => `${name} ${pods.join()}`);
  return new Set(kinds).size > 1;
}

/** What a lane may have been between two moments. */
export function lanesIn(history: History, lane: Lane, from: number, to: number): readonly LaneSetup[] {
  return versionsIn(history, from, to).map(({ setup }) => setup[lane]);
}
