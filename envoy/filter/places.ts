// What clients are told of their place in the queue: with the answer, and meanwhile when they ask by their request id.
import { Floats, Ints } from './columns.ts';
import {
  addHeader,
  begin,
  found,
  foundSize,
  getHeader,
  lineAt,
  lineSize,
  put,
  putByte,
  putBytes,
  putNumber,
  putTime,
  REQUEST_HEADERS,
  RESPONSE_HEADERS,
  release,
  text,
  wallClock,
} from './host.ts';
import { Keys, keyOf } from './keys.ts';
import { nameAt, nameSize } from './names.ts';
import { NONE, WAITING, WORKING } from './queue.ts';
import { queues, serviceEntry } from './state.ts';

const REQUEST_ID = text('x-request-id');
const SLUICE_QUEUE = text('sluice-queue');
const POSITION = text('position=');
const EXPECTED = text(', estimate=');

const ID = text('{"id":"');
const SERVICE = text('","service":"');
const STATE_WAITING = text('","state":"waiting","position":');
const STATE_WORKING = text('","state":"working","position":0');
const WAITING_COUNT = text(',"waiting":');
const SINCE = text(',"waiting_since":"');
const WORKING_SINCE = text('","working_since":"');
const WAITED = text('","waited_ms":');
const NO_ESTIMATE = text(',"estimate":null}\n');
const ESTIMATE = text(',"estimate":{"wait_ms":');
const SOONEST = text(',"soonest_ms":');
const LATEST = text(',"latest_ms":');
const END = text('}\n');

/** One more than the place of each request when it came; 0: it is not told. And how long it had to expect to wait; 0: not known. */
const places: Ints = new Ints();
const estimates: Floats = new Floats();
let room: i32 = 0;
/** Requests by their `x-request-id`. */
const ids: Keys = new Keys();
/** Of this VM alone, so that nobody can think of ids that all lie in one bucket. */
let seed: i32 = 0;

/** A request of a service that tells places has come. */
export function notePlace(r: i32, now: f64): void {
  if (r >= room) {
    room = r < 128 ? 256 : r * 2;
    places.grow(room);
    estimates.grow(room);
  }
  countPlace(r, now);
  if (!getHeader(REQUEST_HEADERS, REQUEST_ID)) return;
  if (seed === 0) seed = ((wallClock() / 1000) as i32) | 1;
  ids.add(r, keyOf(seed, found, foundSize));
  release(found);
}

/** Where it stands: of those at other workers this one may have heard only now. */
export function countPlace(r: i32, now: f64): void {
  const place = queues.state(r) === WAITING ? queues.placeOf(r, now) : 0;
  places.set(r, place + 1);
  estimates.set(r, queues.expect(queues.serviceOf(r), place) ? queues.expected : 0);
}

/** It did not have to wait after all. */
export function noteNoWait(r: i32): void {
  places.set(r, 1);
}

/** The request is over. */
export function forgetPlace(r: i32): void {
  if (r < room) places.set(r, 0);
  if (ids.has(r)) ids.remove(r);
}

/** Says with the answer which place the request had when it came, and which wait was expected then, in milliseconds. */
export function addPlace(r: i32): void {
  const place = r < room ? places.get(r) - 1 : NONE;
  // It came before its service told places.
  if (place === NONE) return;
  begin();
  put(POSITION);
  putNumber(place as u64);
  if (place > 0 && estimates.get(r) > 0) {
    put(EXPECTED);
    putNumber(estimates.get(r) as u64);
  }
  addHeader(RESPONSE_HEADERS, SLUICE_QUEUE, lineAt(), lineSize());
}

/** Puts a description of the newest request with this id together. False: there is none. */
export function describeRequest(id: usize, size: i32, now: f64): bool {
  const r = ids.find(keyOf(seed, id, size));
  if (r === NONE) return false;
  const isWaiting = queues.isWaiting(r);
  if (!isWaiting && queues.state(r) !== WORKING) return false;
  const s = queues.serviceOf(r);
  const entry = serviceEntry(s);
  const wall = (wallClock() / 1000000) as f64;
  begin();
  put(ID);
  putId(id, size);
  put(SERVICE);
  putBytes(nameAt(entry), nameSize(entry));
  if (isWaiting) {
    const place = queues.placeOf(r, now);
    put(STATE_WAITING);
    putNumber(place as u64);
    put(WAITING_COUNT);
    putNumber(queues.waitingInAll(s) as u64);
    put(SINCE);
    putTime(wall - (now - queues.came(r)));
    put(WAITED);
    putNumber((now - queues.came(r)) as u64);
    putEstimate(s, place);
  } else {
    put(STATE_WORKING);
    put(SINCE);
    putTime(wall - (now - queues.came(r)));
    put(WORKING_SINCE);
    putTime(wall - (now - queues.began(r)));
    put(WAITED);
    putNumber((queues.began(r) - queues.came(r)) as u64);
    put(END);
  }
  return true;
}

function putEstimate(s: i32, place: i32): void {
  if (!queues.expect(s, place)) {
    put(NO_ESTIMATE);
    return;
  }
  put(ESTIMATE);
  putNumber(queues.expected as u64);
  put(SOONEST);
  putNumber(queues.soonestExpected as u64);
  put(LATEST);
  putNumber(queues.latestExpected as u64);
  put(END_BOTH);
}
const END_BOTH = text('}}\n');

/** What was asked for, as far as it can stand in JSON as it is. */
function putId(at: usize, size: i32): void {
  for (let i = 0; i < size && i < 256; i++) {
    const byte = load<u8>(at + i);
    const isPlain = byte > 32 && byte < 127 && byte !== 34 /* " */ && byte !== 92; /* \ */
    putByte(isPlain ? byte : 63 /* ? */);
  }
}
