// What Sluice says: `ControlMessage` of queue.proto, read from wire.ts and applied to the queues.
//
// A message is read twice: first whether it can be read, then it is applied. So one that cannot be read changes nothing.
import { setBodyLimit } from './bodies.ts';
import { applyGrant, applyRecall, applyShare } from './coordination.ts';
import { cancelWaiting, drainEvents, refuseSurplus, refuseWaiting } from './flow.ts';
import { begin, put, Text, text } from './host.ts';
import { setIdempotency } from './idempotency.ts';
import { loseJob, setJobs } from './jobs.ts';
import { listWaiting } from './list.ts';
import { NONE } from './queue.ts';
import {
  contexts,
  findPod,
  findService,
  queues,
  removeUnmarked,
  serviceOf,
  servicesEnd,
  setFullStatus,
  setPod,
  setTellsPlace,
  shares,
} from './state.ts';
import { acknowledge, applied, reject, renew, tellEnded, welcome } from './stream.ts';
import { takeBack, takeOver } from './takeovers.ts';
import { applyCost, applyDeadline, applyFair, applyPriority, askNothing } from './traits.ts';
import {
  broken,
  bytesAt,
  bytesSize,
  enterMessage,
  leaveMessage,
  nextField,
  position,
  readBool,
  readBytes,
  readFrom,
  readInt,
  readNumber,
  rewind,
  skip,
} from './wire.ts';

const UNREADABLE = text('the message cannot be read');
const NAMELESS = text('a service or pod without a name');
const TOO_MANY = text('too many services or pods');

// Fields of ControlMessage.
const WELCOME: u32 = 2;
const SERVICE: u32 = 3;
const REMOVE_SERVICE: u32 = 4;
const PODS_DELTA: u32 = 5;
const HEARTBEAT: u32 = 7;
const LIST_WAITING: u32 = 8;
const CANCEL_REQUEST: u32 = 9;
const SHARE: u32 = 10;
const SLOTS: u32 = 11;
const GIVEN_UP: u32 = 12;
const ASK_ENDED: u32 = 13;
const END_JOB: u32 = 20;
// Fields of Settings that are messages.
const EJECTION: u32 = 5;
const PRIORITY: u32 = 10;
const FAIR: u32 = 11;
const DEADLINE: u32 = 12;
const COST: u32 = 13;
/** Of Priority, and of Fair. */
const CLASS: u32 = 2;
const WEIGHT: u32 = 6;

// Kinds of a SlotChange.
const GRANT: i32 = 0;
const RECALL: i32 = 1;
const ELSEWHERE: i32 = 2;
const NOBODY_ELSEWHERE: i32 = 3;
const ACKNOWLEDGED: i32 = 4;
const ALONE: i32 = 5;
const NOT_ALONE: i32 = 6;

/** Counts the messages with pods, so that those of the newest can be told from the others. */
let mark: i32 = 0;

export function applyMessage(at: usize, size: i32, now: f64): void {
  let sequence: f64 = 0;
  let kind: u32 = 0;
  let bodyAt: usize = 0;
  let bodySize: i32 = 0;
  readFrom(at, size);
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      sequence = readNumber();
    } else if (field <= ASK_ENDED || field === END_JOB) {
      readBytes();
      kind = field;
      bodyAt = bytesAt;
      bodySize = bytesSize;
    } else skip();
  }
  if (broken || !isReadable(kind, bodyAt, bodySize)) {
    refuse(UNREADABLE, sequence, now);
    return;
  }
  readFrom(bodyAt, bodySize);
  const problem = apply(kind, now);
  if (problem !== null) refuse(problem, sequence, now);
  drainEvents(now);
  applied(sequence);
  // A heartbeat needs none.
  if (kind !== HEARTBEAT) acknowledge(kind === SLOTS, now);
}

/** Whether the messages within a message end where they say. */
function isReadable(kind: u32, at: usize, size: i32): bool {
  readFrom(at, size);
  for (let field = nextField(); field !== 0; field = nextField()) {
    const pod = (kind === SERVICE && field === 3) || (kind === PODS_DELTA && field === 2);
    const settings = kind === SERVICE && field === 2;
    const slots = kind === SLOTS && field === 1;
    if (!pod && !settings && !slots) {
      skip();
      continue;
    }
    const outer = enterMessage();
    for (let inner = nextField(); inner !== 0; inner = nextField()) {
      if (settings && (inner === EJECTION || inner === PRIORITY || inner === FAIR || inner === COST))
        skipMessage(withinOf(inner));
      else skip();
    }
    leaveMessage(outer);
  }
  return !broken;
}

/** The field of a message of Settings that is a message again. */
function withinOf(field: u32): u32 {
  return field === PRIORITY ? CLASS : field === FAIR ? WEIGHT : 0;
}

/** Goes over a message, with the messages in it that are its field `within`. */
function skipMessage(within: u32): void {
  const outer = enterMessage();
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field !== within) {
      skip();
      continue;
    }
    const middle = enterMessage();
    for (let inner = nextField(); inner !== 0; inner = nextField()) skip();
    leaveMessage(middle);
  }
  leaveMessage(outer);
}

