// Requests with the same key at the same time: the first one leads, and the others get its answer, or are told that it is there.
//
// A key leads at one worker of Envoy (led-keys.ts). Those that come to another one join it there: they wait until the first worker
// sends the answer, or says that the key is free again; then one of them leads.

import { arriveLate } from './arrivals.ts';
import { Floats, FreeList, Ints } from './columns.ts';
import { Contexts } from './contexts.ts';
import {
  answer,
  answerWith,
  begin,
  beginHeaders,
  enter,
  found,
  foundSize,
  getBody,
  getHeader,
  getPairs,
  getWholeNumber,
  header,
  headersAt,
  headersSize,
  isGrpc,
  keepBytes,
  put,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  release,
  same,
  Text,
  text,
} from './host.ts';
import { idAt, idSize, jobHeader, jobStatus } from './jobs.ts';
import { Keys, keyOf } from './keys.ts';
import {
  bodyIn,
  bodySizeIn,
  claimKey,
  isKeyFollowed,
  isWhole,
  KEY_ANSWERED,
  KEY_ASKED,
  KEY_FREE,
  KEY_REFUSED,
  keyIn,
  keySeed,
  keySizeIn,
  pairsIn,
  pairsSizeIn,
  serialOf,
  settleKey,
  statusOfKey,
  tellFollowers,
  tellOne,
  workerOf,
} from './led.ts';
import { CLOSED, JOB, OPEN, OVER } from './led-keys.ts';
import { nameAt, nameSize } from './names.ts';
import { NONE } from './queue.ts';
import { mayAnswer, refuse, SAME_KEY } from './refusals.ts';
import { ledKeys, membership, queues, serviceEntry, workers } from './state.ts';

/** What a service does with a request whose key is there already. */
const OFF: i32 = 0;
const CONFLICT: i32 = 1;

/** What `lead` says: it goes on as any other; it has been answered, or waits for the answer of another. */
export const LEADS: i32 = 0;
export const FOLLOWS: i32 = 1;

// Where an entry stands: it leads at another worker; it is the first; its answer has begun; it has its answer, and is a job.
const ELSEWHERE: i32 = 1;
const LEADING: i32 = 2;
const ANSWERING: i32 = 3;
const JOBBED: i32 = 4;
// The answer is complete, and goes to those that have joined with the next tick: Envoy would keep back the answer that is passing
// in a callback in which another one is given.
const COMPLETE: i32 = 5;

const METHOD = text(':method');
const PATH = text(':path');
const STATUS = text(':status');
const AUTHORIZATION = text('authorization');
const RETRY_AFTER = text('retry-after');
const ONE = text('1');
const DUPLICATE = text('sluice_duplicate');
const JOINED = text('sluice_joined');
const SAY_DUPLICATE = text('A request with the same key is under way.\n');

/** Headers of an answer that each connection has for itself. */
const OWN: StaticArray<Text> = [
  text('content-length'),
  text('transfer-encoding'),
  text('connection'),
  text('keep-alive'),
  text('server-timing'),
  text('sluice-queue'),
];

/** Longest key, with what belongs to it. */
const KEY_MAX: i32 = 2048;
/** Most of an answer's body that is kept for those that have joined, and of its headers. */
const BODY_MAX: i32 = 1048576;
const PAIRS_MAX: i32 = 65536;
/** Most of the bodies of all answers that are kept at a time: a VM without memory is a VM less. */
const KEPT_MAX: i32 = 64 * 1024 * 1024;
let kept: i32 = 0;
const key: usize = heap.alloc(KEY_MAX);
let keySize: i32 = 0;

// By service.
const modes: Ints = new Ints();
const headerAts: Ints = new Ints();
const headerSizes: Ints = new Ints();
let serviceRoom: i32 = 0;
const keyHeader: Text = new Text(0, 0);

