// What Envoy calls: the callbacks of proxy-wasm 0.2.1.

import { arriveLate, isRouted, queueUp, service } from './arrivals.ts';
import { forgetAsk } from './asks.ts';
import { beginBody, COMING, forgetBody, HERE, isAnyWaited, takeBody, UPGRADE } from './bodies.ts';
import { Ints } from './columns.ts';
import { allowTrap, configure } from './config.ts';
import { numberProcess } from './coordination.ts';
import { isKept, tellFacts } from './facts.ts';
import {
  addTries,
  advance,
  advanceAfter,
  answerUnasked,
  arm,
  beginTry,
  endAnswer,
  expire,
  isAnyRemembered,
  isConnected,
  isTickRoot,
  isUpgrade,
  POD,
  postpone,
  REQUEST,
  REQUEST_OF_TRY,
  refuseStranded,
  remember,
  setBetween,
  setOutcome,
  setStatus,
  setTickRoot,
  statusOf,
  ticked,
  wake,
} from './flow.ts';
import {
  addHeader,
  allocate,
  answer,
  begin,
  beginHeaders,
  enter,
  found,
  foundSize,
  fresh,
  getHeader,
  getNumber,
  getProperty,
  getWholeNumber,
  hasHeader,
  isGrpc,
  lineAt,
  lineSize,
  now,
  put,
  putTenths,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  RESPONSE_TRAILERS,
  readHeaders,
  removeHeader,
  same,
  text,
} from './host.ts';
import {
  answerComplete,
  FOLLOWS,
  isAnyComplete,
  isAnyKeyed,
  isKeyed,
  lead,
  leaveKey,
  noteBody,
  noteEnd,
  noteHeaders,
} from './idempotency.ts';
import { beginJob, endOverdueJobs, forgetJob, jobStatus } from './jobs.ts';
import { nameAt, nameSize } from './names.ts';
import { addPlace, forgetPlace } from './places.ts';
import { ANSWERED, FAILED, NONE, TIMED_OUT, WAITING, WORKING } from './queue.ts';
import { beginBatch, forgetRefusal, isAnyRefused, refuseKept } from './refusals.ts';
import { expectBody, forgetRefused, isRefused, takeRefused, tickRefused } from './refused-bodies.ts';
import { ROLE_CONTROL, ROLE_QUEUE, ROLE_TRY } from './roles.ts';
import { createShared, join, retireShared, setSharingRoot, shareAll, tickSharing, woken } from './sharing.ts';
import { tickSpans } from './spans.ts';
import { contexts, podEntry, podMet, queues, tellsPlace, tries } from './state.ts';
import {
  called,
  epochTag,
  isSelf,
  onClose,
  onMessage,
  retire,
  rootDeleted,
  selfDetails,
  setCaller,
  setRoot,
  startEpoch,
  tickStream,
  VM_HEADER,
} from './stream.ts';
import { headersAsked } from './traits.ts';
import { answerWellKnown } from './well-known.ts';

const CONTINUE: i32 = 0;
/** Neither headers nor body go on: StopAllIterationAndWatermark. */
const PAUSE: i32 = 4;
/** The headers do not go on, and the body comes here: StopIteration. The plugin's configuration has to allow it. */
const AWAIT_BODY: i32 = 1;
/** The body that is here does not go on, and its client is slowed down beyond a bound: StopIterationAndWatermark. */
const KEEP_BODY: i32 = 2;
/** The body that is here goes nowhere: StopIterationNoBuffer. */
const DROP_BODY: i32 = 3;
/** The trailers do not go on: StopIteration. */
const KEEP_TRAILERS: i32 = 1;

const UPSTREAM_ADDRESS = text('upstream\0address');
const RESPONSE_FLAGS = text('response\0flags');
const ROOT_ID = text('plugin_root_id');
const STATUS = text(':status');
const GRPC_STATUS = text('grpc-status');
const SERVER_TIMING = text('server-timing');
const QUEUE_DUR = text('queue;dur=');
const TRAP = text('sluice-test-trap');
const CONTROL_ID = text('sluice.control');
const TRY_ID = text('sluice.try');

// Envoy's response flags.
/** Of a route, and of the try: by the latter the work on a request is limited. */
const LOCAL_TIMEOUT: i64 = 0x4 | 0x80000;
const REMOTE_RESET: i64 = 0x10;
const CONNECT_FAILURE: i64 = 0x20;
const CONNECTION_ENDED: i64 = 0x40;
const PROTOCOL_ERROR: i64 = 0x800000;
/** The pod ended the stream or the connection, or could not be understood. */
const POD_BROKE_OFF: i64 = REMOTE_RESET | CONNECT_FAILURE | CONNECTION_ENDED | PROTOCOL_ERROR;

