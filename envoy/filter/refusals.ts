// Requests that get an answer in place of a pod's, many at a time. Each answer calls the VM again, before Envoy gives the next one:
// so a batch at most is answered at a time; the others are kept here, and answered with the ticks that follow at once.
import { FreeList, Ints } from './columns.ts';
import { Contexts } from './contexts.ts';
import { answerFull, answerRemoved, wake } from './flow.ts';
import { enter, now } from './host.ts';
import { answerDuplicate } from './idempotency.ts';
import { beginRefusal, keepAnswer } from './refused-bodies.ts';

/**
 * So many requests at most go on in one call into the VM. Envoy lets them go on after the call, and where one fails at once it
 * calls the VM from within, which lets the next go on, and so on: V8's stack was full at a depth of 289.
 */
export const BATCH: i32 = 48;

/** Why a request is refused. */
export const NO_PLACE: i32 = 0;
export const SERVICE_REMOVED: i32 = 1;
export const SAME_KEY: i32 = 2;

const NONE: i32 = -1;

let left: i32 = BATCH;

// Those that are kept, first in, first answered.
const contexts: Contexts = new Contexts();
const reasons: Ints = new Ints();
const services: Ints = new Ints();
const before: Ints = new Ints();
const after: Ints = new Ints();
const places: FreeList = new FreeList();
let first: i32 = NONE;
let last: i32 = NONE;

/** Envoy calls the VM by itself, and not because of an answer: a new batch may be answered. */
export function beginBatch(): void {
  left = BATCH;
}

/** Whether one more may be answered in this batch. If not, the tick comes at once, with the next one. */
export function mayAnswer(): bool {
  if (left > 0) {
    left--;
    return true;
  }
  const at = now();
  wake(at + 1, at);
  return false;
}

/** A request gets no place, or has lost it: answers it, now or with one of the next ticks. */
export function refuse(context: u32, reason: i32, s: i32): void {
  if (first === NONE && mayAnswer()) {
    answer(context, reason, s);
    return;
  }
  const i = places.take();
  reasons.grow(places.room);
  services.grow(places.room);
  before.grow(places.room);
  after.grow(places.room);
  contexts.add(context, i);
  reasons.set(i, reason);
  services.set(i, s);
  before.set(i, last);
  after.set(i, NONE);
  if (last === NONE) first = i;
  else after.set(last, i);
  last = i;
}

function answer(context: u32, reason: i32, s: i32): void {
  enter(context);
  const isKept = beginRefusal(context);
  if (reason === NO_PLACE) answerFull(s);
  else if (reason === SERVICE_REMOVED) answerRemoved();
  else answerDuplicate();
  if (isKept) keepAnswer(context);
}

/** Whether some are kept. */
export function isAnyRefused(): bool {
  return first !== NONE;
}

/** Answers those that were kept, as far as this batch goes. */
export function refuseKept(): void {
  while (first !== NONE && mayAnswer()) {
    const i = first;
    const context = contexts.of(i);
    drop(i);
    answer(context, reasons.get(i), services.get(i));
  }
}

/** A stream is over: nobody is left to be answered. */
export function forgetRefusal(context: u32): void {
  if (first === NONE) return;
  const i = contexts.find(context);
  if (i !== NONE) drop(i);
}

function drop(i: i32): void {
  const previous = before.get(i);
  const next = after.get(i);
  if (previous === NONE) first = next;
  else after.set(previous, next);
  if (next === NONE) last = previous;
  else before.set(next, previous);
  contexts.remove(i);
  places.give(i);
}