// Entries: each is a key that is there.
const contexts: Contexts = new Contexts();
const keys: Keys = new Keys();
const states: Ints = new Ints();
const keyAts: Ints = new Ints();
const keySizes: Ints = new Ints();
// Under which number the key leads at its worker, and which worker that is, by its first number; 0: this one.
const serials: Floats = new Floats();
const leaders: Floats = new Floats();
const numbers: Floats = new Floats();
let serial: f64 = 0;
let elsewhere: i32 = 0;
const heads: Ints = new Ints();
const tails: Ints = new Ints();
const statuses: Ints = new Ints();
const pairAts: Ints = new Ints();
const pairSizes: Ints = new Ints();
const bodyAts: Ints = new Ints();
const bodySizes: Ints = new Ints();
const bodyRooms: Ints = new Ints();
const requests: Ints = new Ints();
const isLeft: Ints = new Ints();
const nextComplete: Ints = new Ints();
let firstComplete: i32 = NONE;
const places: FreeList = new FreeList();
let count: i32 = 0;

// Streams that have joined, in the order in which they did.
const joined: Contexts = new Contexts();
const joinedTo: Ints = new Ints();
const joinedNext: Ints = new Ints();
let joinedRoom: i32 = 0;
let joinedEnd: i32 = 0;
let joinedFree: i32 = NONE;
let joinedCount: i32 = 0;

// The entries of jobs, by request: one more than their number.
const ofRequests: Ints = new Ints();
let requestRoom: i32 = 0;

/** What a service does with requests of the same key. `name`: the header with the key. */
export function setIdempotency(s: i32, mode: i32, name: usize, nameLength: i32): void {
  if (nameLength === 0 && s >= serviceRoom) return;
  if (s >= serviceRoom) {
    serviceRoom = s < 16 ? 32 : s * 2;
    modes.grow(serviceRoom);
    headerAts.grow(serviceRoom);
    headerSizes.grow(serviceRoom);
  }
  keepBytes(headerAts, headerSizes, s, name, nameLength);
  modes.set(s, nameLength > 0 ? mode : OFF);
}

/** Whether requests of this service may have keys. */
export function isKeyed(s: i32): bool {
  return s < serviceRoom && modes.get(s) !== OFF;
}

/** Whether anything has a key now: then answers are looked at. */
export function isAnyKeyed(): bool {
  return count > 0;
}

// ---- Arriving ----

/** A request has come. Whether it goes on as any other. */
export function lead(context: u32, s: i32, now: f64): i32 {
  if (!readKey(s)) return LEADS;
  const number = keyOf(keySeed(), key, keySize);
  const e = findKey(number, key, keySize);
  if (e !== NONE) {
    follow(context, s, e);
    return FOLLOWS;
  }
  const mayJoin = modes.get(s) !== CONFLICT && joinedCount < queues.requestsMax && !workers.retired;
  serial += 1;
  if (claimKey(number, serial, mayJoin)) {
    contexts.add(context, addEntry(number));
    return LEADS;
  }
  if (!mayJoin || !isAnswered(now)) {
    answerDuplicate();
    return FOLLOWS;
  }
  const followed = addEntry(number);
  followElsewhere(followed);
  join(context, followed);
  return FOLLOWS;
}

/** Whether the key that leads elsewhere will be answered for those that join it now. */
function isAnswered(now: f64): bool {
  // Another key of the same number, here.
  if (ledKeys.worker === membership.first) return false;
  if (ledKeys.state === OPEN) return membership.speaks(ledKeys.worker, now);
  return ledKeys.state === JOB && membership.hears(ledKeys.worker, now);
}

/** The key of an entry leads where `ledKeys` says. */
function followElsewhere(e: i32): void {
  states.set(e, ELSEWHERE);
  leaders.set(e, ledKeys.worker);
  serials.set(e, ledKeys.serial);
  elsewhere++;
  // The job goes on: what was answered when it began.
  if (ledKeys.state === JOB) tellOne(ledKeys.worker, KEY_ASKED, ledKeys.serial, keyText(e), 0, 0, 0);
}

function keyText(e: i32): Text {
  keyOfEntry.at = keyAts.get(e) as usize;
  keyOfEntry.size = keySizes.get(e);
  return keyOfEntry;
}
const keyOfEntry: Text = new Text(0, 0);