// Roots and what they are for. A new configuration makes a new root, so there are a few.
const roots: Ints = new Ints();
const roles: Ints = new Ints();
let rootCount: i32 = 0;
// The newest stream context: its first callback follows.
let newest: u32 = 0;
let newestRole: i32 = 0;
let isStarted: bool = false;

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_memory_allocate(size: usize): usize {
  return allocate(size);
}

// ---- Roots ----

/** Called for each plugin, and a plugin may be the first of a listener that comes long after: it is still the same VM. */
export function proxy_on_vm_start(_root: u32, _size: i32): i32 {
  if (isStarted) return 1;
  isStarted = true;
  fresh();
  startEpoch();
  createShared();
  numberProcess();
  return 1;
}

export function proxy_on_configure(root: u32, size: i32): i32 {
  fresh();
  const role = configure(size);
  if (role === 0) return 0;
  setRole(root, role);
  const at = now();
  if (role === ROLE_CONTROL) setRoot(root);
  else if (role === ROLE_QUEUE) setCaller(root);
  else if (role === ROLE_TRY) addTries();
  if (role === ROLE_CONTROL || rootCount === 1) {
    setTickRoot(root, at);
    setSharingRoot(root);
  }
  return 1;
}

function setRole(root: u32, role: i32): void {
  let i = 0;
  while (i < rootCount && roots.get(i) !== (root as i32)) i++;
  if (i === rootCount) {
    rootCount++;
    roots.grow(rootCount + 8);
    roles.grow(rootCount + 8);
  }
  roots.set(i, root as i32);
  roles.set(i, role);
}

function roleOf(root: u32): i32 {
  for (let i = 0; i < rootCount; i++) if (roots.get(i) === (root as i32)) return roles.get(i);
  return 0;
}

export function proxy_on_context_create(context: u32, parent: u32): void {
  if (parent === 0) return;
  newest = context;
  newestRole = roleOf(parent);
}

/** The configuration of a root was replaced: it is deleted after this. */
function forgetRoot(root: u32): void {
  let i = 0;
  while (roots.get(i) !== (root as i32)) i++;
  rootCount--;
  roots.set(i, roots.get(rootCount));
  roles.set(i, roles.get(rootCount));
  rootDeleted(root);
  if (rootCount === 0) retire();
  if (!isTickRoot(root)) return;
  const at = now();
  const next = rootCount > 0 ? (roots.get(0) as u32) : 0;
  setTickRoot(next, at);
  setSharingRoot(next);
  if (next !== 0) return;
  retireShared(at);
  refuseStranded();
}

export function proxy_on_tick(root: u32): void {
  if (!isTickRoot(root)) return;
  fresh();
  const at = now();
  ticked(at);
  beginBatch();
  if (queues.grown || queues.order.grown) {
    queues.grown = false;
    queues.order.grown = false;
    __collect();
  }
  if (queues.soonest <= at) {
    queues.tick(at);
    endOverdueJobs(at);
    expire(at);
    queues.nextDeadline();
  }
  refuseKept();
  answerComplete();
  const stream = tickStream(at);
  const sharing = tickSharing(at);
  const spans = tickSpans(at);
  const bodies = tickRefused(at);
  const due = Math.min(Math.min(stream, bodies), Math.min(sharing, spans));
  // Armed for what is known before `advance`: that arms for less where it leaves something.
  arm(due < queues.soonest ? due : queues.soonest, at);
  advance(at);
  if (isAnyComplete() || isAnyRefused()) wake(at + 1, at);
}

// ---- Requests ----

export function proxy_on_request_headers(context: u32, _count: i32, end: i32): i32 {
  fresh();
  const role = context === newest && newestRole !== 0 ? newestRole : askRole();
  if (role === ROLE_QUEUE) return arrive(context, end === 0);
  if (role === ROLE_TRY) return onTry(context, end === 0);
  return role === ROLE_CONTROL ? onCall(context) : CONTINUE;
}

function askRole(): i32 {
  if (!getProperty(ROOT_ID)) return ROLE_QUEUE;
  if (same(found, foundSize, CONTROL_ID)) return ROLE_CONTROL;
  return same(found, foundSize, TRY_ID) ? ROLE_TRY : ROLE_QUEUE;
}

