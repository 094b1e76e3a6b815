// Between workers.ts and Envoy: the records that all workers see (shared data), and how they wake each other (shared queues).
//
// A record is written with compare-and-set. Envoy has no "create if it is not there": a key that is missing is created under a
// lock, and the keys of the lock and of the members by the first VM, which Envoy starts before those of the workers.
import { hear, tickAsks } from './asks.ts';
import { Ints } from './columns.ts';
import {
  proxy_dequeue_shared_queue,
  proxy_enqueue_shared_queue,
  proxy_register_shared_queue,
  proxy_resolve_shared_queue,
} from './env.ts';
import { wake } from './flow.ts';
import {
  begin,
  enter,
  found,
  foundSize,
  lineAt,
  lineSize,
  put,
  putBytes,
  putNumber,
  release,
  share,
  shared,
  Text,
  takeFrom,
  text,
} from './host.ts';
import { hearOfKey, refuseLedElsewhere, tendFollowed } from './idempotency.ts';
import { createKeyRecords, isAboutKeys } from './led.ts';
import { nameAt, nameSize } from './names.ts';
import { NONE } from './queue.ts';
import { cellsOf, createRecord, readRecord, takeCells, version, writeRecord } from './records.ts';
import { findService, membership, queues, serviceEntry, servicesEnd, workers } from './state.ts';
import { ended, hasEnded, revive, vmEpoch } from './stream.ts';

const OK: i32 = 0;

const MEMBERS = text('members');
const LOCK = text('lock');
const SERVICE = text('service ');
const QUEUE = text('worker ');
/** Before the number of a member: the epoch of its VM. */
const VM = text('vm ');
const KEYS_QUEUE = text('keys ');
const VM_ID = text('sluice.queue');

/** How often a worker gives a sign of life. */
const BEAT_MS: f64 = 250;
/** While it takes no slots, as one that is there has not said what it uses, or may be dead. */
const BEAT_SOON_MS: f64 = 20;
/** So often a write is tried again in one callback. */
const TRIES: i32 = 1000;

const out: usize = heap.alloc(16);
const unlocked: usize = heap.alloc(8);
const locked: usize = heap.alloc(8);
store<u64>(unlocked, 0);
store<u64>(locked, 1);

/** Everything that this VM uses is in the records. */
let published: bool = false;
let joined: bool = false;
let root: u32 = 0;
let queue: u32 = 0;
/** The queue for what concerns keys of requests: of its first number, so that it stays the same. */
let keysQueue: u32 = 0;
let nextBeat: f64 = 0;
/** Services with free slots that others were woken for, and when to look whether they came. */
const promised: Ints = new Ints();
let promisedRoom: i32 = 0;
let promisedUntil: f64 = Infinity;

/** The first VM creates what has to be there before the workers write it. */
export function createShared(): void {
  createRecord(LOCK.at, LOCK.size, unlocked, 8);
  createRecord(MEMBERS.at, MEMBERS.size, unlocked, 0);
  createKeyRecords();
}

// ---- Members ----

/** This VM is one of a worker, as a call or a request comes to it: from now on it counts. False: it does already. */
export function join(now: f64): bool {
  if (joined || workers.retired) return false;
  joined = true;
  revive();
  beat(now);
  return true;
}

/** The root that is woken. */
export function setSharingRoot(context: u32): void {
  root = context;
  if (context === 0) return;
  // Code that was replaced is used anew.
  if (workers.retired) {
    workers.retired = false;
    nextBeat = 0;
    revive();
  }
  if (joined) register();
}

/**
 * This VM has been replaced: it leaves when its last request has ended. Nothing ticks in it, and nobody can wake it, so those that
 * wait here get the slots that are freed here.
 */
export function retireShared(now: f64): void {
  if (!joined || workers.retired) return;
  workers.retired = true;
  if (!queues.shared && !queues.coordinated) publish(now);
  for (let i = 0; i < TRIES; i++) {
    if (!readMembers()) return;
    membership.planRetire();
    if (!writeMembers()) continue;
    membership.commit(now);
    break;
  }
  refuseLedElsewhere();
  unshareAll();
  shareAll(now);
  leaveShared();
}

/** A VM that has been replaced ends with its last request. */
export function leaveShared(): void {
  if (!joined || !workers.retired || queues.requests > 0) return;
  for (let i = 0; i < TRIES; i++) {
    if (!readMembers()) return;
    membership.planLeave();
    if (writeMembers()) break;
  }
  joined = false;
  ended();
  wakeOthers();
}

