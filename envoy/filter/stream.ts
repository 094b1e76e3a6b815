// The stream to Sluice: opened by the root of the control plugin, in the VMs of workers only.
//
// Envoy configures the plugins in three kinds of VM: a trial one, one of the main thread, one per worker. They are told apart by
// a call to the internal listener: connections to it stay on their thread, and only workers have it. A stream belongs to the
// root that opened it, and ends with it.
import { ALIVE, ENDED, RETIRED, SELF } from './alive.ts';
import { codeVersion, selfCluster, xdsCluster } from './config.ts';
import { applyMessage } from './control.ts';
import { handBack, processNumber } from './coordination.ts';
import { proxy_grpc_cancel, proxy_grpc_send, proxy_grpc_stream } from './env.ts';
import {
  begin,
  beginHeaders,
  call,
  enter,
  found,
  foundSize,
  GRPC_MESSAGE,
  getBuffer,
  getProperty,
  header,
  lineAt,
  lineSize,
  put,
  putBytes,
  putNumber,
  release,
  share,
  shared,
  Text,
  text,
  wallClock,
} from './host.ts';
import { idAt, idSize } from './jobs.ts';
import { nameAt, nameSize } from './names.ts';
import { isFull, writeService } from './reports.ts';
import { podEntry, queues, serviceEntry, servicesEnd, shares } from './state.ts';
import { updateStatistics } from './statistics.ts';
import {
  beginMessage,
  close,
  messageAt,
  messageSize,
  open,
  writeBytes,
  writeFixed64,
  writeGrpcService,
  writeNumber,
} from './wire.ts';

/** The protocol of queue.proto. */
const PROTOCOL: f64 = 1;
const SERVICE = text('sluice.queue.v1.QueueService');
const METHOD = text('Stream');
const NODE_ID = text('xds\0node\0id');
const M_METHOD = text(':method');
const M_PATH = text(':path');
const M_AUTHORITY = text(':authority');
const GET = text('GET');
const SLASH = text('/');
const DOT = text('.');
const AUTHORITY = text('sluice.control');
const ALIVE_MS: f64 = 400;
/** A VM that gave no sign of life for so long has trapped, and the guard has ended its requests. */
const SILENT_MS: f64 = 8000;
/** With it a VM calls itself. */
export const VM_HEADER = text('x-sluice-vm');

/** Bytes that may be sent while nothing is heard of Sluice. Reports wait beyond that. */
const UNHEARD_MAX: f64 = 262144;
/** So many messages about slots are acknowledged at once. */
const ACK_EVERY: f64 = 100;
/** Until `Welcome` says otherwise. */
const REPORT_MS: f64 = 1000;
const HEARTBEAT_MS: f64 = 300;
/** What cannot wait is told at most so often. */
const SOON_MS: f64 = 50;
const DEAD_AFTER_MS: f64 = 1000;
/** How long opening a stream may take. */
const OPENING_MS: f64 = 3000;
const RETRY_MS: f64 = 100;
/** A VM calls itself so many times without a long pause. */
const CALLS_FAST: i32 = 15;
const CALL_MS: f64 = 30000;
const RETRY_MAX_MS: f64 = 2000;

/** Made when the VM started. */
let epoch: u64 = 0;
/** What Sluice calls this VM: another number once it has been given up. */
let life: u64 = 0;
/** A part of it, which marks what this VM writes into requests. */
export const epochTag: Text = text('.000000');

/** The VM has started: from here on it has a name. */
export function startEpoch(): void {
  epoch = wallClock();
  life = epoch;
  let rest = epoch / 1000;
  for (let i = 6; i > 0; i--) {
    store<u8>(epochTag.at + i, (48 + (rest % 10)) as u8);
    rest /= 10;
  }
}

const tokenAt: usize = heap.alloc(8);

let root: u32 = 0;
let caller: u32 = 0;
let isWorker: bool = false;
let calls: i32 = 0;
let token: u32 = 0;
let isOpen: bool = false;
let isWelcome: bool = false;
let streams: f64 = 0;
/** The next service of the hello; or INTRODUCED: it is complete. */
let introduced: i32 = 0;
const INTRODUCED: i32 = -1;
/** So many services of the hello are sent in one call. */
const SERVICES_AT_ONCE: i32 = 100;
let nextTry: f64 = 0;
let retryDelay: f64 = RETRY_MS;
let lastHeard: f64 = 0;
let lastSent: f64 = 0;
let lastReport: f64 = 0;
let unheard: f64 = 0;
let heartbeatMs: f64 = HEARTBEAT_MS;
let reportMs: f64 = REPORT_MS;
let deadAfterMs: f64 = DEAD_AFTER_MS;
let sequence: f64 = 0;
let acked: f64 = 0;
let lastAlive: f64 = 0;
let alive: u64 = 0;