function arrive(context: u32, hasBody: bool): i32 {
  if (allowTrap && getHeader(REQUEST_HEADERS, TRAP)) unreachable();
  const at = now();
  if (!isRouted()) return answerWellKnown(context, at) ? PAUSE : CONTINUE;
  expectBody(hasBody ? context : 0);
  const status = enterQueue(context, hasBody, at);
  expectBody(0);
  // The body of one that is refused comes here, and goes nowhere.
  return status === PAUSE && isRefused(context) ? AWAIT_BODY : status;
}

function enterQueue(context: u32, hasBody: bool, at: f64): i32 {
  const s = service;
  const isBody = hasBody && isAnyWaited && s !== NONE;
  const isKey = s !== NONE && isKeyed(s);
  // Keys are under the number of the worker.
  if (isKey && join(at)) enter(context);
  readIfMany(s, (isBody ? BODY_ASKS : 0) + (isKey ? KEY_ASKS : 0));
  if (isKey && lead(context, s, at) === FOLLOWS) return PAUSE;
  if (isBody && beginBody(context, s, queues.requestsMax)) {
    queues.changed(s);
    return AWAIT_BODY;
  }
  return queueUp(context, s, at) ? CONTINUE : PAUSE;
}

/** Headers that are looked for where bodies are waited for, and where requests may have keys. */
const BODY_ASKS: i32 = 4;
const KEY_ASKS: i32 = 5;
/** Reading all headers costs about as much as looking for so many. */
const MANY: i32 = 4;

/** Reads the headers at once where many are looked for: those of the order of a service, and so many more. */
function readIfMany(s: i32, more: i32): void {
  if (s === NONE) return;
  if (more + headersAsked(s) + (tellsPlace(s) ? 1 : 0) >= MANY) readHeaders();
}

export function proxy_on_request_body(context: u32, size: i32, end: i32): i32 {
  if (takeRefused(context, size, end !== 0)) return DROP_BODY;
  if (!isAnyWaited) return CONTINUE;
  fresh();
  const taken = takeBody(context, size, end !== 0);
  if (taken === COMING) return KEEP_BODY;
  if (taken === HERE) return arriveWithBody(context) ? CONTINUE : KEEP_BODY;
  return isInQueue(context) ? KEEP_BODY : CONTINUE;
}

export function proxy_on_request_trailers(context: u32, _count: i32): i32 {
  if (takeRefused(context, 0, true)) return KEEP_TRAILERS;
  if (!isAnyWaited) return CONTINUE;
  fresh();
  if (takeBody(context, 0, true) === HERE) return arriveWithBody(context) ? CONTINUE : KEEP_TRAILERS;
  return isInQueue(context) ? KEEP_TRAILERS : CONTINUE;
}

/** As much as is waited for of the body of a request is here. Whether it goes on at once. */
function arriveWithBody(context: u32): bool {
  if (!isRouted()) return true;
  if (service !== NONE) queues.changed(service);
  readIfMany(service, 0);
  return queueUp(context, service, now());
}

function isInQueue(context: u32): bool {
  const r = contexts.find(context);
  return r !== NONE && queues.state(r) === WAITING;
}

/**
 * A try of a request begins. Of the first one the headers are those of the request itself: no pod is to see ours. It goes to the
 * chosen pod, but for the moment in which this worker's cluster does not have that yet: then Envoy takes another one, as it does
 * for further tries.
 */
function onTry(context: u32, hasBody: bool): i32 {
  const isFirst = getHeader(REQUEST_HEADERS, REQUEST);
  if (!isFirst && (!isAnyRemembered || !getProperty(REQUEST_OF_TRY))) return CONTINUE;
  const r = requestNamed(found, foundSize);
  if (isFirst) {
    removeHeader(REQUEST_HEADERS, REQUEST);
    removeHeader(REQUEST_HEADERS, POD);
  }
  if (r === NONE || !queues.isWorking(r)) return CONTINUE;
  // A request that asks for another protocol is followed by something.
  beginTry(context, r, hasBody && hasHeader(REQUEST_HEADERS, UPGRADE));
  if (!getProperty(UPSTREAM_ADDRESS) || isAt(r)) return CONTINUE;
  const at = now();
  // It waits for a slot there; of a pod that Envoy knows and Sluice has not told of, or not any more, as long as it may.
  queues.claim(r, podMet(queues.takerOf(queues.serviceOf(r)), found, foundSize));
  if (isConnected()) queues.setConnected(r);
  if (queues.shared) shareAll(at);
  const isThere = queues.takeClaimOf(r);
  postpone(at);
  enter(context);
  return isThere ? CONTINUE : PAUSE;
}

