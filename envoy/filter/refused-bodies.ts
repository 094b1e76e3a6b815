// Requests that are refused while their clients still send them a body: the body is let end, and read into nothing, and then they
// get their answer. Over HTTP/1.1 Envoy closes the connection of a request that is answered before it has ended, and who does not
// read while it sends sees a reset in place of the answer. Nobody else waits for this: such a request has no place and no slot.
import { isPlain } from './bodies.ts';
import { Floats, FreeList, Ints } from './columns.ts';
import { Contexts } from './contexts.ts';
import { wake } from './flow.ts';
import {
  copyAnswer,
  enter,
  found,
  foundSize,
  freeAnswer,
  getHeader,
  getProperty,
  now,
  REQUEST_HEADERS,
  release,
  same,
  sendAnswer,
  text,
  withholdAnswer,
} from './host.ts';
import { mayAnswer } from './refusals.ts';

const NONE: i32 = -1;

/** So much of a body, for so long, is let end; whoever sends more is answered in the middle of it. */
const BYTES_MAX: f64 = 33554432;
const PATIENCE_MS: f64 = 5000;
/** So many at a time; others are answered at once. */
const MOST: i32 = 4096;

const PROTOCOL = text('request\0protocol');
const HTTP_1_1 = text('HTTP/1.1');
const CONTENT_LENGTH = text('content-length');
/** Digits of the longest body that is let end. */
const DIGITS_MAX: i32 = 8;

/** The request whose headers are here, and whose body follows; 0: none is arriving. */
let arriving: u32 = 0;

// Those whose bodies are let end, first in, first due.
const contexts: Contexts = new Contexts();
const answers: Ints = new Ints();
const sizes: Floats = new Floats();
const dues: Floats = new Floats();
const before: Ints = new Ints();
const after: Ints = new Ints();
const places: FreeList = new FreeList();
let first: i32 = NONE;
let last: i32 = NONE;
let count: i32 = 0;

/** Until the next call it is this request that arrives, with a body; 0: none does. */
export function expectBody(context: u32): void {
  arriving = context;
}

/** Whether the answer that a request is about to get is kept until its body has ended: then `keepAnswer` follows. */
export function beginRefusal(context: u32): bool {
  if (context !== arriving || count >= MOST || !isWorthIt()) return false;
  withholdAnswer();
  return true;
}

/** Not where the client sends no body before it is asked to, nor more than is let end, nor where the connection stays anyway. */
function isWorthIt(): bool {
  if (!getProperty(PROTOCOL)) return false;
  const isHttp1 = same(found, foundSize, HTTP_1_1);
  release(found);
  if (!isHttp1 || !isPlain()) return false;
  if (!getHeader(REQUEST_HEADERS, CONTENT_LENGTH)) return true;
  const digits = foundSize;
  release(found);
  return digits <= DIGITS_MAX;
}

/** The answer is put together. */
export function keepAnswer(context: u32): void {
  const at = now();
  const i = places.take();
  answers.grow(places.room);
  sizes.grow(places.room);
  dues.grow(places.room);
  before.grow(places.room);
  after.grow(places.room);
  contexts.add(context, i);
  answers.set(i, copyAnswer() as i32);
  sizes.set(i, 0);
  dues.set(i, at + PATIENCE_MS);
  before.set(i, last);
  after.set(i, NONE);
  if (last === NONE) first = i;
  else after.set(last, i);
  last = i;
  count++;
  if (first === i) wake(dues.get(i), at);
}

/** Whether the body of this request is let end. */
export function isRefused(context: u32): bool {
  return count > 0 && contexts.find(context) !== NONE;
}

/** More of a body is here. Whether it is that of a refused request, and goes nowhere. */
export function takeRefused(context: u32, size: i32, isEnd: bool): bool {
  if (count === 0) return false;
  const i = contexts.find(context);
  if (i === NONE) return false;
  sizes.add(i, size as f64);
  if (isEnd || sizes.get(i) >= BYTES_MAX) answerNow(i);
  return true;
}

/** Answers those that take too long, as far as this batch goes, and answers when it is to be called next. */
export function tickRefused(at: f64): f64 {
  while (first !== NONE && dues.get(first) <= at && mayAnswer()) answerNow(first);
  return first === NONE ? Infinity : dues.get(first);
}

/** A stream is over: nobody is left to be answered. */
export function forgetRefused(context: u32): void {
  if (count === 0) return;
  const i = contexts.find(context);
  if (i !== NONE) freeAnswer(drop(i));
}

function answerNow(i: i32): void {
  enter(contexts.of(i));
  sendAnswer(drop(i));
}

/** The answer that was kept. */
function drop(i: i32): usize {
  const answer = answers.get(i) as usize;
  const previous = before.get(i);
  const next = after.get(i);
  if (previous === NONE) first = next;
  else after.set(previous, next);
  if (next === NONE) last = previous;
  else before.set(next, previous);
  contexts.remove(i);
  places.give(i);
  count--;
  return answer;
}