/** Does what is due, and answers when it is to be called next. */
export function tickSharing(now: f64): f64 {
  if (!joined) return Infinity;
  if (now >= promisedUntil) {
    promisedUntil = Infinity;
    for (let s: i32 = 0; s < promisedRoom; s++) {
      if (promised.get(s) === 0) continue;
      promised.set(s, 0);
      if (serviceEntry(s) !== 0) queues.unshared(s);
    }
  }
  if (now >= nextBeat) {
    beat(now);
    // Those that wait here look again, in case whoever was to look after them ended.
    if (queues.shared) {
      const all = queues.firstClaim() !== NONE;
      for (let s: i32 = 0; s < servicesEnd(); s++)
        if (serviceEntry(s) !== 0 && (all || queues.waiting(s) > 0)) queues.unshared(s);
    }
  }
  const due = nextBeat < promisedUntil ? nextBeat : promisedUntil;
  const asks = tickAsks(now);
  return asks < due ? asks : due;
}

/** Gives a sign of life, and learns who else is there. */
function beat(now: f64): void {
  nextBeat = now + BEAT_MS;
  const wasActive = membership.active;
  buryEnded();
  if (!beMember(false, now)) return;
  if (!membership.active) nextBeat = now + BEAT_SOON_MS;
  if (!membership.alone && !queues.shared && !queues.coordinated) {
    publishAll(now);
  } else if (membership.alone && queues.shared) {
    queues.shared = false;
    published = false;
    // What the records have under its number is not kept up to date from here on, so nobody is to count it.
    beMember(true, now);
    refreshAll();
  }
  tendFollowed(now);
  // One that has gone, or hears nothing any more, may have said something old last.
  if (membership.changed) sayAll();
  else if (membership.active !== wasActive) unshareAll();
}

/** Others are there: what this VM uses goes into the records, and then they may take slots. */
function publishAll(now: f64): void {
  publish(now);
  if (!published) return;
  beMember(false, now);
  wakeOthers();
}

function publish(now: f64): void {
  // A new number: what the records have under the one before is old.
  if (!beMember(true, now)) return;
  queues.shared = true;
  refreshAll();
  published = shareAll(now);
}

/** Others that have ended without leaving: the guard has ended what they had. */
function buryEnded(): void {
  for (let i: i32 = 0; i < membership.count; i++) {
    const number = membership.member(i);
    if (number === membership.me) continue;
    putVm(number);
    const epoch = shared();
    if (epoch !== 0 && hasEnded(epoch)) membership.bury(number);
  }
}

function putVm(number: f64): void {
  begin();
  put(VM);
  putNumber(number as u64);
}

function unshareAll(): void {
  for (let s: i32 = 0; s < servicesEnd(); s++) if (serviceEntry(s) !== 0) queues.unshared(s);
}

function sayAll(): void {
  for (let s: i32 = 0; s < servicesEnd(); s++) {
    if (serviceEntry(s) === 0) continue;
    queues.sayAgain(s);
    // Another member may tell the statistics that are the same for all.
    queues.changed(s);
  }
}

function refreshAll(): void {
  for (let s: i32 = 0; s < servicesEnd(); s++) if (serviceEntry(s) !== 0) queues.refresh(s);
}

function beMember(renew: bool, now: f64): bool {
  for (let i = 0; i < TRIES; i++) {
    if (!readMembers()) return false;
    membership.plan(published, renew, now);
    if (!writeMembers()) continue;
    const before = membership.me;
    membership.commit(now);
    if (membership.me !== before) {
      putVm(membership.me);
      share(vmEpoch());
      register();
    }
    return true;
  }
  return false;
}

// ---- Services ----

/** Brings the records of all services up to date whose changes concern other workers. False: it goes on with the next tick. */
export function shareAll(now: f64): bool {
  if (!queues.shared) return true;
  for (let s = queues.takeUnshared(); s !== NONE; s = queues.takeUnshared()) {
    if (shareService(s, now)) continue;
    queues.unshared(s);
    wake(now + 1, now);
    return false;
  }
  return true;
}

function shareService(s: i32, now: f64): bool {
  const entry = serviceEntry(s);
  for (let i = 0; i < TRIES; i++) {
    putKey(entry);
    if (!readRecord(lineAt(), lineSize())) {
      create(entry);
      continue;
    }
    const cas = version;
    workers.prepare(foundSize >> 3);
    takeCells(workers.cells);
    workers.plan(s, now);
    if (workers.changed) {
      if (!writeRecord(lineAt(), lineSize(), cellsOf(workers.cells), workers.size << 3, cas)) continue;
    }
    workers.commit(s);
    if (workers.straysChanged) unshareAll();
    for (let w = 0; w < workers.wakeCount; w++) wakeMember(workers.wake(w), nameAt(entry), nameSize(entry));
    if (workers.promisedUntil !== Infinity) lookAgain(s, now);
    return true;
  }
  return false;
}

