// What Envoy calls: the callbacks of proxy-wasm 0.2.1.

import { Ints } from './columns.ts';
import { allowTrap, configure, ROLE_CONTROL, ROLE_QUEUE, ROLE_TRY } from './config.ts';
import { isKept, tellFacts } from './facts.ts';
import {
  admit,
  advance,
  advanceAfter,
  advanceArriving,
  answerFull,
  answerLate,
  answerTenantFull,
  answerTooCostly,
  answerUnserved,
  arm,
  beginTry,
  direct,
  endAnswer,
  expire,
  isAnyRemembered,
  isTickRoot,
  POD,
  postpone,
  REQUEST,
  REQUEST_OF_TRY,
  refuseStranded,
  remember,
  setOutcome,
  setStatus,
  setTickRoot,
  statusOf,
  ticked,
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
  lineAt,
  lineSize,
  now,
  put,
  putByte,
  putNumber,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  RESPONSE_TRAILERS,
  release,
  removeHeader,
  same,
  text,
} from './host.ts';
import { nameAt, nameSize } from './names.ts';
import {
  ANSWERED,
  FAILED,
  LATE,
  NONE,
  TENANT_FULL,
  TIMED_OUT,
  TOO_COSTLY,
  UNSERVED,
  WAITING,
  WORKING,
} from './queue.ts';
import { createShared, join, retireShared, setSharingRoot, shareAll, tickSharing, woken } from './sharing.ts';
import { tickSpans } from './spans.ts';
import { contexts, findPod, podEntry, queues, serviceOf, tries } from './state.ts';
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
import { readTraits, requestClass, requestCost, requestDue, requestTenant } from './traits.ts';

const CONTINUE: i32 = 0;
const PAUSE: i32 = 1;

const CLUSTER_NAME = text('xds\0cluster_name');
const UPSTREAM_ADDRESS = text('upstream\0address');
const UPSTREAM_LOCAL_ADDRESS = text('upstream\0local_address');
const RESPONSE_FLAGS = text('response\0flags');
const ROOT_ID = text('plugin_root_id');
const STATUS = text(':status');
const GRPC_STATUS = text('grpc-status');
const CONTENT_TYPE = text('content-type');
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
  if (queues.grown) {
    queues.grown = false;
    __collect();
  }
  if (queues.soonest <= at) {
    queues.tick(at);
    expire(at);
    queues.nextDeadline();
  }
  const stream = tickStream(at);
  const sharing = tickSharing(at);
  const spans = tickSpans(at);
  const due = Math.min(stream, Math.min(sharing, spans));
  // Armed for what is known before `advance`: that arms for less where it leaves something.
  arm(due < queues.soonest ? due : queues.soonest, at);
  advance(at);
}

// ---- Requests ----

export function proxy_on_request_headers(context: u32, _count: i32, _end: i32): i32 {
  fresh();
  const role = context === newest && newestRole !== 0 ? newestRole : askRole();
  if (role === ROLE_QUEUE) return arrive(context);
  if (role === ROLE_TRY) {
    return onTry(context);
  }
  return role === ROLE_CONTROL ? onCall(context) : CONTINUE;
}

function askRole(): i32 {
  if (!getProperty(ROOT_ID)) return ROLE_QUEUE;
  if (same(found, foundSize, CONTROL_ID)) return ROLE_CONTROL;
  return same(found, foundSize, TRY_ID) ? ROLE_TRY : ROLE_QUEUE;
}

function arrive(context: u32): i32 {
  if (allowTrap && getHeader(REQUEST_HEADERS, TRAP)) unreachable();
  if (!getProperty(CLUSTER_NAME)) return CONTINUE;
  const at = now();
  const s = serviceOf(found, foundSize);
  release(found);
  if (s === NONE) {
    answerUnserved();
    return PAUSE;
  }
  readTraits(s, at);
  const r = queues.arriveAs(s, requestClass, requestTenant, requestCost, requestDue, at);
  if (r < 0) {
    refuse(r, s);
    return PAUSE;
  }
  admit(context, r);
  if (queues.state(r) === WORKING) {
    direct(r);
    return CONTINUE;
  }
  if (advanceArriving(r, at)) return CONTINUE;
  const stays = queues.stay(r);
  if (stays === WAITING) return PAUSE;
  contexts.remove(r);
  advance(at);
  enter(context);
  refuse(stays, s);
  return PAUSE;
}

/** A request gets no place in the queue. */
function refuse(why: i32, s: i32): void {
  if (why === UNSERVED) answerUnserved();
  else if (why === TENANT_FULL) answerTenantFull(s, requestTenant);
  else if (why === TOO_COSTLY) answerTooCostly(requestCost, s);
  else if (why === LATE) answerLate();
  else answerFull(s);
}

/**
 * A try of a request begins. Of the first one the headers are those of the request itself: no pod is to see ours. It goes to the
 * chosen pod, but for the moment in which this worker's cluster does not have that yet: then Envoy takes another one, as it does
 * for further tries.
 */