/** Puts the key together: that of the client, with what makes it a key of this client for this request. */
function readKey(s: i32): bool {
  keyHeader.at = headerAts.get(s) as usize;
  keyHeader.size = headerSizes.get(s);
  keySize = 0;
  if (!getHeader(REQUEST_HEADERS, keyHeader)) return false;
  let fits = appendFound();
  // A call of gRPC has no answer that could be given twice.
  if (isGrpc(REQUEST_HEADERS)) return false;
  const entry = serviceEntry(s);
  if (!append(nameAt(entry), nameSize(entry))) fits = false;
  if (getHeader(REQUEST_HEADERS, METHOD) && !appendFound()) fits = false;
  if (getHeader(REQUEST_HEADERS, PATH) && !appendFound()) fits = false;
  if (getHeader(REQUEST_HEADERS, AUTHORIZATION) && !appendFound()) fits = false;
  return fits;
}

function appendFound(): bool {
  const fits = append(found, foundSize);
  release(found);
  return fits;
}

function append(at: usize, size: i32): bool {
  if (keySize + size + 1 > KEY_MAX) return false;
  memory.copy(key + keySize, at, size);
  store<u8>(key + keySize + size, 0);
  keySize += size + 1;
  return true;
}

function findKey(number: f64, at: usize, size: i32): i32 {
  let e = keys.find(number);
  while (e !== NONE && !(keySizes.get(e) === size && memory.compare(keyAts.get(e) as usize, at, size) === 0))
    e = keys.next(e);
  return e;
}

function follow(context: u32, s: i32, e: i32): void {
  const state = states.get(e);
  if (modes.get(s) === CONFLICT || (state === ANSWERING && pairAts.get(e) === 0)) {
    answerDuplicate();
  } else if (state === JOBBED) {
    answerJob(s, requests.get(e));
  } else if (joinedCount >= queues.requestsMax) {
    answerDuplicate();
  } else join(context, e);
}

export function answerDuplicate(): void {
  beginHeaders();
  header(RETRY_AFTER, ONE.at, ONE.size);
  begin();
  put(SAY_DUPLICATE);
  answer(409, DUPLICATE, -1);
}

/** The job goes on: what was answered when it began. */
function answerJob(s: i32, r: i32): void {
  beginHeaders();
  header(jobHeader(s), idAt(r), idSize(r));
  begin();
  answer(jobStatus(s), JOINED, -1);
}

// ---- Answers ----

/** The headers of an answer are here. It is kept where somebody waits for it. */
export function noteHeaders(context: u32, isEnd: bool): void {
  const e = contexts.find(context);
  if (e === NONE) return;
  states.set(e, ANSWERING);
  if (heads.get(e) !== NONE || isKeyFollowed(numbers.get(e), serials.get(e))) keepHeaders(e);
  if (isEnd) noteEnd(context);
}

function keepHeaders(e: i32): void {
  const status = getWholeNumber(RESPONSE_HEADERS, STATUS);
  statuses.set(e, status);
  if (status === 0 || !getPairs(RESPONSE_HEADERS)) return;
  if (foundSize <= PAIRS_MAX) {
    pairAts.set(e, heap.alloc(foundSize) as i32);
    pairSizes.set(e, copyPairs(found, pairAts.get(e) as usize));
  }
  release(found);
}

/** Copies a list of headers without those that each answer has for itself, and answers how long it is. */
function copyPairs(from: usize, to: usize): i32 {
  const all = load<i32>(from);
  let left: i32 = 0;
  let data = from + 4 + (all << 3);
  // First how many there are, since their bytes follow their sizes.
  for (let i = 0; i < all; i++) {
    const sizes = from + 4 + (i << 3);
    if (!isOwn(data, load<i32>(sizes))) left++;
    data += load<i32>(sizes) + load<i32>(sizes + 4) + 2;
  }
  store<i32>(to, left);
  let target = to + 4 + (left << 3);
  let index: i32 = 0;
  data = from + 4 + (all << 3);
  for (let i = 0; i < all; i++) {
    const sizes = from + 4 + (i << 3);
    const size = load<i32>(sizes) + load<i32>(sizes + 4) + 2;
    if (!isOwn(data, load<i32>(sizes))) {
      memory.copy(to + 4 + (index << 3), sizes, 8);
      memory.copy(target, data, size);
      target += size;
      index++;
    }
    data += size;
  }
  return (target - to) as i32;
}

function isOwn(at: usize, size: i32): bool {
  if (load<u8>(at) === 58 /* : */) return true;
  for (let i = 0; i < OWN.length; i++) if (same(at, size, OWN[i])) return true;
  return false;
}

