// Who waits: `WaitingList` of queue.proto. What it tells of a request is read from Envoy when it is asked for.
import { enter, found, foundSize, getHeader, getProperty, REQUEST_HEADERS, release, Text, text } from './host.ts';
import { nameAt, nameSize } from './names.ts';
import { NONE } from './queue.ts';
import { contexts, podEntry, queues } from './state.ts';
import { send } from './stream.ts';
import { classEntry, tenantEntry } from './traits.ts';
import { beginMessage, close, open, writeBytes, writeNumber } from './wire.ts';

const METHOD = text(':method');
const PATH = text(':path');
const CLIENT = text('source\0address');
const REQUEST_ID = text('x-request-id');
/** Whatever is asked for, not more are told. */
const MOST: i32 = 1000;

/** Sends the first `most` that wait for a service. */
export function listWaiting(query: f64, s: i32, most: i32, now: f64): void {
  beginMessage();
  const message = open(8);
  writeNumber(1, query);
  if (s !== NONE) {
    let left = most < MOST ? most : MOST;
    for (let r = queues.firstWaiting(s); r !== NONE && left > 0; r = queues.after(r)) {
      writeRequest(r, now);
      left--;
    }
    writeNumber(3, queues.waiting(s) as f64);
    writeInUse(s);
    writeNumber(5, (queues.claims(s) + queues.awayWaiting(s)) as f64);
    writeNumber(6, queues.away(s) as f64);
  }
  close(message);
  send(now);
}

/** So Sluice need not wait for a report that is certain to be newer than what it has said. */
function writeInUse(s: i32): void {
  let p = queues.anyPod(s);
  for (let left = queues.podCount(s); left > 0; left--) {
    const pod = open(4);
    writeBytes(1, nameAt(podEntry(p)), nameSize(podEntry(p)));
    writeNumber(3, queues.podInUseOf(p) as f64);
    close(pod);
    p = queues.podAfter(p);
  }
}

function writeRequest(r: i32, now: f64): void {
  const context = contexts.of(r);
  enter(context);
  const request = open(2);
  writeNumber(1, context as f64);
  writeNumber(2, Math.floor(now - queues.came(r)));
  writeHeader(3, METHOD);
  if (getHeader(REQUEST_HEADERS, PATH)) {
    let size = 0;
    while (size < foundSize && load<u8>(found + size) !== 63 /* ? */) size++;
    writeBytes(4, found, size);
    release(found);
  }
  if (getProperty(CLIENT)) {
    writeBytes(5, found, foundSize);
    release(found);
  }
  writeHeader(6, REQUEST_ID);
  const entry = classEntry(queues.serviceOf(r), queues.order.classOf(r));
  if (entry !== 0) writeBytes(7, nameAt(entry), nameSize(entry));
  const tenant = tenantEntry(queues.order.tenantOf(r));
  if (tenant !== 0) writeBytes(8, nameAt(tenant), nameSize(tenant));
  close(request);
}

function writeHeader(field: u32, name: Text): void {
  if (!getHeader(REQUEST_HEADERS, name)) return;
  writeBytes(field, found, foundSize);
  release(found);
}