/** Whether the address that was found is that of the pod whose slot the request has. */
function isAt(r: i32): bool {
  const p = queues.podOf(r);
  if (p === NONE) return false;
  const entry = podEntry(p);
  return foundSize === nameSize(entry) && memory.compare(found, nameAt(entry), foundSize) === 0;
}

/** A try is over. Without a connection and without an answer: its pod could not be reached. */
function endTry(r: i32): void {
  tries.remove(r);
  if (queues.isClaiming(r)) {
    // It never began.
    queues.unclaim(r);
    setBetween(r, true);
    remember(r);
    postpone(now());
    return;
  }
  const answered = statusOf(r) !== 0;
  // What follows may be another try, or an answer of Envoy. After 200 it is the trailers.
  if (statusOf(r) !== 200) setStatus(r, 0);
  if (queues.state(r) !== WORKING) return;
  const isReached = answered || isConnected();
  if (statusOf(r) === 0) {
    setBetween(r, true);
    remember(r);
  }
  if (isReached) return;
  const at = now();
  queues.unreachable(queues.podOf(r), at);
  postpone(at);
}

/** The request of this VM that was named by `direct`. */
function requestNamed(start: usize, size: i32): i32 {
  let r: i32 = 0;
  let i: i32 = 0;
  while (i < size && load<u8>(start + i) !== 46 /* . */) {
    r = r * 10 + (load<u8>(start + i) as i32) - 48;
    i++;
  }
  return same(start + i, size - i, epochTag) ? r : NONE;
}

function onCall(context: u32): i32 {
  if (!getHeader(REQUEST_HEADERS, VM_HEADER) || !isSelf(found, foundSize)) return CONTINUE;
  called();
  join(now());
  enter(context);
  const details = selfDetails();
  beginHeaders();
  answer(200, details, -1);
  return PAUSE;
}

// ---- Answers ----

export function proxy_on_response_headers(context: u32, _count: i32, end: i32): i32 {
  const tried = tries.find(context);
  if (tried !== NONE) {
    fresh();
    const answeredAt = now();
    judge(tried, end !== 0, answeredAt);
    // A pod that was tried with one request gets the others now.
    if (statusOf(tried) < 500) advance(answeredAt);
    return CONTINUE;
  }
  const r = contexts.find(context);
  if (r !== NONE && queues.state(r) === WORKING) {
    fresh();
    // Envoy would wait for the end of what both sides are to say now. The slot is free when the pod has heard that it is over.
    if (statusOf(r) === 101 && !isUpgrade(r)) {
      enter(context);
      answerUnasked();
      return PAUSE;
    }
    onAnswer(r, end !== 0);
  }
  if (isAnyKeyed()) {
    fresh();
    noteHeaders(context, end !== 0);
    wakeIfComplete();
  }
  return CONTINUE;
}

/** The answer to a request begins. */
function onAnswer(r: i32, isEnd: bool): void {
  const at = now();
  if (statusOf(r) === 0) judgeLocal(r, isEnd, at);
  if (statusOf(r) !== 0) {
    addTiming(queues.began(r) - queues.came(r));
    if (tellsPlace(queues.serviceOf(r))) addPlace(r);
    if (statusOf(r) === jobStatus(queues.serviceOf(r))) beginJob(r, at);
  }
  if (isEnd) endAnswer(r, at);
}

/** The pod has answered. gRPC says with the trailers how it went. */
function judge(r: i32, isEnd: bool, at: f64): void {
  const status = getWholeNumber(RESPONSE_HEADERS, STATUS);
  setStatus(r, status);
  setOutcome(r, status >= 500 ? FAILED : ANSWERED, status >= 502 && status <= 504);
  if (status === 200 && isEnd) judgeGrpc(r, RESPONSE_HEADERS, at);
  else if (status !== 200 || !queues.isSuspect(r) || !isGrpc(RESPONSE_HEADERS)) queues.answered(r, status, at);
}

/** Envoy answers in place of the pod; or no plugin is among the router's filters, and it is the pod's answer. */
function judgeLocal(r: i32, isEnd: bool, at: f64): void {
  const flags = getNumber(RESPONSE_FLAGS);
  if (flags === 0) {
    judge(r, isEnd, at);
    return;
  }
  if ((flags & CONNECT_FAILURE) !== 0) queues.unreachable(queues.podOf(r), at);
  else if ((flags & CONNECTION_ENDED) !== 0) queues.answered(r, 503, at);
  setOutcome(r, (flags & LOCAL_TIMEOUT) !== 0 ? TIMED_OUT : FAILED, true);
}