/** More of an answer is here. */
export function noteBody(context: u32, size: i32, isEnd: bool): void {
  const e = contexts.find(context);
  if (e === NONE) return;
  if (pairAts.get(e) !== 0 && size > 0) keepBody(e, size);
  if (isEnd) noteEnd(context);
}

function keepBody(e: i32, size: i32): void {
  const before = bodySizes.get(e);
  if (before + size > BODY_MAX || kept + size > KEPT_MAX || !getBody(size)) {
    forgetAnswer(e);
    return;
  }
  let capacity = bodyRooms.get(e);
  if (capacity < before + foundSize) {
    capacity = capacity === 0 ? 4096 : capacity;
    while (capacity < before + foundSize) capacity *= 2;
    const grown = bodyAts.get(e) === 0 ? heap.alloc(capacity) : heap.realloc(bodyAts.get(e) as usize, capacity);
    bodyAts.set(e, grown as i32);
    bodyRooms.set(e, capacity);
  }
  memory.copy((bodyAts.get(e) as usize) + before, found, foundSize);
  bodySizes.set(e, before + foundSize);
  kept += foundSize;
  release(found);
}

/** An answer is complete. */
export function noteEnd(context: u32): void {
  const e = contexts.find(context);
  if (e === NONE || (heads.get(e) === NONE && pairAts.get(e) === 0) || states.get(e) === COMPLETE) return;
  complete(e);
}

function complete(e: i32): void {
  states.set(e, COMPLETE);
  nextComplete.set(e, firstComplete);
  firstComplete = e;
}

/** Whether answers are complete for which somebody waits. */
export function isAnyComplete(): bool {
  return firstComplete !== NONE;
}

/** Those that have joined get the answers that are complete; as many as one call may answer, the others with the next tick. */
export function answerComplete(): void {
  while (firstComplete !== NONE) {
    const e = firstComplete;
    if (pairAts.get(e) === 0) refuseJoined(e);
    while (heads.get(e) !== NONE) {
      if (!mayAnswer()) return;
      enter(takeJoined(e));
      const pairs = pairAts.get(e) as usize;
      answerWith(statuses.get(e), JOINED, pairs, pairSizes.get(e), bodyAts.get(e) as usize, bodySizes.get(e));
    }
    firstComplete = nextComplete.get(e);
    if (leaders.get(e) !== 0) {
      dropEntry(e);
      continue;
    }
    tellAnswer(e);
    states.set(e, ANSWERING);
    forgetAnswer(e);
    // Its stream is over.
    if (isLeft.get(e) !== 0) dropOrKeep(e);
  }
}

/** Those that follow at other workers get the answer as well. */
function tellAnswer(e: i32): void {
  settle(e, CLOSED);
  const pairs = pairAts.get(e) as usize;
  const kind = pairs === 0 ? KEY_REFUSED : KEY_ANSWERED;
  const body = bodyAts.get(e) as usize;
  tellFollowers(kind, serials.get(e), keyText(e), statuses.get(e), pairs, pairSizes.get(e), body, bodySizes.get(e));
}

function settle(e: i32, state: i32): void {
  settleKey(numbers.get(e), serials.get(e), state);
}

function tellEnd(kind: u8, e: i32): void {
  tellFollowers(kind, serials.get(e), keyText(e), 0, 0, 0, 0, 0);
}

function dropOrKeep(e: i32): void {
  isLeft.set(e, 0);
  const r = requests.get(e);
  if (r !== NONE && queues.isJob(r)) linkJob(e, r);
  else dropEntry(e);
}

/** A stream is over. The stream that takes the place of one that led, and is to arrive now; 0: there is none. `r`: its request. */
export function leaveKey(context: u32, r: i32): u32 {
  const j = joined.find(context);
  if (j !== NONE) {
    const followed = joinedTo.get(j);
    leaveJoined(j);
    if (states.get(followed) === ELSEWHERE && heads.get(followed) === NONE) dropEntry(followed);
    return 0;
  }
  const e = contexts.find(context);
  if (e === NONE) return 0;
  if (states.get(e) === COMPLETE) {
    contexts.remove(e);
    isLeft.set(e, 1);
    requests.set(e, r !== NONE && queues.isJob(r) ? r : NONE);
    return 0;
  }
  if (r !== NONE && queues.isJob(r)) {
    refuseJoined(e);
    contexts.remove(e);
    linkJob(e, r);
    return 0;
  }
  const state = states.get(e);
  // What the pod has begun to answer is not done twice.
  if (state === ANSWERING) refuseJoined(e);
  const next = takeJoined(e);
  if (next === 0) {
    removeEntry(e);
    return 0;
  }
  forgetAnswer(e);
  contexts.remove(e);
  contexts.add(next, e);
  states.set(e, LEADING);
  return next;
}

