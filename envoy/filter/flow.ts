// From the queues to Envoy: requests that go on, requests that are answered, and the tick.
import { Ints } from './columns.ts';
import { shareOut } from './coordination.ts';
import { noteArrival, noteEnd, noteStart } from './facts.ts';
import {
  answer,
  answerText,
  begin,
  beginHeaders,
  enter,
  found,
  getProperty,
  header,
  lineAt,
  lineSize,
  put,
  putBytes,
  putNumber,
  REQUEST_HEADERS,
  release,
  resume,
  setHeader,
  setProperty,
  setTick,
  text,
} from './host.ts';
import { giveToken, jobStatus } from './jobs.ts';
import { nameAt, nameSize } from './names.ts';
import { ANSWERED, DEADLINES, NONE, POD_FORGOTTEN, SERVICE_FORGOTTEN, WORKING } from './queue.ts';
import { BATCH, beginBatch, NO_PLACE, refuse, refuseKept, SERVICE_REMOVED } from './refusals.ts';
import { leaveShared, shareAll } from './sharing.ts';
import {
  contexts,
  forgetPodName,
  forgetServiceName,
  fullStatus,
  podEntry,
  queues,
  serviceEntry,
  servicesEnd,
  tellsPlace,
  tries,
} from './state.ts';
import { forgetStatistics } from './statistics.ts';
import { epochTag, tellPod } from './stream.ts';
import { askNothing, mostCost, putTenant } from './traits.ts';

/** The pod that Envoy is to choose. */
export const POD = text('x-sluice-pod');
/** Whose try it is: a header of the first one, a property for those that follow. */
export const REQUEST = text('x-sluice-request');
export const REQUEST_OF_TRY = text('sluice_request');
const RETRY_AFTER = text('retry-after');
const SLUICE_QUEUE = text('sluice-queue');
const WAITING_COUNT = text('waiting=');

const UPSTREAM_LOCAL_ADDRESS = text('upstream\0local_address');

const QUEUE_FULL = text('sluice_queue_full');
const QUEUE_TIMEOUT = text('sluice_queue_timeout');
const NO_STATE = text('sluice_no_state');
const TENANT_FULL = text('sluice_tenant_full');
const TOO_COSTLY = text('sluice_too_costly');
const DEADLINE = text('sluice_deadline');
const UNASKED = text('sluice_unasked_upgrade');
const TOO_MANY = text('sluice_too_many_requests');
const REMOVED = text('sluice_service_removed');
const RENEWED = text('sluice_filter_renewed');
const CANCELLED = text('sluice_cancelled');
const POD_REMOVED = text('sluice_pod_removed');

const SAY_FULL = text('The queue of this service is full. Try again in ');
const SAY_SECONDS = text(' s.\n');
const SAY_TIMEOUT = text('No pod became free in the time that a request may wait.\n');
const SAY_COST = text('This request takes ');
const SAY_SLOTS = text(' slots of one pod, and no pod has more than ');
const SAY_MOST = text('. No pod has seen it.');
const SAY_LATE = text('The deadline of this request was over before a pod was free for it.');
const SAY_UNASKED = text('The pod switched to another protocol, which nobody had asked for.');
const SAY_TENANT = text('Too many requests of tenant ');
const SAY_WAIT = text(' wait: ');
const SAY_PER_TENANT = text(' (queue.fair.max_per_tenant). Try again later.');
const SAY_NO_STATE = text('Envoy does not know the pods of this service: Sluice has not sent them.\n');
const SAY_TOO_MANY = text('Envoy has more requests than it has memory for.\n');
const SAY_REMOVED = text('This service was removed while the request waited.\n');
const SAY_RENEWED = text('The queue in Envoy was replaced by a newer one while the request waited. Try again.\n');
const SAY_POD_REMOVED = text(
  'The first pod could not be reached, and the next one is not for this service. Try again.\n',
);
const SAY_CANCELLED = text('The request was cancelled while it waited.\n');

// Statuses of gRPC.
const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;

/** How a request will have ended, once its answer is over. */
const outcomes: Ints = new Ints();
/** Whether Envoy answered it itself: the next one goes with the tick, see BATCH. */
const fast: Ints = new Ints();
/** The status that the pod has answered the present try with. 0: it has not. */
const statuses: Ints = new Ints();
/** Whether it asks its pod for another protocol. */
const upgrades: Ints = new Ints();
/** Whether its last try is over, and the router makes another one. */
const between: Ints = new Ints();
let betweenCount: i32 = 0;
let room: i32 = 0;

