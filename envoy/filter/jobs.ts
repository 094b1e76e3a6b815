// Jobs: a pod answers at once that it has taken the work, and goes on with it. Its slot stays in use until the pod says that the job
// is done, with a token that nobody else has seen, or until the time of the job is over.
import { Floats, Ints } from './columns.ts';
import {
  found,
  foundSize,
  getHeader,
  keepBytes,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  release,
  setHeader,
  Text,
  text,
} from './host.ts';
import { forgetKeyOfJob } from './idempotency.ts';
import { Keys } from './keys.ts';
import { nameAt, nameSize } from './names.ts';
import { ANSWERED, FAILED, JOB, NONE, TIMED_OUT, WORKING } from './queue.ts';
import { podEntry, queues } from './state.ts';
import { tellJob } from './stream.ts';
import { random_get } from './wasi_snapshot_preview1.ts';
import { close, open, writeBytes, writeNumber } from './wire.ts';

/** What happened to a job, as in queue.proto. */
export const JOB_BEGAN: i32 = 0;
export const JOB_DONE: i32 = 1;
export const JOB_FAILED: i32 = 2;
export const JOB_TIMED_OUT: i32 = 3;
export const JOB_LOST: i32 = 4;

const TOKEN = text('sluice-job-token');
/** Bytes of a token, and how long it is as text. */
const TOKEN_SIZE: i32 = 16;
const TOKEN_TEXT: i32 = 32;
/** Words of 32 bits in a token. */
const WORDS: i32 = 4;
/** Longest name of a job. */
const ID_MAX: i32 = 128;
/** How long a name is that the filter gives. */
const OWN_ID: i32 = 16;

// By service: the status that says that a job has begun (0: none does), how long it may take, and the header with its name.
const statuses: Ints = new Ints();
const timeouts: Floats = new Floats();
const headerAts: Ints = new Ints();
const headerSizes: Ints = new Ints();
let serviceRoom: i32 = 0;

// By request.
const words: Ints = new Ints();
const isEarly: Ints = new Ints();
const idAts: Ints = new Ints();
const idSizes: Ints = new Ints();
let room: i32 = 0;
const tokens: Keys = new Keys();

const bytes: usize = heap.alloc(TOKEN_SIZE);
const hex: usize = heap.alloc(TOKEN_TEXT);
const idHeader: Text = new Text(0, 0);

/** How jobs of a service begin and end. Status 0: it has none. */
export function setJobs(s: i32, status: i32, timeout: f64, header: usize, headerSize: i32): void {
  if (status === 0 && s >= serviceRoom) return;
  if (s >= serviceRoom) {
    serviceRoom = s < 16 ? 32 : s * 2;
    statuses.grow(serviceRoom);
    timeouts.grow(serviceRoom);
    headerAts.grow(serviceRoom);
    headerSizes.grow(serviceRoom);
  }
  statuses.set(s, status);
  timeouts.set(s, timeout);
  keepBytes(headerAts, headerSizes, s, header, headerSize);
}

/** The status with which a pod of this service takes a job; 0: its service has none. */
export function jobStatus(s: i32): i32 {
  return s < serviceRoom ? statuses.get(s) : 0;
}

/** A request is about to go to a pod: gives it a token, in place of any that its client has sent. */
export function giveToken(r: i32): void {
  if (r >= room) {
    room = r < 128 ? 256 : r * 2;
    words.grow(room * WORDS);
    isEarly.grow(room);
    idAts.grow(room);
    idSizes.grow(room);
  }
  random_get(bytes, TOKEN_SIZE);
  for (let i: i32 = 0; i < WORDS; i++) words.set(r * WORDS + i, load<i32>(bytes + (i << 2)));
  isEarly.set(r, 0);
  putHex(TOKEN_SIZE);
  setHeader(REQUEST_HEADERS, TOKEN, hex, TOKEN_TEXT);
  tokens.add(r, keyOfToken());
}

function keyOfToken(): f64 {
  return (load<u64>(bytes) >> 11) as f64;
}

function putHex(size: i32): void {
  for (let i: i32 = 0; i < size; i++) {
    const byte = load<u8>(bytes + i) as i32;
    store<u8>(hex + (i << 1), digitOf(byte >> 4));
    store<u8>(hex + (i << 1) + 1, digitOf(byte & 15));
  }
}

function digitOf(value: i32): u8 {
  return (value < 10 ? 48 + value : 87 + value) as u8;
}

