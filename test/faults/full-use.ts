import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { firstVisits } from '../e2e/kit/verdict.ts';

/** Time is looked at in pieces of so many milliseconds. */
export const PIECE_MS = 50;

/** So many milliseconds in a row must be good. */
export const GOOD_MS = 500;

/** What `fullUseAfter` looks at. */
export interface FullUseInput {
  readonly results: readonly Pick<LoadResult, 'id' | 'sent' | 'ended'>[];
  readonly requests: readonly PodRequest[];
  /** Slots of all pods together. */
  readonly slots: number;
  /** From when on, by `instant()`. */
  readonly since: number;
}

/**
 * How long after `since` all slots were in full use, in milliseconds, a multiple of `PIECE_MS`: the first moment after
 * which for `GOOD_MS` no piece of time had, on average, a slot or more that stood free while somebody waited.
 * (To hand a slot over takes a moment, so "never free" would never hold.)
 */
export function fullUseAfter(input: FullUseInput): number {
  const wasted = wastePerPiece(input);
  const needed = GOOD_MS / PIECE_MS;
  const bad = (piece: number) => (wasted[piece] ?? 0) >= PIECE_MS;
  let from = 0;
  for (let piece = 0; piece < from + needed; piece += 1) if (bad(piece)) from = piece + 1;
  return from * PIECE_MS;
}

/** For each piece of time the slot time, in milliseconds, that stood free while somebody waited. */
function wastePerPiece({ results, requests, slots, since }: FullUseInput): readonly number[] {
  const visits = new Map(firstVisits(requests).map(({ id, arrived }) => [id, arrived]));
  const changes = results.flatMap(({ id, sent, ended }) => {
    const leaves = Math.max(sent, visits.get(id) ?? ended);
    return [
      { at: sent, waiting: 1, busy: 0 },
      { at: leaves, waiting: -1, busy: 0 },
    ];
  });
  const last = results.reduce((latest, { ended }) => Math.max(latest, ended), since);
  for (const { arrived, ended = last } of requests) {
    changes.push({ at: arrived, waiting: 0, busy: 1 }, { at: Math.max(arrived, ended), waiting: 0, busy: -1 });
  }
  changes.sort((a, b) => a.at - b.at);
  const wasted: number[] = [];
  const now = { waiting: 0, busy: 0 };
  let before = since;
  for (const { at, waiting, busy } of changes) {
    if (at > before) addTo(wasted, { from: before - since, to: at - since }, Math.min(slots - now.busy, now.waiting));
    now.waiting += waiting;
    now.busy += busy;
    before = Math.max(before, at);
  }
  return wasted;
}

function addTo(wasted: number[], { from, to }: { from: number; to: number }, idle: number): void {
  if (idle <= 0) return;
  for (let piece = Math.floor(from / PIECE_MS); piece * PIECE_MS < to; piece += 1) {
    const overlap = Math.min(to, (piece + 1) * PIECE_MS) - Math.max(from, piece * PIECE_MS);
    wasted[piece] = (wasted[piece] ?? 0) + idle * overlap;
  }
}