/** Another try begins. */
export function beginTry(context: u32, r: i32, asksForUpgrade: bool): void {
  setBetween(r, false);
  upgrades.set(r, asksForUpgrade ? 1 : 0);
  if (tries.has(r)) tries.remove(r);
  tries.add(context, r);
  setStatus(r, 0);
}

/** Whether the router is about to try it again. */
export function setBetween(r: i32, is: bool): void {
  const now: i32 = is ? 1 : 0;
  betweenCount += now - between.get(r);
  between.set(r, now);
}

export function setStatus(r: i32, status: i32): void {
  statuses.set(r, status);
}

/** Whether it has asked its pod for another protocol. */
export function isUpgrade(r: i32): bool {
  return upgrades.get(r) !== 0;
}

export function statusOf(r: i32): i32 {
  return statuses.get(r);
}

export function setOutcome(r: i32, outcome: i32, failedFast: bool): void {
  outcomes.set(r, outcome);
  fast.set(r, failedFast ? 1 : 0);
}

/** A request has a place now. */
export function admit(context: u32, r: i32, now: f64): void {
  if (r >= room) {
    room = r < 128 ? 256 : r * 2;
    outcomes.grow(room);
    fast.grow(room);
    statuses.grow(room);
    upgrades.grow(room);
    between.grow(room);
  }
  setStatus(r, 0);
  setOutcome(r, ANSWERED, false);
  noteArrival(r, now);
  contexts.add(context, r);
}

/**
 * Its answer is over: the slot goes to the next one before the answer does. Its connection is free a moment later: where requests
 * are about to be tried again, one of them might get it before the next one, which has the slot, and neither would go on. Then the slot
 * is free a moment later as well.
 */
export function endAnswer(r: i32, now: f64): void {
  noteEnd(r, now);
  setBetween(r, false);
  if (betweenCount > 0) queues.endLater(r, outcomes.get(r), now + 1, now);
  else queues.end(r, outcomes.get(r), now);
  advanceAfter(r, now);
}

/** As `advance`, but with the tick where this request failed so fast that the next one would fail within this call. */
export function advanceAfter(r: i32, now: f64): void {
  if (fast.get(r) === 0) advance(now);
  else postpone(now);
}

/** Leaves it to the tick, which comes at once, who may go on. The last thing that a callback does. */
export function postpone(now: f64): void {
  if (tickRoot === 0) {
    advance(now);
    return;
  }
  wake(now + 1, now);
  settle(now);
}

// ---- Going on ----

/** Lets tries go on that have got their slots. Whether there were any: then slots that they had before are free. */
function goOnAgain(now: f64): bool {
  let some = false;
  lookForConnections(now);
  for (let r = queues.takeClaim(); r !== NONE; r = queues.takeClaim()) {
    enter(tries.of(r));
    resume();
    some = true;
  }
  return some;
}

/** Nobody says when a try gets its connection: it is looked for while a slot waits for that. */
function lookForConnections(now: f64): void {
  for (let r = queues.firstClaim(); r !== NONE; r = queues.nextClaim(r)) {
    if (queues.isConnected(r) || !queues.keepsForClaims(queues.claimOf(r))) continue;
    enter(tries.of(r));
    if (isConnected()) queues.setConnected(r);
    else wake(now + 1, now);
  }
}

/** Whether the try of this context has a connection. */
export function isConnected(): bool {
  if (!getProperty(UPSTREAM_LOCAL_ADDRESS)) return false;
  release(found);
  return true;
}

let arriving: i32 = NONE;

/** `advance` in the callback in which a request has arrived. Whether that one goes on at once. */
export function advanceArriving(r: i32, now: f64): bool {
  arriving = r;
  advance(now);
  arriving = NONE;
  return queues.isWorking(r);
}

/**
 * Whether the plugin of the tries is in this VM, or one has gone on without. After a trap Envoy starts that plugin for the first one, and
 * refuses those that go on while it does: so the first one goes alone.
 */
let hasTries: bool = false;

/** The plugin of the tries is in this VM. */
export function addTries(): void {
  hasTries = true;
}