/** The root that opens the stream. A stream of the one before ends. */
export function setRoot(context: u32): void {
  if (root === context) return;
  if (isOpen) disconnect();
  root = context;
  nextTry = 0;
}

/**
 * A root of the queue plugin. Where Envoy has started the VM anew after a trap, there is no control plugin in it until somebody
 * calls its listener: so this one calls.
 */
export function setCaller(context: u32): void {
  caller = context;
}

/** The root is deleted, and its stream with it. */
export function rootDeleted(context: u32): void {
  if (caller === context) caller = 0;
  if (root !== context) return;
  if (isOpen) handBack(lastHeard);
  root = 0;
  isOpen = false;
  shares.close(servicesEnd());
}

/** Whether something can be sent. */
export function isStreamOpen(): bool {
  return isOpen;
}

/** The stream is of no use: another one follows. */
export function giveUpStream(now: f64): void {
  if (isOpen) disconnect();
  lost(now);
}

/** Sluice has given this VM up: it is another one from now on. */
export function renew(now: f64): void {
  life = wallClock();
  giveUpStream(now);
}

/** The call to itself has arrived: this is the VM of a worker. */
export function called(): void {
  if (isWorker) return;
  isWorker = true;
  nextTry = 0;
}

/** What the answer to the call says, to the guard: the number of this VM, and its code. */
export function selfDetails(): Text {
  begin();
  put(SELF);
  putNumber(epoch);
  put(DOT);
  put(codeVersion);
  return new Text(lineAt(), lineSize());
}

/** The name of this VM among those of its Envoy. */
export function vmEpoch(): u64 {
  return epoch;
}

/** Whether the VM of this epoch has said that its last request is over, or the guard, after it had trapped. */
export function hasEnded(other: u64): bool {
  begin();
  put(ALIVE);
  putNumber(other);
  return shared() === ENDED;
}

/** Code that was replaced is used anew: it lives. */
export function revive(): void {
  if (alive !== RETIRED && alive !== ENDED) return;
  alive = RETIRED + 1;
  shareAlive();
}

/** Whether the header of a call names this VM. */
export function isSelf(at: usize, size: i32): bool {
  begin();
  putNumber(epoch);
  return size === lineSize() && memory.compare(at, lineAt(), size) === 0;
}

// ---- What comes in ----

export function onMessage(stream: u32, size: i32, now: f64): void {
  if (stream !== token || !isOpen) return;
  lastHeard = now;
  unheard = 0;
  if (!getBuffer(GRPC_MESSAGE, size)) return;
  const at = found;
  applyMessage(at, foundSize, now);
  release(at);
}

export function onClose(stream: u32, now: f64): void {
  if (stream !== token || !isOpen) return;
  lost(now);
}

/** Sluice has said how often it wants to hear. */
export function welcome(heartbeat: f64, report: f64, deadAfter: f64): void {
  isWelcome = true;
  queues.setSilent(false);
  retryDelay = RETRY_MS;
  heartbeatMs = heartbeat > 0 ? heartbeat : HEARTBEAT_MS;
  reportMs = report;
  deadAfterMs = deadAfter > 0 ? deadAfter : DEAD_AFTER_MS;
}

/** Everything up to this message is applied. */
export function applied(upTo: f64): void {
  sequence = upTo;
}

// ---- What goes out ----

/** Sends what lies in wire.ts. */
export function send(now: f64): void {
  if (!isOpen) return;
  enter(root);
  const size = messageSize();
  if (proxy_grpc_send(token, messageAt(), size, 0) !== 0) {
    lost(now);
    return;
  }
  lastSent = now;
  unheard += size as f64;
}

/** Acknowledges what was applied; what `mayWait` goes with a later one. */
export function acknowledge(mayWait: bool, now: f64): void {
  if (!isOpen || sequence === acked) return;
  if (mayWait && sequence - acked < ACK_EVERY) return;
  acked = sequence;
  beginMessage();
  const ack = open(4);
  writeNumber(1, sequence);
  close(ack);
  send(now);
}

