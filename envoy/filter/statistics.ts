// The queue in Envoy's own statistics, so that its `/stats/prometheus` tells it also while Sluice is away.
//
// `wasmcustom.sluice_queue_waiting.SERVICE` and so on: the service stands last, so that one expression makes it a tag. All are
// changed by differences: several workers share one statistic, and its value is their sum.
import { Floats, Ints } from './columns.ts';
import { proxy_define_metric, proxy_increment_metric } from './env.ts';
import { begin, lineAt, lineSize, put, putBytes, Text, text } from './host.ts';
import { nameAt, nameSize } from './names.ts';
import { COUNTS } from './queue.ts';
import { queues, serviceEntry } from './state.ts';

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
  text('sluice_queue_wait_ms.'),
  text('sluice_queue_work_ms.'),
];

let most: i32 = 1000;
let defined: i32 = 0;
let room: i32 = 0;
const isDefined: Ints = new Ints();
const ids: Ints = new Ints();
const told: Floats = new Floats();
const out: usize = heap.alloc(8);

/** So many services have statistics; the first that come. */
export function setStatisticsMax(services: i32): void {
  most = services;
}

/** Brings the statistics of a service up to date. */
export function updateStatistics(s: i32): void {
  if (s >= room) {
    room = s < 16 ? 32 : s * 2;
    isDefined.grow(room);
    ids.grow(room * ALL);
    told.grow(room * ALL);
  }
  if (isDefined.get(s) === 0) {
    if (defined >= most) return;
    define(s);
  }
  tell(s, 0, queues.waiting(s) as f64);
  tell(s, 1, queues.inUse(s) as f64);
  tell(s, 2, queues.slots(s) as f64);
  for (let i = 0; i < COUNTS; i++) tell(s, GAUGES + i, queues.count(s, i));
  tell(s, GAUGES + COUNTS, Math.floor(queues.waitSum(s)));
  tell(s, GAUGES + COUNTS + 1, Math.floor(queues.workSum(s)));
}

/** The number of a forgotten service may become another's. */
export function forgetStatistics(s: i32): void {
  if (s >= room || isDefined.get(s) === 0) return;
  for (let i = 0; i < GAUGES; i++) tell(s, i, 0);
  isDefined.set(s, 0);
  defined--;
}

function define(s: i32): void {
  const entry = serviceEntry(s);
  for (let i = 0; i < ALL; i++) {
    begin();
    put(names[i]);
    putBytes(nameAt(entry), nameSize(entry));
    proxy_define_metric(i < GAUGES ? GAUGE : COUNTER, lineAt(), lineSize(), out);
    ids.set(s * ALL + i, load<i32>(out));
  }
  told.clear(s * ALL, ALL);
  isDefined.set(s, 1);
  defined++;
}

function tell(s: i32, which: i32, value: f64): void {
  const at = s * ALL + which;
  const by = value - told.get(at);
  if (by === 0) return;
  proxy_increment_metric(ids.get(at) as u32, by as i64);
  told.set(at, value);
}