/** Lets go on who may, and tells what happened. The last thing that a callback does. */
export function advance(now: f64): void {
  if (tickRoot === 0) {
    // All configurations of this VM were replaced: nothing ticks any more, so nothing is kept for later.
    queues.tick(Infinity);
    expire(now);
    beginBatch();
    refuseKept();
  }
  let left = hasTries ? BATCH : 1;
  while (true) {
    const before = left;
    do {
      if (queues.shared) shareAll(now);
    } while (goOnAgain(now));
    while (left > 0) {
      const s = queues.nextReady();
      if (s === NONE) break;
      const r = queues.start(s, now);
      if (r === NONE) continue;
      left--;
      hasTries = true;
      enter(contexts.of(r));
      // The limits were lowered while it waited.
      if (queues.state(r) !== WORKING) {
        answerTooCostly(queues.order.costOf(r), s);
        continue;
      }
      direct(r);
      // The one that is arriving goes on when its callback returns.
      if (r !== arriving) resume();
    }
    // What was left for one that can not start now, or not with what is left of it, is shared anew.
    if (!queues.takeGivenBack()) break;
    if (left > 0 && left < before) continue;
    wake(now + 1, now);
    break;
  }
  if (queues.coordinated) shareOut(now);
  // The batch was full, or slots have just passed from one service to another.
  if (queues.nextReady() !== NONE) wake(now + 1, now);
  if (tickRoot === 0) {
    refuseStranded();
    leaveShared();
  }
  settle(now);
}

/** Tells Envoy where the request of this context goes. */
export function direct(r: i32): void {
  noteStart(r);
  const pod = podEntry(queues.podOf(r));
  setHeader(REQUEST_HEADERS, POD, nameAt(pod), nameSize(pod));
  putRequest(r);
  setHeader(REQUEST_HEADERS, REQUEST, lineAt(), lineSize());
  if (jobStatus(queues.serviceOf(r)) !== 0) giveToken(r);
}

/** Whether there is any use in asking for the property. */
export let isAnyRemembered: bool = false;

/** A try has failed: another one is to know whose it is. Its headers are out of reach, so it is a property of the stream. */
export function remember(r: i32): void {
  isAnyRemembered = true;
  putRequest(r);
  setProperty(REQUEST_OF_TRY, lineAt(), lineSize());
}

function putRequest(r: i32): void {
  begin();
  putNumber(r as u64);
  putBytes(epochTag.at, epochTag.size);
}

function settle(now: f64): void {
  drainEvents(now);
  if (queues.soonest < armedFor) wake(queues.soonest, now);
}

/** Tells what happened to pods, and forgets the names of what is forgotten. */
export function drainEvents(now: f64): void {
  if (queues.eventCount === 0) return;
  for (let i = 0; i < queues.eventCount; i++) {
    const subject = queues.eventSubject(i);
    const kind = queues.eventKind(i);
    if (kind === SERVICE_FORGOTTEN) {
      forgetStatistics(subject);
      askNothing(subject);
      forgetServiceName(subject);
      continue;
    }
    tellPod(subject, kind, queues.eventReason(i), queues.eventTime(i), now);
    if (kind === POD_FORGOTTEN) forgetPodName(subject);
  }
  queues.clearEvents();
}

// ---- Answering ----

/** Begins the headers with when to come again: in how many seconds. */
function addRetryAfter(s: i32): i32 {
  const seconds = queues.retryAfter(s);
  beginHeaders();
  begin();
  putNumber(seconds as u64);
  header(RETRY_AFTER, lineAt(), lineSize());
  return seconds;
}

export function answerFull(s: i32): void {
  const seconds = addRetryAfter(s);
  if (tellsPlace(s)) {
    begin();
    put(WAITING_COUNT);
    putNumber(queues.waitingInAll(s) as u64);
    header(SLUICE_QUEUE, lineAt(), lineSize());
  }
  begin();
  put(SAY_FULL);
  putNumber(seconds as u64);
  put(SAY_SECONDS);
  answer(fullStatus(s), QUEUE_FULL, RESOURCE_EXHAUSTED);
}

/** Too many of its tenant wait: says which, and how many may. */
export function answerTenantFull(s: i32, tenant: i32): void {
  addRetryAfter(s);
  begin();
  put(SAY_TENANT);
  putTenant(tenant);
  put(SAY_WAIT);
  putNumber(queues.order.waitingOf(tenant) as u64);
  put(SAY_PER_TENANT);
  answer(fullStatus(s), TENANT_FULL, RESOURCE_EXHAUSTED);
}

/** It takes more slots than any pod has. */
export function answerTooCostly(cost: i32, s: i32): void {
  beginHeaders();
  begin();
  put(SAY_COST);
  putNumber(cost as u64);
  put(SAY_SLOTS);
  putNumber(mostCost(s) as u64);
  put(SAY_MOST);
  answer(400, TOO_COSTLY, INVALID_ARGUMENT);
}

/** Its deadline is over, or cannot be met any more. */
export function answerLate(): void {
  answerText(504, DEADLINE, SAY_LATE, DEADLINE_EXCEEDED);
}