/** Tells what happened to a pod. */
export function tellPod(p: i32, kind: i32, reason: i32, time: f64, now: f64): void {
  if (!isOpen) return;
  const service = serviceEntry(queues.serviceOfPod(p));
  const pod = podEntry(p);
  beginMessage();
  const event = open(6);
  writeBytes(1, nameAt(service), nameSize(service));
  writeBytes(2, nameAt(pod), nameSize(pod));
  writeNumber(3, kind as f64);
  writeNumber(4, reason as f64);
  writeNumber(5, Math.ceil(time));
  close(event);
  send(now);
}

/** Tells what happened to the job of a request. */
export function tellJob(r: i32, kind: i32, now: f64): void {
  queues.changed(queues.serviceOf(r));
  if (!isOpen) return;
  const service = serviceEntry(queues.serviceOf(r));
  const pod = podEntry(queues.podOf(r));
  beginMessage();
  const event = open(20);
  writeBytes(1, nameAt(service), nameSize(service));
  writeBytes(2, nameAt(pod), nameSize(pod));
  writeBytes(3, idAt(r), idSize(r));
  writeNumber(4, kind as f64);
  writeNumber(5, queues.slotsHeld(r) as f64);
  close(event);
  send(now);
}

/** Tells that a message could not be applied. What lies in host.ts's line says why. */
export function reject(upTo: f64, now: f64): void {
  beginMessage();
  const rejected = open(9);
  writeNumber(1, upTo);
  writeBytes(2, lineAt(), lineSize());
  close(rejected);
  send(now);
}

/** This VM has no root that ticks any more: it is not dead. */
export function retire(): void {
  alive = RETIRED;
  shareAlive();
}

/** Its last request is over as well. */
export function ended(): void {
  alive = ENDED;
  shareAlive();
}

const askedEpoch: usize = heap.alloc(24);
let askedSize: i32 = 0;
let askedAlive: u64 = 0;
let askedSince: f64 = 0;

/** Answers whether another VM of this Envoy has ended. */
export function tellEnded(at: usize, size: i32, now: f64): void {
  if (size > 24) return;
  begin();
  put(ALIVE);
  putBytes(at, size);
  const value = shared();
  const same = size === askedSize && memory.compare(at, askedEpoch, size) === 0 && value === askedAlive;
  if (!same) {
    memory.copy(askedEpoch, at, size);
    askedSize = size;
    askedAlive = value;
    askedSince = now;
  }
  const silent = value !== RETIRED && now - askedSince >= SILENT_MS;
  if (value !== ENDED && !silent) return;
  beginMessage();
  const message = open(12);
  writeBytes(1, at, size);
  close(message);
  send(now);
}

function shareAlive(): void {
  begin();
  put(ALIVE);
  putNumber(epoch);
  share(alive);
}

/** Does what is due, and answers when it is to be called next. */
export function tickStream(now: f64): f64 {
  if (now - lastAlive >= ALIVE_MS) {
    lastAlive = now;
    alive++;
    shareAlive();
  }
  if (isOpen && now - lastHeard >= (isWelcome ? deadAfterMs : OPENING_MS)) {
    disconnect();
    lost(now);
  }
  if (!isOpen && now >= nextTry) connect(now);
  else if (isOpen && introduced !== INTRODUCED) introduce(now);
  // Before the report: it may be what Sluice still lacks.
  if (now - lastReport >= reportEvery() && (!isOpen || unheard < UNHEARD_MAX)) report(now);
  if (isOpen && now - lastSent >= heartbeatMs) heartbeat(now);
  return nextDue();
}

/** What has changed is told with the next tick, unless that was just done. */
export function reportSoon(now: f64): void {
  if (now - lastReport >= SOON_MS) lastReport = -Infinity;
}

function reportEvery(): f64 {
  return isOpen && isWelcome && reportMs > 0 ? reportMs : REPORT_MS;
}

function nextDue(): f64 {
  let soonest = lastReport + reportEvery();
  if (lastAlive + ALIVE_MS < soonest) soonest = lastAlive + ALIVE_MS;
  if (!isOpen) return nextTry < soonest ? nextTry : soonest;
  if (introduced !== INTRODUCED) return 0;
  const dead = lastHeard + (isWelcome ? deadAfterMs : OPENING_MS);
  if (dead < soonest) soonest = dead;
  const beat = lastSent + heartbeatMs;
  return beat < soonest ? beat : soonest;
}

