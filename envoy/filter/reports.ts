// What the filter tells Sluice: the messages of `FilterMessage` in queue.proto, written into wire.ts.
import { comingFor } from './bodies.ts';
import { Ints } from './columns.ts';
import { BUCKETS } from './durations.ts';
import { writeJobs } from './jobs.ts';
import { nameAt, nameSize } from './names.ts';
import { COUNTS, NONE, STARTED } from './queue.ts';
import { podEntry, queues, serviceEntry } from './state.ts';
import { classEntry, tenantEntry } from './traits.ts';
import { close, messageSize, open, writeBytes, writeNumber, writePacked } from './wire.ts';

/** A message of reports ends after so many bytes. */
const CHUNK: usize = 32768;

/** Writes `ServiceReport` as this field. All pods, or those that have changed. */
export function writeService(field: u32, s: i32, now: f64, allPods: bool): void {
  const message = open(field);
  const entry = serviceEntry(s);
  writeBytes(1, nameAt(entry), nameSize(entry));
  writeNumber(2, queues.waiting(s) as f64);
  writeNumber(3, Math.floor(queues.oldestWait(s, now)));
  const counts = open(4);
  for (let i = 0; i < COUNTS; i++) writeNumber(i + 1, queues.count(s, i));
  close(counts);
  if (queues.count(s, STARTED) > 0) writeDurations(s);
  writePods(s, now, allPods);
  writeNumber(8, queues.mostWaiting(s) as f64);
  writeNumber(9, queues.mostInUse(s) as f64);
  writeNumber(10, queues.inUse(s) as f64);
  writeNumber(11, queues.isKnown(s) ? 1 : 0);
  writeNumber(20, queues.expectNext(s) ? Math.ceil(queues.expected) : 0);
  writeNumber(21, comingFor(s) as f64);
  if (allPods) writeJobs(22, s, now);
  if (allPods && queues.isTaken(s)) {
    const taker = serviceEntry(queues.takerOf(s));
    writeBytes(30, nameAt(taker), nameSize(taker));
  }
  writeNumber(23, queues.jobs(s) as f64);
  if (!allPods && queues.shared && queues.sharedVersion(s) > 0) {
    writeNumber(24, queues.sharedVersion(s));
    writeNumber(25, queues.inUseInAll(s) as f64);
  }
  writeClasses(s);
  if (queues.order.fair(s)) writeTenants(s);
  close(message);
  queues.clearMost(s);
}

function writeDurations(s: i32): void {
  const waits = open(5);
  const waitBuckets = open(1);
  for (let i = 0; i < BUCKETS; i++) writePacked(queues.waitBucket(s, i));
  close(waitBuckets);
  writeNumber(2, Math.floor(queues.waitSum(s)));
  close(waits);
  const works = open(6);
  const workBuckets = open(1);
  for (let i = 0; i < BUCKETS; i++) writePacked(queues.workBucket(s, i));
  close(workBuckets);
  writeNumber(2, Math.floor(queues.workSum(s)));
  close(works);
}

function writeClasses(s: i32): void {
  for (let c: i32 = 0; c < queues.order.classesOf(s); c++) {
    const entry = classEntry(s, c);
    if (entry === 0) continue;
    const report = open(12);
    writeBytes(1, nameAt(entry), nameSize(entry));
    writeNumber(2, queues.order.waitingIn(s, c) as f64);
    writeNumber(3, queues.order.startsIn(s, c));
    writeNumber(4, Math.floor(queues.order.waitSumIn(s, c)));
    close(report);
  }
}

/** So many tenants are told of: any number may have something. */
const TENANTS: i32 = 10;
const most: Ints = new Ints();
most.grow(TENANTS);

function writeTenants(s: i32): void {
  let busy: i32 = 0;
  let told: i32 = 0;
  for (let t = queues.order.anyTenant(s); t !== NONE; t = queues.order.tenantAfter(t)) {
    const size = queues.order.waitingOf(t) + queues.order.inUseOf(t);
    if (size === 0) continue;
    busy++;
    let place = told < TENANTS ? told : TENANTS - 1;
    if (told === TENANTS && sizeOf(most.get(place)) >= size) continue;
    if (told < TENANTS) told++;
    for (; place > 0 && sizeOf(most.get(place - 1)) < size; place--) most.set(place, most.get(place - 1));
    most.set(place, t);
  }
  for (let i: i32 = 0; i < told; i++) {
    const t = most.get(i);
    const entry = tenantEntry(t);
    const report = open(13);
    writeBytes(1, nameAt(entry), nameSize(entry));
    writeNumber(2, queues.order.waitingOf(t) as f64);
    writeNumber(3, queues.order.inUseOf(t) as f64);
    close(report);
  }
  writeNumber(14, busy as f64);
}

function sizeOf(t: i32): i32 {
  return queues.order.waitingOf(t) + queues.order.inUseOf(t);
}

function writePods(s: i32, now: f64, all: bool): void {
  let p = queues.anyPod(s);
  for (let left = queues.podCount(s); left > 0; left--) {
    const changed = queues.takePodChange(p);
    if (changed || all) {
      const pod = open(7);
      writeBytes(1, nameAt(podEntry(p)), nameSize(podEntry(p)));
      writeNumber(2, queues.podLimitOf(p) as f64);
      writeNumber(3, queues.podInUseOf(p) as f64);
      writeNumber(4, queues.podState(p) as f64);
      writeNumber(5, Math.ceil(queues.ejectedFor(p, now)));
      writeNumber(6, queues.podInUseInAll(p) as f64);
      close(pod);
    }
    p = queues.podAfter(p);
  }
}

/** Whether a message of reports is long enough to be sent. */
export function isFull(): bool {
  return messageSize() > CHUNK;
}