function refuse(why: Text, sequence: f64, now: f64): void {
  begin();
  put(why);
  reject(sequence, now);
}

function apply(kind: u32, now: f64): Text | null {
  if (kind === WELCOME) applyWelcome();
  else if (kind === SERVICE) return applyService();
  else if (kind === REMOVE_SERVICE) removeService();
  else if (kind === PODS_DELTA) return applyDelta();
  else if (kind === LIST_WAITING) list(now);
  else if (kind === CANCEL_REQUEST) cancel();
  else if (kind === END_JOB) endJob(now);
  else if (kind === SHARE) applyTerm(now);
  else if (kind === SLOTS) applySlots(now);
  else if (kind === GIVEN_UP) {
    shares.declaredDead(shares.stream, servicesEnd());
    renew(now);
  } else if (kind === ASK_ENDED && readName()) tellEnded(foundAt, foundSize, now);
  return null;
}

function applyWelcome(): void {
  let heartbeat: f64 = 0;
  let report: f64 = 0;
  let dead: f64 = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) heartbeat = readNumber();
    else if (field === 2) report = readNumber();
    else if (field === 3) dead = readNumber();
    else skip();
  }
  welcome(heartbeat, report, dead);
}

/** Finds the name of a message, wherever it stands, and goes back to its beginning. */
function readName(): bool {
  const start = position();
  let nameAt: usize = 0;
  let nameSize: i32 = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      readBytes();
      nameAt = bytesAt;
      nameSize = bytesSize;
    } else skip();
  }
  rewind(start);
  foundAt = nameAt;
  foundSize = nameSize;
  return nameSize > 0;
}
let foundAt: usize = 0;
let foundSize: i32 = 0;

function applyService(): Text | null {
  if (!readName()) return NAMELESS;
  const s = serviceOf(foundAt, foundSize);
  if (s === NONE) return TOO_MANY;
  mark++;
  const wasKnown = queues.isKnown(s);
  const start = position();
  let complete = true;
  let configured = false;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 2) {
      const outer = enterMessage();
      applySettings(s);
      leaveMessage(outer);
      configured = true;
    } else if (field === 3) {
      const outer = enterMessage();
      if (!applyPod(s)) complete = false;
      leaveMessage(outer);
    } else skip();
  }
  // Without settings all of them are 0.
  if (!configured) applySettings(s);
  if (broken) return UNREADABLE;
  removeUnmarked(s, mark);
  takeBack(s);
  rewind(start);
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 4) {
      readBytes();
      const other = serviceOf(bytesAt, bytesSize);
      if (other === NONE) complete = false;
      else takeOver(other, s);
    } else skip();
  }
  if (!wasKnown) refuseSurplus(s);
  return complete ? null : TOO_MANY;
}

function applySettings(s: i32): void {
  let queueMax: i32 = 0;
  let queueTimeout: f64 = 0;
  let fullStatus: i32 = 0;
  let abortHold: f64 = 0;
  let tellPlace: bool = false;
  let bodyLimit: i32 = 0;
  let jobStatus: i32 = 0;
  let jobTimeout: f64 = 0;
  let jobHeaderAt: usize = 0;
  let jobHeaderSize: i32 = 0;
  let keyHeaderAt: usize = 0;
  let keyHeaderSize: i32 = 0;
  let keyMode: i32 = 0;
  let slack: f64 = 0;
  let own: bool = false;
  queues.configureEjection(s, 0, 0, 0, 0);
  askNothing(s);
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) queueMax = readInt();
    else if (field === 2) queueTimeout = readNumber();
    else if (field === 3) fullStatus = readInt();
    else if (field === 4) abortHold = readNumber();
    else if (field === EJECTION) within(s, applyEjection);
    else if (field === 20) tellPlace = readBool();
    else if (field === 21) bodyLimit = readInt();
    else if (field === 22) jobStatus = readInt();
    else if (field === 23) jobTimeout = readNumber();
    else if (field === 24) {
      readBytes();
      jobHeaderAt = bytesAt;
      jobHeaderSize = bytesSize;
    } else if (field === 25) {
      readBytes();
      keyHeaderAt = bytesAt;
      keyHeaderSize = bytesSize;
    } else if (field === 26) keyMode = readInt();
    else if (field === PRIORITY) within(s, applyPriority);
    else if (field === FAIR) within(s, applyFair);
    else if (field === DEADLINE) applyDeadline(s, readInt());
    else if (field === COST) within(s, applyCost);
    else if (field === 6) slack = readNumber();
    else if (field === 7) own = readBool();
    else skip();
  }
  setTellsPlace(s, tellPlace);
  setBodyLimit(s, bodyLimit);
  setJobs(s, jobStatus, jobTimeout, jobHeaderAt, jobHeaderSize);
  setIdempotency(s, keyMode, keyHeaderAt, keyHeaderSize);
  queues.configure(s, queueMax, queueTimeout, abortHold);
  shares.setSlack(s, slack);
  queues.setOwnSlots(s, own);
  setFullStatus(s, fullStatus);
}