function onTry(context: u32): i32 {
  const isFirst = getHeader(REQUEST_HEADERS, REQUEST);
  if (!isFirst && (!isAnyRemembered || !getProperty(REQUEST_OF_TRY))) return CONTINUE;
  const r = requestNamed(found, foundSize);
  if (isFirst) {
    removeHeader(REQUEST_HEADERS, REQUEST);
    removeHeader(REQUEST_HEADERS, POD);
  }
  if (r === NONE || !queues.isWorking(r)) return CONTINUE;
  beginTry(context, r);
  if (!getProperty(UPSTREAM_ADDRESS) || isAt(r)) return CONTINUE;
  const p = findPod(queues.serviceOf(r), found, foundSize);
  if (p === NONE) return CONTINUE;
  const at = now();
  // It waits for a slot there.
  queues.claim(r, p);
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
    remember(r);
    postpone(now());
    return;
  }
  const answered = statusOf(r) !== 0;
  // What follows may be another try, or an answer of Envoy. After 200 it is the trailers.
  if (statusOf(r) !== 200) setStatus(r, 0);
  if (queues.state(r) !== WORKING) return;
  const isReached = answered || getProperty(UPSTREAM_LOCAL_ADDRESS);
  if (statusOf(r) === 0) remember(r);
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
  beginHeaders();
  begin();
  answer(200, selfDetails, -1);
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
  if (r === NONE || queues.state(r) !== WORKING) return CONTINUE;
  fresh();
  const at = now();
  if (statusOf(r) === 0) judgeLocal(r, end !== 0, at);
  if (statusOf(r) !== 0) addTiming(queues.began(r) - queues.came(r));
  if (end !== 0) endAnswer(r, at);
  return CONTINUE;
}

function statusAt(start: usize): i32 {
  return (
    ((load<u8>(start) as i32) - 48) * 100 +
    ((load<u8>(start + 1) as i32) - 48) * 10 +
    ((load<u8>(start + 2) as i32) - 48)
  );
}

/** The pod has answered. gRPC says with the trailers how it went. */
function judge(r: i32, isEnd: bool, at: f64): void {
  const status = getHeader(RESPONSE_HEADERS, STATUS) ? statusAt(found) : 0;
  setStatus(r, status);
  setOutcome(r, status >= 500 ? FAILED : ANSWERED, status >= 502 && status <= 504);
  if (status === 200 && isEnd) judgeGrpc(r, RESPONSE_HEADERS, at);
  else if (status !== 200 || !queues.isSuspect(r) || !isGrpc()) queues.answered(r, status, at);
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

function isGrpc(): bool {
  if (!getHeader(RESPONSE_HEADERS, CONTENT_TYPE)) return false;
  const grpc = foundSize >= APPLICATION_GRPC.size && same(found, APPLICATION_GRPC.size, APPLICATION_GRPC);
  release(found);
  return grpc;
}
const APPLICATION_GRPC = text('application/grpc');

/** Judges the pod by the status of gRPC, as the HTTP status that it stands for. */
function judgeGrpc(r: i32, map: i32, at: f64): void {
  let status: i32 = 200;
  if (getHeader(map, GRPC_STATUS) && foundSize <= 2) {
    const first = (load<u8>(found) as i32) - 48;
    const code = foundSize === 1 ? first : first * 10 + (load<u8>(found + 1) as i32) - 48;
    if (code === 14) status = 503;
    else if (code === 4) status = 504;
    else if (code === 2 || code === 13 || code === 15) status = 500;
  }
  if (status >= 500) setOutcome(r, FAILED, false);
  queues.answered(r, status, at);
}

function addTiming(wait: f64): void {
  const tenths = Math.round(wait * 10) as u64;
  begin();
  put(QUEUE_DUR);
  putNumber(tenths / 10);
  putByte(46 /* . */);
  putNumber(tenths % 10);
  addHeader(RESPONSE_HEADERS, SERVER_TIMING, lineAt(), lineSize());
}

export function proxy_on_response_body(context: u32, _size: i32, end: i32): i32 {
  if (end === 0) return CONTINUE;
  const r = contexts.find(context);
  if (r === NONE || queues.state(r) !== WORKING) return CONTINUE;
  fresh();
  endAnswer(r, now());
  return CONTINUE;
}

export function proxy_on_response_trailers(context: u32, _count: i32): i32 {
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
  const r = contexts.find(context);
  if (r === NONE) {
    const tried = tries.find(context);
    if (tried !== NONE) {
      fresh();
      endTry(tried);
    } else if (roleOf(context) !== 0) forgetRoot(context);
    return 1;
  }
  fresh();
  const at = now();
  if (queues.state(r) === WORKING && (getNumber(RESPONSE_FLAGS) & POD_BROKE_OFF) !== 0) queues.end(r, FAILED, at);
  contexts.remove(r);
  if (tries.has(r)) tries.remove(r);
  queues.gone(r, at);
  advanceAfter(r, at);
  return 1;
}

// ---- Other workers ----

export function proxy_on_queue_ready(_root: u32, token: u32): void {
  fresh();
  const at = now();
  woken(token, at);
  advance(at);
}

// ---- The stream ----

export function proxy_on_grpc_receive(_root: u32, token: u32, size: i32): void {
  fresh();
  const at = now();
  onMessage(token, size, at);
  advance(at);
}

export function proxy_on_grpc_close(_root: u32, token: u32, _status: i32): void {
  onClose(token, now());
}

export function proxy_on_http_call_response(_root: u32, _token: u32, _headers: i32, _body: i32, _trailers: i32): void {}
