// Between led-keys.ts and Envoy: the records of keys that are under way, and what workers tell each other of them (shared queues).
import { begin, found, foundSize, lineAt, lineSize, put, putNumber, release, Text, text } from './host.ts';
import { cellsOf, createRecord, readRecord, takeCells, version, writeRecord } from './records.ts';
import { tellOfKey } from './sharing.ts';
import { ledKeys, membership } from './state.ts';
import { random_get } from './wasi_snapshot_preview1.ts';

// What is told of a key: how it was answered; that it was not, or that nobody gets the answer; that it is free again, for whoever
// claims it first; and the question for the answer of a job. No name of a service begins with these bytes, nor does what asks.ts sends.
export const KEY_ANSWERED: u8 = 3;
export const KEY_REFUSED: u8 = 4;
export const KEY_FREE: u8 = 5;
export const KEY_ASKED: u8 = 6;

// A message: which of these, the worker at which the key leads (or that asks), its serial there, the status, the sizes of the key, of the headers
// and of the body, then these.
const WORKER: usize = 8;
const SERIAL: usize = 16;
const STATUS: usize = 24;
const KEY_SIZE: usize = 28;
const PAIRS_SIZE: usize = 32;
const BODY_SIZE: usize = 36;
const HEAD: i32 = 40;

const RECORDS: i32 = 256;
const RECORD = text('keys ');
const SEED = text('seed of keys');
/** So often a write is tried again. */
const TRIES: i32 = 1000;

const seedBytes: usize = heap.alloc(8);
let seed: i32 = 0;

/** Creates what has to be there before the workers write it. */
export function createKeyRecords(): void {
  // Written last: where it is, all are.
  if (readRecord(SEED.at, SEED.size)) {
    release(found);
    return;
  }
  for (let i = 0; i < RECORDS; i++) {
    putRecord(i);
    createRecord(lineAt(), lineSize(), seedBytes, 0);
  }
  random_get(seedBytes, 8);
  writeRecord(SEED.at, SEED.size, seedBytes, 8, 0);
}

/** The same in all workers, and nobody else knows it: so nobody can think of keys that all have one number. */
export function keySeed(): i32 {
  if (seed !== 0) return seed;
  seed = 1;
  if (readRecord(SEED.at, SEED.size)) {
    if (foundSize === 8) seed = load<i32>(found) | 1;
    release(found);
  }
  return seed;
}

function putRecord(i: i32): void {
  begin();
  put(RECORD);
  putNumber(i as u64);
}

/** Reads the record of a key. False: there is none. */
function readKeys(key: f64): bool {
  const bits = key as u64;
  putRecord(((bits ^ (bits >> 29)) & (RECORDS - 1)) as i32);
  if (!readRecord(lineAt(), lineSize())) return false;
  ledKeys.prepare(foundSize >> 3);
  takeCells(ledKeys.cells);
  return true;
}

function writeKeys(): bool {
  if (!ledKeys.changed) return true;
  return writeRecord(lineAt(), lineSize(), cellsOf(ledKeys.cells), ledKeys.size << 3, version);
}

/** Whether this key leads here from now on. If not, `ledKeys` has where, and this worker follows it if it `follows` and may. */
export function claimKey(key: f64, serial: f64, follows: bool): bool {
  for (let i = 0; i < TRIES && readKeys(key); i++) {
    const leads = ledKeys.claim(key, serial, follows);
    if (writeKeys()) return leads;
  }
  return true;
}

/** The answer of a key that leads here has begun. Whether another worker is to get it. */
export function isKeyFollowed(key: f64, serial: f64): bool {
  for (let i = 0; i < TRIES && readKeys(key); i++) {
    const isFollowed = ledKeys.closeUnfollowed(key, serial);
    if (writeKeys()) return isFollowed;
  }
  return false;
}

/** How a key that leads here stands from now on. Those that followed it are to be told: `ledKeys` has them. */
export function settleKey(key: f64, serial: f64, state: i32): void {
  ledKeys.followers = 0;
  for (let i = 0; i < TRIES && readKeys(key); i++) {
    ledKeys.settle(key, serial, state);
    if (writeKeys()) return;
  }
}

/** Tells those that followed the key that was settled last. */
export function tellFollowers(
  kind: u8,
  serial: f64,
  key: Text,
  status: i32,
  pairs: usize,
  pairsSize: i32,
  body: usize,
  bodySize: i32,
): void {
  if (ledKeys.followers === 0) return;
  const size = HEAD + key.size + pairsSize + bodySize;
  const message = write(kind, serial, key, status, pairs, pairsSize, body, bodySize);
  for (let i = 0; i < ledKeys.followers; i++) tellOfKey(ledKeys.follower(i), message, size);
  heap.free(message);
}

/** Tells one worker of a key. */
export function tellOne(to: f64, kind: u8, serial: f64, key: Text, status: i32, pairs: usize, pairsSize: i32): void {
  const message = write(kind, serial, key, status, pairs, pairsSize, 0, 0);
  tellOfKey(to, message, HEAD + key.size + pairsSize);
  heap.free(message);
}

function write(
  kind: u8,
  serial: f64,
  key: Text,
  status: i32,
  pairs: usize,
  pairsSize: i32,
  body: usize,
  bodySize: i32,
): usize {
  const message = heap.alloc(HEAD + key.size + pairsSize + bodySize);
  store<u64>(message, kind as u64);
  store<f64>(message + WORKER, membership.first);
  store<f64>(message + SERIAL, serial);
  store<i32>(message + STATUS, status);
  store<i32>(message + KEY_SIZE, key.size);
  store<i32>(message + PAIRS_SIZE, pairsSize);
  store<i32>(message + BODY_SIZE, bodySize);
  const at = message + HEAD;
  memory.copy(at, key.at, key.size);
  memory.copy(at + key.size, pairs, pairsSize);
  memory.copy(at + key.size + pairsSize, body, bodySize);
  return message;
}

// ---- A message that was heard ----

/** Whether a message of another worker is about a key. */
export function isAboutKeys(message: usize): bool {
  const kind = load<u8>(message);
  return kind >= KEY_ANSWERED && kind <= KEY_ASKED;
}

export function workerOf(message: usize): f64 {
  return load<f64>(message + WORKER);
}

export function serialOf(message: usize): f64 {
  return load<f64>(message + SERIAL);
}

export function statusOfKey(message: usize): i32 {
  return load<i32>(message + STATUS);
}

export function keyIn(message: usize): usize {
  return message + HEAD;
}

export function keySizeIn(message: usize): i32 {
  return load<i32>(message + KEY_SIZE);
}

export function pairsIn(message: usize): usize {
  return keyIn(message) + load<i32>(message + KEY_SIZE);
}

export function pairsSizeIn(message: usize): i32 {
  return load<i32>(message + PAIRS_SIZE);
}

export function bodyIn(message: usize): usize {
  return pairsIn(message) + load<i32>(message + PAIRS_SIZE);
}

export function bodySizeIn(message: usize): i32 {
  return load<i32>(message + BODY_SIZE);
}

/** Whether a message is as long as it says. */
export function isWhole(message: usize, size: i32): bool {
  if (size < HEAD) return false;
  return size === HEAD + keySizeIn(message) + pairsSizeIn(message) + bodySizeIn(message);
}