/** The pod has taken the job. Its name is what the answer says, or else the filter's own, which the answer says then. */
export function beginJob(r: i32, now: f64): void {
  if (!tokens.has(r)) return;
  const s = queues.serviceOf(r);
  jobHeader(s);
  const isNamed = getHeader(RESPONSE_HEADERS, idHeader) && foundSize <= ID_MAX;
  if (isNamed) keepBytes(idAts, idSizes, r, found, foundSize);
  release(found);
  if (!isNamed) {
    random_get(bytes, OWN_ID >> 1);
    putHex(OWN_ID >> 1);
    keepBytes(idAts, idSizes, r, hex, OWN_ID);
    setHeader(RESPONSE_HEADERS, idHeader, hex, OWN_ID);
  }
  // The pod was done before its answer came here.
  if (isEarly.get(r) !== 0) return;
  queues.beginJob(r, now + timeouts.get(s));
  if (queues.state(r) === JOB) tellJob(r, JOB_BEGAN, now);
}

/** The request, or its job, is over. */
export function forgetJob(r: i32): void {
  if (r >= room || !tokens.has(r)) return;
  tokens.remove(r);
  keepBytes(idAts, idSizes, r, 0, 0);
  forgetKeyOfJob(r);
}

/** The header in which a pod of this service names a job. */
export function jobHeader(s: i32): Text {
  idHeader.at = headerAts.get(s) as usize;
  idHeader.size = headerSizes.get(s);
  return idHeader;
}

/** The name of a job. */
export function idAt(r: i32): usize {
  return idAts.get(r) as usize;
}

export function idSize(r: i32): i32 {
  return idSizes.get(r);
}

/** A pod says how the job of this name and token ended. False: there is none. */
export function finishJob(id: usize, idLength: i32, token: usize, tokenSize: i32, failed: bool, now: f64): bool {
  if (tokenSize !== TOKEN_TEXT || !readHex(token)) return false;
  for (let r = tokens.find(keyOfToken()); r !== NONE; r = tokens.next(r)) {
    if (!hasToken(r)) continue;
    if (queues.state(r) === WORKING) {
      // Its answer is still on its way; the name that it will say is not known yet.
      isEarly.set(r, 1);
      return true;
    }
    // A second word after the answer began: the job is over.
    if (!queues.isJob(r) || !isCalled(r, id, idLength)) return false;
    end(r, failed ? FAILED : ANSWERED, failed ? JOB_FAILED : JOB_DONE, now);
    return true;
  }
  return false;
}

function readHex(at: usize): bool {
  for (let i: i32 = 0; i < TOKEN_SIZE; i++) {
    const high = fromDigit(load<u8>(at + (i << 1)));
    const low = fromDigit(load<u8>(at + (i << 1) + 1));
    if (high < 0 || low < 0) return false;
    store<u8>(bytes + i, ((high << 4) | low) as u8);
  }
  return true;
}

function fromDigit(digit: u8): i32 {
  if (digit >= 48 && digit <= 57) return (digit as i32) - 48;
  return digit >= 97 && digit <= 102 ? (digit as i32) - 87 : -1;
}

function hasToken(r: i32): bool {
  let differs: i32 = 0;
  for (let i: i32 = 0; i < WORDS; i++) differs |= words.get(r * WORDS + i) ^ load<i32>(bytes + (i << 2));
  return differs === 0;
}

function isCalled(r: i32, id: usize, size: i32): bool {
  return idSizes.get(r) === size && memory.compare(idAts.get(r) as usize, id, size) === 0;
}

function end(r: i32, how: i32, kind: i32, now: f64): void {
  tellJob(r, kind, now);
  queues.endJob(r, how, now);
  forgetJob(r);
}

/** Ends the jobs whose time is over. */
export function endOverdueJobs(now: f64): void {
  for (let r = queues.overdueJob(now); r !== NONE; r = queues.overdueJob(now)) end(r, TIMED_OUT, JOB_TIMED_OUT, now);
}

/** Sluice has learned from the pod that it does not know this job any more. */
export function loseJob(s: i32, p: i32, id: usize, size: i32, now: f64): void {
  let r = queues.firstJob(s);
  while (r !== NONE && !(queues.podOf(r) === p && isCalled(r, id, size))) r = queues.jobAfter(r);
  if (r !== NONE) end(r, FAILED, JOB_LOST, now);
}

/** Writes the jobs of a service as this field: `JobReport` each. */
export function writeJobs(field: u32, s: i32, now: f64): void {
  for (let r = queues.firstJob(s); r !== NONE; r = queues.jobAfter(r)) {
    const job = open(field);
    const pod = podEntry(queues.podOf(r));
    writeBytes(1, nameAt(pod), nameSize(pod));
    writeBytes(2, idAt(r), idSize(r));
    writeNumber(3, Math.floor(now - queues.began(r)));
    writeNumber(4, queues.slotsHeld(r) as f64);
    close(job);
  }
}