/** The request of an entry has its answer, and goes on as a job. */
function linkJob(e: i32, r: i32): void {
  if (r >= requestRoom) {
    requestRoom = r < 128 ? 256 : r * 2;
    ofRequests.grow(requestRoom);
  }
  forgetAnswer(e);
  settle(e, JOB);
  tellEnd(KEY_REFUSED, e);
  states.set(e, JOBBED);
  requests.set(e, r);
  ofRequests.set(r, e + 1);
}

/** The job of a request is over. */
export function forgetKeyOfJob(r: i32): void {
  if (r >= requestRoom || ofRequests.get(r) === 0) return;
  const e = ofRequests.get(r) - 1;
  ofRequests.set(r, 0);
  dropEntry(e);
}

function refuseJoined(e: i32): void {
  for (let j = takeJoined(e); j !== 0; j = takeJoined(e)) refuse(j, SAME_KEY, NONE);
}

// ---- Other workers ----

/** Another worker has told something about a key, or asks. */
export function hearOfKey(message: usize, size: i32, now: f64): void {
  if (!isWhole(message, size)) return;
  const kind = load<u8>(message);
  const number = keyOf(keySeed(), keyIn(message), keySizeIn(message));
  const e = findKey(number, keyIn(message), keySizeIn(message));
  if (kind === KEY_ASKED) {
    answerAsked(e, message);
    return;
  }
  // Nobody waits for it any more; or for another one that came after it.
  if (e === NONE || states.get(e) !== ELSEWHERE) return;
  if (leaders.get(e) !== workerOf(message) || serials.get(e) !== serialOf(message)) return;
  if (kind === KEY_ANSWERED) takeAnswer(e, message);
  else if (kind === KEY_FREE) takeLead(e, now);
  else giveUp(e);
}

function takeAnswer(e: i32, message: usize): void {
  const bodySize = bodySizeIn(message);
  if (kept + bodySize > KEPT_MAX) {
    giveUp(e);
    return;
  }
  statuses.set(e, statusOfKey(message));
  keepBytes(pairAts, pairSizes, e, pairsIn(message), pairsSizeIn(message));
  keepBytes(bodyAts, bodySizes, e, bodyIn(message), bodySize);
  kept += bodySize;
  complete(e);
}

/** The key is free again: the first of those that have joined here leads, if no other worker was faster. */
function takeLead(e: i32, now: f64): void {
  elsewhere--;
  serial += 1;
  if (!claimKey(numbers.get(e), serial, true)) {
    if (isAnswered(now)) followElsewhere(e);
    else {
      elsewhere++;
      giveUp(e);
    }
    return;
  }
  leaders.set(e, 0);
  serials.set(e, serial);
  states.set(e, LEADING);
  const next = takeJoined(e);
  contexts.add(next, e);
  arriveLate(next, now);
}

/** Those that have joined get no answer. */
function giveUp(e: i32): void {
  refuseJoined(e);
  dropEntry(e);
}

/** Another worker has joined a job that goes on: what was answered when it began. */
function answerAsked(e: i32, message: usize): void {
  const asker = workerOf(message);
  const asked = serialOf(message);
  keyOfEntry.at = keyIn(message);
  keyOfEntry.size = keySizeIn(message);
  if (e === NONE || states.get(e) !== JOBBED || serials.get(e) !== asked) {
    tellOne(asker, KEY_FREE, asked, keyOfEntry, 0, 0, 0);
    return;
  }
  const r = requests.get(e);
  const s = queues.serviceOf(r);
  beginHeaders();
  header(jobHeader(s), idAt(r), idSize(r));
  const pairsSize = headersSize();
  tellOne(asker, KEY_ANSWERED, asked, keyOfEntry, jobStatus(s), headersAt(), pairsSize);
}