/** Applies a message within a message to a service. */
function within(s: i32, apply: (s: i32) => void): void {
  const outer = enterMessage();
  apply(s);
  leaveMessage(outer);
}

function applyEjection(s: i32): void {
  let consecutive5xx: i32 = 0;
  let gateway: i32 = 0;
  let base: f64 = 0;
  let max: f64 = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) consecutive5xx = readInt();
    else if (field === 2) gateway = readInt();
    else if (field === 3) base = readNumber();
    else if (field === 4) max = readNumber();
    else skip();
  }
  queues.configureEjection(s, consecutive5xx, gateway, base, max < base ? base : max);
}

function applyPod(s: i32): bool {
  let limit: i32 = 0;
  let unhealthy: bool = false;
  let at: usize = 0;
  let size: i32 = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      readBytes();
      at = bytesAt;
      size = bytesSize;
    } else if (field === 2) limit = readInt();
    else if (field === 3) unhealthy = readBool();
    else skip();
  }
  return size > 0 && setPod(s, at, size, limit, unhealthy, mark) !== NONE;
}

function removeService(): void {
  if (!readName()) return;
  const s = findService(foundAt, foundSize);
  if (s === NONE) return;
  refuseWaiting(s);
  setTellsPlace(s, false);
  askNothing(s);
  queues.removeService(s);
}

function applyDelta(): Text | null {
  if (!readName()) return NAMELESS;
  const s = serviceOf(foundAt, foundSize);
  if (s === NONE) return TOO_MANY;
  let complete = true;
  const start = position();
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 2) {
      const outer = enterMessage();
      if (!applyPod(s)) complete = false;
      leaveMessage(outer);
    } else skip();
  }
  rewind(start);
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 3) {
      readBytes();
      const p = findPod(s, bytesAt, bytesSize);
      if (p !== NONE) queues.removePod(p);
    } else skip();
  }
  return complete ? null : TOO_MANY;
}

// ---- Slots that several Envoys share ----

function applyTerm(now: f64): void {
  let term: f64 = 0;
  let window: i32 = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) term = readNumber();
    else if (field === 2) window = readInt();
    else skip();
  }
  applyShare(term, window, now);
}

function applySlots(now: f64): void {
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field !== 1) {
      skip();
      continue;
    }
    const outer = enterMessage();
    applySlotChange(now);
    leaveMessage(outer);
  }
}

function applySlotChange(now: f64): void {
  let service: usize = 0;
  let serviceSize: i32 = 0;
  let pod: usize = 0;
  let podSize: i32 = 0;
  let kind: i32 = GRANT;
  let request: f64 = 0;
  let slots: i32 = 0;
  let age: f64 = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      readBytes();
      service = bytesAt;
      serviceSize = bytesSize;
    } else if (field === 2) kind = readInt();
    else if (field === 3) {
      readBytes();
      pod = bytesAt;
      podSize = bytesSize;
    } else if (field === 4) request = readNumber();
    else if (field === 5) slots = readInt();
    else if (field === 6) age = readNumber() / 1000;
    else skip();
  }
  if (kind === GRANT) applyGrant(service, serviceSize, pod, podSize, request, now);
  else if (kind === RECALL) applyRecall(service, serviceSize, pod, podSize, slots);
  else if (kind === ALONE || kind === NOT_ALONE) shares.setAlone(shares.stream, kind === ALONE, servicesEnd());
  else {
    const s = findService(service, serviceSize);
    if (s === NONE) return;
    if (kind === ELSEWHERE) shares.oldestElsewhere(shares.stream, s, age, now);
    else if (kind === NOBODY_ELSEWHERE) shares.oldestElsewhere(shares.stream, s, Infinity, now);
    else if (kind === ACKNOWLEDGED) shares.acknowledged(shares.stream, s, slots);
  }
}

function list(now: f64): void {
  let query: f64 = 0;
  let most: i32 = 0;
  let s: i32 = NONE;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) query = readNumber();
    else if (field === 2) {
      readBytes();
      s = findService(bytesAt, bytesSize);
    } else if (field === 3) most = readInt();
    else skip();
  }
  listWaiting(query, s, most, now);
}

function cancel(): void {
  let context: u32 = 0;
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 2) context = readNumber() as u32;
    else skip();
  }
  const r = contexts.find(context);
  if (r !== NONE) cancelWaiting(r);
}

function endJob(now: f64): void {
  let s: i32 = NONE;
  let p: i32 = NONE;
  let idAt: usize = 0;
  let idSize: i32 = 0;
  // In the order of their numbers, as every writer has them.
  for (let field = nextField(); field !== 0; field = nextField()) {
    if (field === 1) {
      readBytes();
      s = findService(bytesAt, bytesSize);
    } else if (field === 2) {
      readBytes();
      p = s === NONE ? NONE : findPod(s, bytesAt, bytesSize);
    } else if (field === 3) {
      readBytes();
      idAt = bytesAt;
      idSize = bytesSize;
    } else skip();
  }
  if (p !== NONE) loseJob(s, p, idAt, idSize, now);
}
