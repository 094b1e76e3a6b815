// The queue in Envoy's own statistics, so that its `/stats/prometheus` tells it also while Sluice is away.
//
// `wasmcustom.sluice_queue_waiting.SERVICE` and so on: the service stands last, so that one expression makes it a tag. All are
// changed by differences: several workers share one statistic, and its value is their sum. The slots are the same for all: one tells them.
import { Floats, Ints } from './columns.ts';
import { proxy_define_metric, proxy_increment_metric } from './env.ts';
import { begin, lineAt, lineSize, put, putBytes, Text, text } from './host.ts';
import { addName, findName, nameAt, nameSize, numberOf } from './names.ts';
import { COUNTS } from './queue.ts';
import { membership, queues, serviceEntry } from './state.ts';

const COUNTER: i32 = 0;
const GAUGE: i32 = 1;
/** Gauges: waiting, in use, slots. Then the counts of queue.ts, then milliseconds waited and worked. */
const GAUGES: i32 = 3;
const ALL: i32 = GAUGES + COUNTS + 2;

const names: StaticArray<Text> = [
  text('sluice_queue_waiting.'),
  text('sluice_queue_in_use.'),
  text('sluice_queue_slots.'),
  text('sluice_queue_arrived.'),
  text('sluice_queue_started.'),
  text('sluice_queue_answered.'),
  text('sluice_queue_failed.'),
  text('sluice_queue_refused.'),
  text('sluice_queue_wait_timeouts.'),
  text('sluice_queue_abandoned_waiting.'),
  text('sluice_queue_abandoned_working.'),
  text('sluice_queue_work_timeouts.'),
  text('sluice_queue_retried.'),
  text('sluice_queue_ejections.'),
  text('sluice_queue_unserved.'),
  text('sluice_queue_deadlines.'),
  text('sluice_queue_wait_ms.'),
  text('sluice_queue_work_ms.'),
];

/** The scope of names.ts in which each name that ever had statistics has its place. */
const NAMES: i32 = -2;

let most: i32 = 1000;
let places: i32 = 0;
let placeRoom: i32 = 0;
let serviceRoom: i32 = 0;
/** One above the place of a service; 0: it has none. */
const placeOf: Ints = new Ints();
const ids: Ints = new Ints();
const told: Floats = new Floats();
const out: usize = heap.alloc(8);

/** So many names have statistics; the first that come. Envoy keeps a statistic for ever, so a place is never another name's. */
export function setStatisticsMax(services: i32): void {
  most = services;
}

/** Brings the statistics of a service up to date. */
export function updateStatistics(s: i32): void {
  if (s >= serviceRoom) {
    serviceRoom = s < 16 ? 32 : s * 2;
    placeOf.grow(serviceRoom);
  }
  if (placeOf.get(s) === 0) {
    const found = place(s);
    if (found < 0) return;
    placeOf.set(s, found + 1);
  }
  const at = (placeOf.get(s) - 1) * ALL;
  tell(at, queues.waiting(s) as f64);
  tell(at + 1, queues.inUse(s) as f64);
  tell(at + 2, membership.tells() ? (queues.slots(s) as f64) : 0);
  for (let i = 0; i < COUNTS; i++) tell(at + GAUGES + i, queues.count(s, i));
  tell(at + GAUGES + COUNTS, Math.floor(queues.waitSum(s)));
  tell(at + GAUGES + COUNTS + 1, Math.floor(queues.workSum(s)));
}

/** A service is forgotten: its gauges are 0. One of the same name begins to count at 0, and its statistics go on. */
export function forgetStatistics(s: i32): void {
  if (s >= serviceRoom || placeOf.get(s) === 0) return;
  updateStatistics(s);
  const at = (placeOf.get(s) - 1) * ALL;
  for (let i = 0; i < GAUGES; i++) tell(at + i, 0);
  told.clear(at, ALL);
  placeOf.set(s, 0);
}

/** The place of a service's name, a new one if there is room for it. */
function place(s: i32): i32 {
  const entry = serviceEntry(s);
  const known = findName(NAMES, nameAt(entry), nameSize(entry));
  if (known !== 0) return numberOf(known);
  if (places >= most) return -1;
  const at = places++;
  if (at >= placeRoom) {
    placeRoom = at < 16 ? 32 : at * 2;
    ids.grow(placeRoom * ALL);
    told.grow(placeRoom * ALL);
  }
  addName(NAMES, nameAt(entry), nameSize(entry), at);
  for (let i = 0; i < ALL; i++) {
    begin();
    put(names[i]);
    putBytes(nameAt(entry), nameSize(entry));
    proxy_define_metric(i < GAUGES ? GAUGE : COUNTER, lineAt(), lineSize(), out);
    ids.set(at * ALL + i, load<i32>(out));
  }
  return at;
}

function tell(at: i32, value: f64): void {
  const by = value - told.get(at);
  if (by === 0) return;
  proxy_increment_metric(ids.get(at) as u32, by as i64);
  told.set(at, value);
}
