// Between shares.ts and Sluice: the messages of slots that several Envoys share, as in queue.proto.
import { begin, put, share, shared, text, wallClock } from './host.ts';
import { nameAt, nameSize } from './names.ts';
import { NONE } from './queue.ts';
import { isFull } from './reports.ts';
import { RELEASED, WAITS } from './shares.ts';
import { findPod, findService, podEntry, queues, serviceEntry, servicesEnd, shares } from './state.ts';
import { giveUpStream, isStreamOpen, send } from './stream.ts';
import { beginMessage, close, open, writeBytes, writeNumber } from './wire.ts';

const PROCESS = text('sluice.process');

/** The same number in all VMs of an Envoy, and in those of no other start of it. */
let process: u64 = 0;

export function processNumber(): u64 {
  return process;
}

/** The first VM of an Envoy gives it its number. */
export function numberProcess(): void {
  process = readProcess();
  if (process !== 0) return;
  share(wallClock());
  // Where another VM is faster its number holds.
  process = readProcess();
}

function readProcess(): u64 {
  begin();
  put(PROCESS);
  return shared();
}

/** Several Envoys share the slots from now on, and this is the term of their coordinator. */
export function applyShare(term: f64, window: i32, now: f64): void {
  if (!queues.coordinated) {
    // What the records of this Envoy's workers say stays as it is.
    queues.shared = false;
    queues.coordinated = true;
    for (let s: i32 = 0; s < servicesEnd(); s++) if (serviceEntry(s) !== 0) shares.begin(s);
  }
  shares.window = window > 0 ? window : 1;
  if (shares.welcome(shares.stream, term, servicesEnd())) tellHolding(now);
  else giveUpStream(now);
}

/** What a grant or a recall is about is found by its names; a slot that has no pod here goes back at once. */
export function applyGrant(service: usize, serviceSize: i32, pod: usize, podSize: i32, name: f64, now: f64): void {
  const s = findService(service, serviceSize);
  const p = s === NONE ? NONE : findPod(s, pod, podSize);
  if (p !== NONE) {
    shares.grant(shares.stream, p, name);
    return;
  }
  beginMessage();
  const message = open(11);
  const change = open(1);
  writeBytes(1, service, serviceSize);
  writeNumber(2, RELEASED as f64);
  writeBytes(5, pod, podSize);
  close(change);
  close(message);
  send(now);
}

export function applyRecall(service: usize, serviceSize: i32, pod: usize, podSize: i32, slots: i32): void {
  const s = findService(service, serviceSize);
  const p = s === NONE ? NONE : findPod(s, pod, podSize);
  if (p !== NONE) shares.recall(shares.stream, p, slots);
}

/** Says what it holds and who waits, some services at a time. */
function tellHolding(now: f64): void {
  beginMessage();
  let message = open(10);
  for (let s: i32 = 0; s < servicesEnd(); s++) {
    if (serviceEntry(s) === 0) continue;
    writeHolding(s, now);
    if (!isFull()) continue;
    close(message);
    send(now);
    beginMessage();
    message = open(10);
  }
  writeNumber(2, 1);
  close(message);
  send(now);
}

function writeHolding(s: i32, now: f64): void {
  const holding = open(1);
  writeBytes(1, nameAt(serviceEntry(s)), nameSize(serviceEntry(s)));
  let p = queues.anyPod(s);
  for (let left = queues.podCount(s); left > 0; left--) {
    if (queues.held(p) > 0) {
      const pod = open(2);
      writeBytes(1, nameAt(podEntry(p)), nameSize(podEntry(p)));
      writeNumber(2, queues.held(p) as f64);
      close(pod);
    }
    p = queues.podAfter(p);
  }
  for (let r = queues.firstWaiting(s); r !== NONE && !queues.hasOwnSlots(s); r = queues.after(r))
    writeWaiter(r, NONE, now);
  for (let r = queues.firstClaim(); r !== NONE; r = queues.nextClaim(r)) {
    if (queues.serviceOf(r) === s) writeWaiter(r, queues.claimOf(r), now);
  }
  close(holding);
}

function writeWaiter(r: i32, p: i32, now: f64): void {
  const waiter = open(3);
  writeNumber(1, queues.nameOf(r));
  writeNumber(2, microseconds(now - queues.came(r)));
  if (p !== NONE) writeBytes(3, nameAt(podEntry(p)), nameSize(podEntry(p)));
  close(waiter);
}

function microseconds(ms: f64): f64 {
  return ms > 0 ? Math.floor(ms * 1000) : 0;
}

/** Gives back what others need more, and tells who waits. All that may start have been started. */
export function shareOut(now: f64): void {
  for (let s = queues.takeUnshared(); s !== NONE; s = queues.takeUnshared()) shares.step(s);
  shares.tell(now);
  tellChanges(now);
}

function tellChanges(now: f64): void {
  if (shares.messageCount === 0) return;
  if (isStreamOpen()) {
    beginMessage();
    let message = open(11);
    for (let i: i32 = 0; i < shares.messageCount; i++) {
      writeChange(i);
      if (!isFull()) continue;
      close(message);
      send(now);
      beginMessage();
      message = open(11);
    }
    close(message);
    send(now);
  }
  shares.clear();
}

function writeChange(i: i32): void {
  const kind = shares.messageKind(i);
  const change = open(1);
  const service = serviceEntry(shares.messageService(i));
  writeBytes(1, nameAt(service), nameSize(service));
  writeNumber(2, kind as f64);
  if (kind !== RELEASED) writeNumber(3, shares.messageName(i));
  if (kind === WAITS) writeNumber(4, microseconds(shares.messageAge(i)));
  const p = shares.messagePod(i);
  if (p !== NONE) writeBytes(5, nameAt(podEntry(p)), nameSize(podEntry(p)));
  close(change);
}

/** This VM is about to lose its stream for good: whatever is idle goes back. */
export function handBack(now: f64): void {
  if (!queues.coordinated || !shares.connected) return;
  for (let s: i32 = 0; s < servicesEnd(); s++) if (serviceEntry(s) !== 0) shares.releaseIdle(s);
  tellChanges(now);
}
