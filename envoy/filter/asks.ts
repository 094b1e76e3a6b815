// Questions that another worker may be able to answer: they go to all of them, and the client waits for the first that knows.
//
// Between workers: a byte that no name of a service begins with, what kind of question it is, the number of the question, the number
// of the worker that asks, then the question; and back: another such byte, whether it knows, the number of the question, the answer.

import { Floats, Ints } from './columns.ts';
import { begin, enter, lineAt, lineSize, putBytes } from './host.ts';
import { NONE } from './queue.ts';
import { othersAsked, wakeMember } from './sharing.ts';
import { answerJson, answerNotFound, answerOther } from './well-known.ts';

/** What is asked. */
export const REQUEST: i32 = 1;
export const JOB: i32 = 2;

/** The first byte of a question, and of an answer. */
export const ASK: u8 = 1;
export const ANSWER: u8 = 2;

/** So many questions may be open, for so long. */
const MOST: i32 = 256;
const PATIENCE_MS: f64 = 1000;
/** The bytes before a question and before an answer. */
const ASK_HEAD: i32 = 18;
const ANSWER_HEAD: i32 = 10;
const MESSAGE_MAX: i32 = 4096;

const message: usize = heap.alloc(MESSAGE_MAX);
const contexts: Ints = new Ints();
const kinds: Ints = new Ints();
const left: Ints = new Ints();
const numbers: Floats = new Floats();
const dues: Floats = new Floats();
contexts.grow(MOST);
kinds.grow(MOST);
left.grow(MOST);
numbers.grow(MOST);
dues.grow(MOST);
let count: i32 = 0;
let serial: f64 = 0;

/** Asks the other workers in place of the client of this context. False: there are none, or too much was asked. */
export function askOthers(context: u32, kind: i32, at: usize, size: i32, now: f64): bool {
  if (count >= MOST || ASK_HEAD + size > MESSAGE_MAX) return false;
  serial += 1;
  store<u8>(message, ASK);
  store<u8>(message + 1, kind as u8);
  store<f64>(message + 2, serial);
  memory.copy(message + ASK_HEAD, at, size);
  const asked = othersAsked(message, ASK_HEAD + size, message + 10);
  if (asked === 0) return false;
  let i: i32 = 0;
  while (contexts.get(i) !== 0) i++;
  contexts.set(i, context as i32);
  kinds.set(i, kind);
  left.set(i, asked);
  numbers.set(i, serial);
  dues.set(i, now + PATIENCE_MS);
  count++;
  return true;
}

/** Another worker has sent something that is no name of a service. */
export function hear(at: usize, size: i32, now: f64): void {
  if (load<u8>(at) === ASK && size >= ASK_HEAD) hearAsk(at, size, now);
  else if (load<u8>(at) === ANSWER && size >= ANSWER_HEAD) hearAnswer(at, size);
}

function hearAsk(at: usize, size: i32, now: f64): void {
  const number = load<f64>(at + 2);
  const asker = load<f64>(at + 10);
  const kind = load<u8>(at + 1) as i32;
  begin();
  const known = answerOther(kind, at + ASK_HEAD, size - ASK_HEAD, now);
  store<u8>(message, ANSWER);
  store<u8>(message + 1, known ? 1 : 0);
  store<f64>(message + 2, number);
  const length: i32 = known && ANSWER_HEAD + lineSize() <= MESSAGE_MAX ? lineSize() : 0;
  memory.copy(message + ANSWER_HEAD, lineAt(), length);
  wakeMember(asker, message, ANSWER_HEAD + length);
}

function hearAnswer(at: usize, size: i32): void {
  const i = find(load<f64>(at + 2));
  if (i === NONE) return;
  if (load<u8>(at + 1) !== 0) {
    const context = contexts.get(i) as u32;
    close(i);
    enter(context);
    begin();
    putBytes(at + ANSWER_HEAD, size - ANSWER_HEAD);
    answerJson(200);
    return;
  }
  left.add(i, -1);
  if (left.get(i) <= 0) giveUp(i);
}

function find(number: f64): i32 {
  for (let i: i32 = 0; i < MOST; i++) if (contexts.get(i) !== 0 && numbers.get(i) === number) return i;
  return NONE;
}

/** Nobody knows it, or not in time. */
function giveUp(i: i32): void {
  const context = contexts.get(i) as u32;
  const kind = kinds.get(i);
  close(i);
  enter(context);
  answerNotFound(kind);
}

function close(i: i32): void {
  contexts.set(i, 0);
  count--;
}

/** A client has left. */
export function forgetAsk(context: u32): void {
  if (count === 0) return;
  for (let i: i32 = 0; i < MOST; i++) if (contexts.get(i) === (context as i32)) close(i);
}

/** Answers what nobody has answered in time, and says when that is to be looked at next. */
export function tickAsks(now: f64): f64 {
  let soonest: f64 = Infinity;
  if (count === 0) return soonest;
  for (let i: i32 = 0; i < MOST; i++) {
    if (contexts.get(i) === 0) continue;
    if (dues.get(i) <= now) giveUp(i);
    else if (dues.get(i) < soonest) soonest = dues.get(i);
  }
  return soonest;
}