/** Judges the pod by the status of gRPC, as the HTTP status that it stands for. */
function judgeGrpc(r: i32, map: i32, at: f64): void {
  let status: i32 = 200;
  const code = getWholeNumber(map, GRPC_STATUS);
  if (code === 14) status = 503;
  else if (code === 4) status = 504;
  else if (code === 2 || code === 13 || code === 15) status = 500;
  if (status >= 500) setOutcome(r, FAILED, false);
  queues.answered(r, status, at);
}

function addTiming(wait: f64): void {
  begin();
  put(QUEUE_DUR);
  putTenths(wait);
  addHeader(RESPONSE_HEADERS, SERVER_TIMING, lineAt(), lineSize());
}

export function proxy_on_response_body(context: u32, size: i32, end: i32): i32 {
  if (isAnyKeyed()) {
    fresh();
    noteBody(context, size, end !== 0);
    wakeIfComplete();
  }
  if (end === 0) return CONTINUE;
  const r = contexts.find(context);
  if (r === NONE || queues.state(r) !== WORKING) return CONTINUE;
  fresh();
  endAnswer(r, now());
  return CONTINUE;
}

export function proxy_on_response_trailers(context: u32, _count: i32): i32 {
  if (isAnyKeyed()) {
    fresh();
    noteEnd(context);
    wakeIfComplete();
  }
  const r = contexts.find(context);
  if (r === NONE || queues.state(r) !== WORKING) return CONTINUE;
  fresh();
  const at = now();
  if (statusOf(r) === 200) judgeGrpc(r, RESPONSE_TRAILERS, at);
  endAnswer(r, at);
  return CONTINUE;
}

/** A stream is over, and access logs are about to be written. */
export function proxy_on_log(context: u32): void {
  if (!isKept()) return;
  const r = contexts.find(context);
  if (r === NONE) return;
  fresh();
  tellFacts(r, now());
}

/** A stream is over, whoever ended it; or a try, or a root. */
export function proxy_on_done(context: u32): i32 {
  forgetRefusal(context);
  forgetRefused(context);
  const r = contexts.find(context);
  if (r === NONE) {
    const tried = tries.find(context);
    if (tried !== NONE) {
      fresh();
      endTry(tried);
    } else if (roleOf(context) !== 0) forgetRoot(context);
    else {
      fresh();
      forgetAsk(context);
      const s = isAnyWaited ? forgetBody(context) : NONE;
      if (s !== NONE) queues.changed(s);
      leaveKeyOf(context, NONE);
    }
    return 1;
  }
  fresh();
  const at = now();
  if (queues.state(r) === WORKING && (getNumber(RESPONSE_FLAGS) & POD_BROKE_OFF) !== 0) queues.end(r, FAILED, at);
  contexts.remove(r);
  forgetPlace(r);
  setBetween(r, false);
  if (tries.has(r)) tries.remove(r);
  leaveKeyOf(context, r);
  // A job goes on without its client.
  if (!queues.isJob(r)) forgetJob(r);
  queues.gone(r, at);
  advanceAfter(r, at);
  return 1;
}

/** Those that have joined get their answer with the tick, which comes at once. */
function wakeIfComplete(): void {
  if (!isAnyComplete()) return;
  const at = now();
  wake(at + 1, at);
}

/** The stream of a request with a key is over: who has joined it may take its place. */
function leaveKeyOf(context: u32, r: i32): void {
  if (!isAnyKeyed()) return;
  const next = leaveKey(context, r);
  if (next !== 0) arriveLate(next, now());
}

// ---- Other workers ----

export function proxy_on_queue_ready(_root: u32, token: u32): void {
  fresh();
  const at = now();
  woken(token, at);
  advance(at);
  wakeIfComplete();
}

// ---- The stream ----

export function proxy_on_grpc_receive(_root: u32, token: u32, size: i32): void {
  fresh();
  beginBatch();
  const at = now();
  onMessage(token, size, at);
  advance(at);
}

export function proxy_on_grpc_close(_root: u32, token: u32, _status: i32): void {
  onClose(token, now());
}

export function proxy_on_http_call_response(_root: u32, _token: u32, _headers: i32, _body: i32, _trailers: i32): void {}