/** Its pod switches protocols, though nobody has asked for that. */
export function answerUnasked(): void {
  answerText(502, UNASKED, SAY_UNASKED, UNAVAILABLE);
}

export function answerUnserved(): void {
  answerText(503, TOO_MANY, SAY_TOO_MANY, UNAVAILABLE);
}

/** Answers the tries that Envoy has sent to pods of which their service has had no slot for too long; at most `BATCH`. */
function refuseClaims(now: f64): void {
  for (let left = BATCH; left > 0; left--) {
    const r = queues.expireClaim(now);
    if (r === NONE) return;
    enter(tries.of(r));
    answerText(503, POD_REMOVED, SAY_POD_REMOVED, UNAVAILABLE);
  }
}

/** Answers those that wait for a service that is removed. */
export function refuseWaiting(s: i32): void {
  for (let r = queues.firstWaiting(s); r !== NONE; r = queues.firstWaiting(s)) {
    queues.takeOut(r);
    refuse(contexts.of(r), SERVICE_REMOVED, s);
  }
}

export function answerRemoved(): void {
  answerText(503, REMOVED, SAY_REMOVED, UNAVAILABLE);
}

/** Answers those that came before the service was known and would not have got a place in its queue. */
export function refuseSurplus(s: i32): void {
  for (let r = queues.takeSurplus(s); r !== NONE; r = queues.takeSurplus(s)) {
    refuse(contexts.of(r), NO_PLACE, s);
  }
}

/** This VM has been replaced, and nobody can wake it: answers those that wait where nothing runs that could leave them a slot. */
export function refuseStranded(): void {
  // Each answer calls the VM again.
  if (isRefusing) return;
  isRefusing = true;
  for (let r = queues.firstClaim(); r !== NONE; r = queues.firstClaim()) {
    queues.unclaim(r);
    enter(tries.of(r));
    answerText(503, RENEWED, SAY_RENEWED, UNAVAILABLE);
  }
  for (let s: i32 = 0; s < servicesEnd(); s++) {
    if (serviceEntry(s) === 0 || queues.inUse(s) > 0) continue;
    for (let r = queues.firstWaiting(s); r !== NONE; r = queues.firstWaiting(s)) {
      queues.takeOut(r);
      enter(contexts.of(r));
      answerText(503, RENEWED, SAY_RENEWED, UNAVAILABLE);
    }
  }
  isRefusing = false;
}
let isRefusing: bool = false;

/** Answers a waiting request, because an operator wants it. */
export function cancelWaiting(r: i32): void {
  if (!queues.isWaiting(r)) return;
  queues.takeOut(r);
  enter(contexts.of(r));
  answerText(503, CANCELLED, SAY_CANCELLED, UNAVAILABLE);
}

/** Answers those that have waited too long; at most `BATCH`, because each may call the VM again. */
export function expire(now: f64): void {
  refuseClaims(now);
  for (let left = BATCH; left > 0; left--) {
    const r = queues.expire(now);
    if (r === NONE) return;
    enter(contexts.of(r));
    if (queues.expiredBy === DEADLINES) {
      answerLate();
      continue;
    }
    const known = queues.isKnown(queues.serviceOf(r));
    answerText(503, known ? QUEUE_TIMEOUT : NO_STATE, known ? SAY_TIMEOUT : SAY_NO_STATE, UNAVAILABLE);
  }
}

// ---- The tick ----

export let tickRoot: u32 = 0;
let period: f64 = 0;
let armedFor: f64 = Infinity;

/** The root whose tick drives everything. */
export function setTickRoot(root: u32, now: f64): void {
  if (root === tickRoot) return;
  if (tickRoot !== 0) {
    enter(tickRoot);
    setTick(0);
  }
  tickRoot = root;
  period = 0;
  armedFor = Infinity;
  wake(now + 1, now);
}

export function isTickRoot(root: u32): bool {
  return root === tickRoot;
}

/** The tick comes at this time, or before. */
export function wake(at: f64, now: f64): void {
  if (at < armedFor) arm(at, now);
}

/** The next tick comes at this time. */
export function arm(at: f64, now: f64): void {
  if (tickRoot === 0) return;
  let ms = Math.ceil(at - now);
  if (!(ms >= 1)) ms = 1;
  if (ms > 1000) ms = 1000;
  armedFor = now + ms;
  period = ms;
  enter(tickRoot);
  setTick(ms as u32);
}

/** The tick has come: the next one would come after the same time. */
export function ticked(now: f64): void {
  armedFor = now + period;
}