function connect(now: f64): void {
  nextTry = now + retryDelay;
  retryDelay = retryDelay * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : retryDelay * 2;
  if (!isWorker || root === 0) {
    callSelf();
    return;
  }
  writeGrpcService(xdsCluster.at, xdsCluster.size);
  enter(root);
  // Envoy may call `onClose` before this returns; the token is not known then.
  const status = proxy_grpc_stream(
    messageAt(),
    messageSize(),
    SERVICE.at,
    SERVICE.size,
    METHOD.at,
    METHOD.size,
    0,
    0,
    tokenAt,
  );
  if (status !== 0) return;
  token = load<u32>(tokenAt);
  isOpen = true;
  isWelcome = false;
  streams += 1;
  shares.open(servicesEnd());
  sequence = 0;
  acked = 0;
  lastHeard = now;
  unheard = 0;
  hello(now);
}

function callSelf(): void {
  calls += 1;
  // The VM of the main thread is never reached.
  if (calls > CALLS_FAST) nextTry += CALL_MS;
  const from = root !== 0 ? root : caller;
  if (selfCluster.size === 0 || from === 0) return;
  enter(from);
  begin();
  putNumber(epoch);
  beginHeaders();
  header(M_METHOD, GET.at, GET.size);
  header(M_PATH, SLASH.at, SLASH.size);
  header(M_AUTHORITY, AUTHORITY.at, AUTHORITY.size);
  header(VM_HEADER, lineAt(), lineSize());
  call(selfCluster, 1000);
}

function hello(now: f64): void {
  beginMessage();
  const message = open(1);
  writeNumber(1, PROTOCOL);
  enter(root);
  if (getProperty(NODE_ID)) {
    writeBytes(2, found, foundSize);
    release(found);
  }
  writeFixed64(3, life);
  writeNumber(4, streams);
  writeBytes(5, codeVersion.at, codeVersion.size);
  writeNumber(6, (memory.size() as f64) * 65536);
  writeNumber(7, queues.coordinated ? 1 : 0);
  writeFixed64(8, processNumber());
  writeNumber(9, 1);
  close(message);
  send(now);
  introduced = 0;
  introduce(now);
}

/**
 * Sends what this VM has, some services at a time: while Sluice is away each try to reach it would send all of them in vain,
 * and requests would wait for that.
 */
function introduce(now: f64): void {
  let left = SERVICES_AT_ONCE;
  while (introduced < servicesEnd() && left > 0 && isOpen) {
    const s = introduced++;
    if (serviceEntry(s) === 0) continue;
    beginMessage();
    writeService(2, s, now, true);
    send(now);
    left--;
  }
  if (introduced < servicesEnd() || !isOpen) return;
  introduced = INTRODUCED;
  beginMessage();
  close(open(3));
  send(now);
}

function heartbeat(now: f64): void {
  beginMessage();
  close(open(7));
  send(now);
}

/** Services whose requests wait change with the clock alone: they are in each report. */
function report(now: f64): void {
  lastReport = now;
  const telling = isOpen && isWelcome && reportMs > 0;
  beginMessage();
  let message = open(5);
  let services = 0;
  for (let s = queues.takeChanged(); s !== -1; s = queues.takeChanged()) {
    updateStatistics(s);
    if (!telling) continue;
    writeService(1, s, now, false);
    services++;
    if (!isFull()) continue;
    close(message);
    send(now);
    beginMessage();
    message = open(5);
    services = 0;
    // The others follow when Sluice was heard.
    if (unheard >= UNHEARD_MAX) break;
  }
  if (services > 0) {
    writeNumber(2, (memory.size() as f64) * 65536);
    close(message);
    send(now);
  }
  for (let s: i32 = 0; s < servicesEnd(); s++) {
    if (serviceEntry(s) !== 0 && queues.waiting(s) > 0) queues.changed(s);
  }
}

function disconnect(): void {
  enter(root);
  proxy_grpc_cancel(token);
  isOpen = false;
}

function lost(now: f64): void {
  isOpen = false;
  isWelcome = false;
  queues.setSilent(true);
  nextTry = now + retryDelay;
  shares.close(servicesEnd());
}
