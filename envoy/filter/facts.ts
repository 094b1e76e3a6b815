// What access logs and traces tell of a request, besides what Envoy knows: its wait, its work, and its place in the queue when it
// came. Kept while the configuration asks for it, in columns beside those of the queue.
import { Floats, Ints } from './columns.ts';
import { facts, traceCluster } from './config.ts';
import { begin, lineAt, lineSize, putNumber, putTenths, setProperty, Text, text } from './host.ts';
import { nameAt, nameSize } from './names.ts';
import { tellWait } from './spans.ts';
import { queues } from './state.ts';
import { classEntry } from './traits.ts';

/** Properties of the stream: `wasm.sluice_wait_ms` and so on in its filter state. */
const WAIT = text('sluice_wait_ms');
const WORK = text('sluice_work_ms');
const PLACE = text('sluice_place');
const CLASS = text('sluice_class');

/** Its place plus one. 0: it came when nobody asked. */
const places: Ints = new Ints();
/** When it got its slot, and when its answer was over. 0: not yet. */
const began: Floats = new Floats();
const ended: Floats = new Floats();
let room: i32 = 0;

/** Whether anybody wants to know. */
export function isKept(): bool {
  return facts || traceCluster.size > 0;
}

/** A request has joined the queue, or has its slot already. */
export function noteArrival(r: i32, now: f64): void {
  if (!isKept()) {
    if (r < room) places.set(r, 0);
    return;
  }
  if (r >= room) {
    room = r < 128 ? 256 : r * 2;
    places.grow(room);
    began.grow(room);
    ended.grow(room);
  }
  notePlaceInQueue(r, now);
  began.set(r, 0);
  ended.set(r, 0);
}

/** Where it stands: of those at other workers this one may have heard only now. */
export function notePlaceInQueue(r: i32, now: f64): void {
  if (r < room && isKept()) places.set(r, 1 + (queues.isWaiting(r) ? queues.placeAtEnd(r, now) : 0));
}

/** It did not have to wait after all. */
export function noteNoWaiting(r: i32): void {
  if (r < room && places.get(r) > 0) places.set(r, 1);
}

/** It has its slot. */
export function noteStart(r: i32): void {
  if (r < room) began.set(r, queues.began(r));
}

/** Its answer is over. */
export function noteEnd(r: i32, now: f64): void {
  if (r < room) ended.set(r, now);
}

/** Its stream is over, whoever ended it: tells what there is to tell. */
export function tellFacts(r: i32, now: f64): void {
  if (r >= room || places.get(r) === 0) return;
  const place = places.get(r) - 1;
  const start = began.get(r);
  const end = ended.get(r);
  if (place > 0) tellWait(r, place, start, now);
  if (!facts) return;
  tell(WAIT, (start > 0 ? start : now) - queues.came(r));
  if (start > 0) tell(WORK, (end > 0 ? end : now) - start);
  begin();
  putNumber(place as u64);
  setProperty(PLACE, lineAt(), lineSize());
  const name = classEntry(queues.serviceOf(r), queues.order.classOf(r));
  if (name !== 0) setProperty(CLASS, nameAt(name), nameSize(name));
}

function tell(property: Text, ms: f64): void {
  begin();
  putTenths(ms);
  setProperty(property, lineAt(), lineSize());
}
