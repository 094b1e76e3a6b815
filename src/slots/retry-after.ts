import type { GateLimit } from '../model/model.ts';
import type { Service } from '../model/service.ts';

/** How long one request keeps a pod busy, as of late. */
export interface MeanWork {
  /** Milliseconds. */
  readonly mean: number;
  /** Requests that were looked at. */
  readonly count: number;
}

/** How much one request counts: what is more than some 30 requests ago hardly does. */
const SHARE = 1 / 16;

/** The mean after one more request; the first ones count more, as nothing else is known. */
export function stepMeanWork(before: MeanWork | undefined, ms: number): MeanWork {
  if (before === undefined) return { mean: ms, count: 1 };
  const count = before.count + 1;
  return { mean: before.mean + (ms - before.mean) * Math.max(SHARE, 1 / count), count };
}

const SHORTEST_S = 1;
const LONGEST_S = 3600;

/** A new estimate is told when it is so many times the old one, or that part of it: each is a change of routes. */
const NOTICEABLE = 1.5;

/**
 * Seconds after which a request that was refused should come again: those in which a full line is worked off at the
 * present pace. `before`: what was told last. One second when nothing is known yet.
 */
export function retryAfter(
  { discipline }: Service,
  gate: GateLimit | undefined,
  { work, before }: { readonly work: MeanWork | undefined; readonly before: number | undefined },
): number {
  const known = before ?? SHORTEST_S;
  if (discipline.kind !== 'limited' || gate === undefined) return SHORTEST_S;
  // No slot at all: nobody knows when there will be one.
  if (work === undefined || gate.slots === 0) return known;
  const exact = (discipline.queue.max * work.mean) / gate.slots / 1000;
  const now = Math.min(LONGEST_S, Math.max(SHORTEST_S, Math.ceil(exact)));
  return now > known * NOTICEABLE || now < known / NOTICEABLE ? now : known;
}