/** Whether those that were woken came is seen when the first of them is late. */
function lookAgain(s: i32, now: f64): void {
  if (s >= promisedRoom) {
    promisedRoom = s < 16 ? 32 : s * 2;
    promised.grow(promisedRoom);
  }
  promised.set(s, 1);
  if (workers.promisedUntil >= promisedUntil) return;
  promisedUntil = workers.promisedUntil;
  wake(promisedUntil, now);
}

/** Creates the record of a service, if nobody else does. */
function create(entry: usize): void {
  if (!readRecord(LOCK.at, LOCK.size)) return;
  const free = load<u64>(found) === 0;
  const cas = version;
  release(found);
  if (!free || !writeRecord(LOCK.at, LOCK.size, locked, 8, cas)) return;
  putKey(entry);
  createRecord(lineAt(), lineSize(), unlocked, 0);
  writeRecord(LOCK.at, LOCK.size, unlocked, 8, 0);
}

function putKey(entry: usize): void {
  begin();
  put(SERVICE);
  putBytes(nameAt(entry), nameSize(entry));
}

// ---- Waking ----

/** This VM has its queues under its numbers. */
function register(): void {
  if (root === 0) return;
  enter(root);
  putQueue(QUEUE, membership.me);
  if (proxy_register_shared_queue(lineAt(), lineSize(), out) === OK) queue = load<u32>(out);
  putQueue(KEYS_QUEUE, membership.first);
  if (proxy_register_shared_queue(lineAt(), lineSize(), out) === OK) keysQueue = load<u32>(out);
}

function putQueue(kind: Text, number: f64): void {
  begin();
  put(kind);
  putNumber(number as u64);
}

function wakeOthers(): void {
  for (let i = 0; i < membership.count; i++) {
    if (membership.member(i) !== membership.me) wakeMember(membership.member(i), unlocked, 0);
  }
}

/** Sends a message to all other workers, with the number of this one at `from`. To how many. */
export function othersAsked(at: usize, size: i32, from: usize): i32 {
  if (!joined || membership.alone) return 0;
  store<f64>(from, membership.me);
  let asked = 0;
  for (let i = 0; i < membership.count; i++) {
    if (membership.member(i) === membership.me) continue;
    wakeMember(membership.member(i), at, size);
    asked++;
  }
  return asked;
}

/** Wakes a member for a service; without a name because of the members. */
export function wakeMember(number: f64, name: usize, size: i32): void {
  putQueue(QUEUE, number);
  send(name, size);
}

/** Tells a worker something about keys. `first`: its first number as a member. */
export function tellOfKey(first: f64, message: usize, size: i32): void {
  putQueue(KEYS_QUEUE, first);
  send(message, size);
}

/** Sends a message to the queue of the name that was put together. */
function send(message: usize, size: i32): void {
  if (proxy_resolve_shared_queue(VM_ID.at, VM_ID.size, lineAt(), lineSize(), out) !== OK) return;
  proxy_enqueue_shared_queue(load<u32>(out), message, size);
}

/** Another worker has something for this one. */
export function woken(token: u32, now: f64): void {
  if (token !== queue && token !== keysQueue) return;
  let members = false;
  while (takeFrom(proxy_dequeue_shared_queue(token, out, out + 4), out)) {
    if (foundSize === 0) {
      members = true;
      continue;
    }
    if (load<u8>(found) < 32) {
      const message = found;
      if (isAboutKeys(message)) hearOfKey(message, foundSize, now);
      else hear(message, foundSize, now);
      release(message);
      continue;
    }
    const s = findService(found, foundSize);
    release(found);
    if (s !== NONE) queues.unshared(s);
  }
  if (members) beat(now);
}

// ---- The record of members ----

function readMembers(): bool {
  if (!readRecord(MEMBERS.at, MEMBERS.size)) return false;
  membersVersion = version;
  membership.prepare(foundSize >> 3);
  takeCells(membership.cells);
  return true;
}
let membersVersion: u32 = 0;

function writeMembers(): bool {
  return writeRecord(MEMBERS.at, MEMBERS.size, cellsOf(membership.cells), membership.size << 3, membersVersion);
}