/** Those that have joined a key of a worker that can say nothing any more get no answer. */
export function tendFollowed(now: f64): void {
  if (elsewhere === 0) return;
  for (let e: i32 = 0; e < places.end; e++) {
    if (states.get(e) !== ELSEWHERE) continue;
    // What a job of one that was replaced meanwhile has answered, it can not be asked any more; nor whether it has heard the question.
    if (!membership.speaks(leaders.get(e), now)) giveUp(e);
  }
}

/** This worker can not be told anything any more. */
export function refuseLedElsewhere(): void {
  for (let e: i32 = 0; e < places.end && elsewhere > 0; e++) if (states.get(e) === ELSEWHERE) giveUp(e);
}

// ---- Entries ----

function addEntry(number: f64): i32 {
  const e = places.take();
  growEntries(places.room);
  keepBytes(keyAts, keySizes, e, key, keySize);
  heads.set(e, NONE);
  states.set(e, LEADING);
  numbers.set(e, number);
  serials.set(e, serial);
  leaders.set(e, 0);
  isLeft.set(e, 0);
  requests.set(e, NONE);
  keys.add(e, number);
  count++;
  return e;
}

function growEntries(room: i32): void {
  states.grow(room);
  keyAts.grow(room);
  keySizes.grow(room);
  numbers.grow(room);
  serials.grow(room);
  leaders.grow(room);
  heads.grow(room);
  tails.grow(room);
  statuses.grow(room);
  pairAts.grow(room);
  pairSizes.grow(room);
  bodyAts.grow(room);
  bodySizes.grow(room);
  bodyRooms.grow(room);
  requests.grow(room);
  isLeft.grow(room);
  nextComplete.grow(room);
}

function removeEntry(e: i32): void {
  contexts.remove(e);
  dropEntry(e);
}

function dropEntry(e: i32): void {
  if (leaders.get(e) === 0) {
    settle(e, OVER);
    // Where nothing was answered yet another one may lead now.
    tellEnd(states.get(e) === LEADING ? KEY_FREE : KEY_REFUSED, e);
  } else elsewhere--;
  forgetAnswer(e);
  keys.remove(e);
  heap.free(keyAts.get(e) as usize);
  keyAts.set(e, 0);
  states.set(e, 0);
  places.give(e);
  count--;
}

function forgetAnswer(e: i32): void {
  if (pairAts.get(e) !== 0) heap.free(pairAts.get(e) as usize);
  if (bodyAts.get(e) !== 0) heap.free(bodyAts.get(e) as usize);
  pairAts.set(e, 0);
  bodyAts.set(e, 0);
  kept -= bodySizes.get(e);
  bodySizes.set(e, 0);
  bodyRooms.set(e, 0);
}

// ---- Those that have joined ----

function join(context: u32, e: i32): void {
  let j = joinedFree;
  if (j !== NONE) {
    joinedFree = joinedNext.get(j);
  } else {
    j = joinedEnd++;
    if (j >= joinedRoom) {
      joinedRoom = joinedRoom === 0 ? 64 : joinedRoom * 2;
      joinedTo.grow(joinedRoom);
      joinedNext.grow(joinedRoom);
    }
  }
  joinedCount++;
  joined.add(context, j);
  joinedTo.set(j, e);
  joinedNext.set(j, NONE);
  if (heads.get(e) === NONE) heads.set(e, j);
  else joinedNext.set(tails.get(e), j);
  tails.set(e, j);
}

/** The first that has joined an entry, which is none of them any more; 0: there is none. */
function takeJoined(e: i32): u32 {
  const j = heads.get(e);
  if (j === NONE) return 0;
  const context = joined.of(j);
  leaveJoined(j);
  return context;
}

function leaveJoined(j: i32): void {
  const e = joinedTo.get(j);
  const next = joinedNext.get(j);
  if (heads.get(e) === j) {
    heads.set(e, next);
  } else {
    let before = heads.get(e);
    while (joinedNext.get(before) !== j) before = joinedNext.get(before);
    joinedNext.set(before, next);
    if (next === NONE) tails.set(e, before);
  }
  joined.remove(j);
  joinedCount--;
  joinedNext.set(j, joinedFree);
  joinedFree = j;
}
