// Requests with the same key at the same time: the first one leads, and the others get its answer, or are told that it is there.
//
// Workers have queues of their own, so a request with a key asks the others before it leads; what leads at another worker is not
// joined, but in conflict. Of two that ask each other at the same time, that of the worker with the lower number leads.

import { FreeList, Ints } from './columns.ts';
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
  isGrpc,
  keepBytes,
  put,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  release,
  same,
  Text,
  text,
  wallClock,
} from './host.ts';
import { idAt, idSize, jobHeader, jobStatus } from './jobs.ts';
import { Keys, keyOf } from './keys.ts';
import { nameAt, nameSize } from './names.ts';
import { NONE } from './queue.ts';
import { mayAnswer, refuse, SAME_KEY } from './refusals.ts';
import { queues, serviceEntry } from './state.ts';

/** What a service does with a request whose key is there already. */
const OFF: i32 = 0;
const CONFLICT: i32 = 1;

/** What `lead` says: it goes on as any other; it has been answered, or waits for the answer of another. */
export const LEADS: i32 = 0;
export const FOLLOWS: i32 = 1;

// Where an entry stands: other workers are being asked; it is the first; its answer has begun; it has its answer, and is a job.
const ASKING: i32 = 1;
const LEADING: i32 = 2;
const ANSWERING: i32 = 3;
const JOBBED: i32 = 4;
// The answer is complete, and goes to those that have joined with the next tick: Envoy would keep back the answer that is passing
// in a callback in which another one is given.
const COMPLETE: i32 = 5;
// It still asks, and has told another one that comes first that it does not lead: so it will not.
const YIELDED: i32 = 6;

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
/** Of this VM alone, so that nobody can think of keys that all lie in one bucket. */
let seed: i32 = 0;

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

/** A request has come. Whether it goes on as any other; with `keyed` where it has a key, which other workers may have as well. */
export function lead(context: u32, s: i32): i32 {
  keyed = false;
  if (!readKey(s)) return LEADS;
  const e = findKey(key, keySize);
  if (e !== NONE) {
    follow(context, s, e);
    return FOLLOWS;
  }
  keyed = true;
  addEntry(context);
  return LEADS;
}
export let keyed: bool = false;

/** The key of the last request, for other workers. */
export function keyAt(): usize {
  return key;
}

export function keyLength(): i32 {
  return keySize;
}

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

function findKey(at: usize, size: i32): i32 {
  let e = keys.find(keyOf(seed, at, size));
  while (e !== NONE && !(keySizes.get(e) === size && memory.compare(keyAts.get(e) as usize, at, size) === 0))
    e = keys.next(e);
  return e;
}

/** Whether a request with this key is here, as another worker asks whose own comes first where both ask. */
export function isLed(at: usize, size: i32, otherIsFirst: bool): bool {
  const e = findKey(at, size);
  if (e === NONE) return false;
  const asks = states.get(e) === ASKING || states.get(e) === YIELDED;
  if (!asks || !otherIsFirst) return true;
  states.set(e, YIELDED);
  return false;
}

/** The other workers are being asked about the key of this request. */
export function asking(context: u32): void {
  states.set(contexts.find(context), ASKING);
}

/** Whether they are still being asked. */
export function isAsking(context: u32): bool {
  const e = count === 0 ? NONE : contexts.find(context);
  return e !== NONE && (states.get(e) === ASKING || states.get(e) === YIELDED);
}

/** The other workers do not have it. Whether it leads: not if it has yielded to one of them meanwhile. */
export function leads(context: u32): bool {
  const e = contexts.find(context);
  if (e === NONE) return false;
  if (states.get(e) === YIELDED) {
    isLedElsewhere(context);
    return false;
  }
  states.set(e, LEADING);
  return true;
}

/** Another worker has it: its request, and those that have joined it here, are in conflict. */
export function isLedElsewhere(context: u32): void {
  const e = contexts.find(context);
  if (e === NONE) return;
  refuseJoined(e);
  removeEntry(e);
  enter(context);
  answerDuplicate();
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
  if (heads.get(e) !== NONE) keepHeaders(e);
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
  if (e === NONE || heads.get(e) === NONE || states.get(e) === COMPLETE) return;
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
    states.set(e, ANSWERING);
    forgetAnswer(e);
    // Its stream is over.
    if (isLeft.get(e) !== 0) dropOrKeep(e);
  }
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
    leaveJoined(j);
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
  // What the pod has begun to answer is not done twice, nor what another worker may do.
  if (state === ANSWERING || state === ASKING || state === YIELDED) refuseJoined(e);
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

// ---- Entries ----

function addEntry(context: u32): void {
  if (seed === 0) seed = ((wallClock() / 1000) as i32) | 1;
  const e = places.take();
  growEntries(places.room);
  keepBytes(keyAts, keySizes, e, key, keySize);
  heads.set(e, NONE);
  states.set(e, LEADING);
  contexts.add(context, e);
  keys.add(e, keyOf(seed, key, keySize));
  count++;
}

function growEntries(room: i32): void {
  states.grow(room);
  keyAts.grow(room);
  keySizes.grow(room);
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
