// The wait of a traced request as a span of its own. Envoy has its filters make no spans, so this one writes them itself, and sends
// them to the collector that Envoy's tracer sends its spans to.
//
// The router tells the pod of Envoy's span by `traceparent`, in the request's own headers: when the request is over, its trace and
// the parent of the wait can be read there. Of a request that never got a slot the header is the client's.
import { traceCluster, traceService } from './config.ts';
import { proxy_grpc_call } from './env.ts';
import { tickRoot, wake } from './flow.ts';
import {
  enter,
  found,
  foundSize,
  getHeader,
  getProperty,
  REQUEST_HEADERS,
  release,
  Text,
  text,
  wallClock,
} from './host.ts';
import { nameAt, nameSize } from './names.ts';
import { queues, serviceEntry } from './state.ts';
import { random_get } from './wasi_snapshot_preview1.ts';
import {
  beginMessage,
  close,
  messageAt,
  messageSize,
  open,
  writeBytes,
  writeDouble,
  writeFixed64,
  writeGrpcService,
  writeNumber,
  writeRaw,
} from './wire.ts';

const TRACEPARENT = text('traceparent');
const UPSTREAM_ADDRESS = text('upstream\0address');
const SERVICE = text('opentelemetry.proto.collector.trace.v1.TraceService');
const METHOD = text('Export');
const NAME = text('wait for a slot');
const SCOPE = text('sluice');
const SERVICE_NAME = text('service.name');
const OF_SERVICE = text('sluice.service');
const OF_POD = text('sluice.pod');
const OF_PLACE = text('sluice.place');
const OF_WAIT = text('sluice.wait_ms');

/** `00-`, 32 hexadecimal digits of the trace, `-`, 16 of the span, `-`, two of flags. */
const TRACEPARENT_SIZE: i32 = 55;
const DASH: u8 = 45;
/** A span inside its service, of which no other process knows. */
const INTERNAL: f64 = 1;
/** Spans go out so long after the first of them, or when they are so many bytes. */
const FLUSH_MS: f64 = 1000;
const FLUSH_BYTES: usize = 65536;
/** More are dropped: their collector is slower than they come. */
const MOST_BYTES: usize = 262144;
const CALL_MS: u32 = 5000;

const ids: usize = heap.alloc(32);
const tokenAt: usize = heap.alloc(8);
const TARGET: usize = 512;
const target: usize = heap.alloc(TARGET);
// Taken with the first span.
let pending: usize = 0;
let pendingSize: usize = 0;
let due: f64 = Infinity;

/** A request that has waited is over: from `came` to `slot`, or until now where it got none. */
export function tellWait(r: i32, place: i32, slot: f64, now: f64): void {
  if (traceCluster.size === 0 || !getHeader(REQUEST_HEADERS, TRACEPARENT)) return;
  const isSampled = readTraceparent(found, foundSize);
  release(found);
  if (!isSampled) return;
  const came = queues.came(r);
  const end = slot > 0 ? slot : now;
  const wall = wallClock();
  beginMessage();
  const span = open(2);
  writeBytes(1, ids, 16);
  random_get(ids + 24, 8);
  writeBytes(2, ids + 24, 8);
  writeBytes(4, ids + 16, 8);
  writeBytes(5, NAME.at, NAME.size);
  writeNumber(6, INTERNAL);
  writeFixed64(7, wall - (((now - came) * 1e6) as u64));
  writeFixed64(8, wall - (((now - end) * 1e6) as u64));
  const service = serviceEntry(queues.serviceOf(r));
  attribute(OF_SERVICE, nameAt(service), nameSize(service));
  // It has left its pod by now.
  if (slot > 0 && getProperty(UPSTREAM_ADDRESS)) {
    attribute(OF_POD, found, foundSize);
    release(found);
  }
  numeric(OF_PLACE, place as f64);
  numeric(OF_WAIT, end - came);
  close(span);
  const size = messageSize();
  if (pendingSize + size > MOST_BYTES) return;
  if (pending === 0) pending = heap.alloc(MOST_BYTES);
  memory.copy(pending + pendingSize, messageAt(), size);
  pendingSize += size;
  if (due === Infinity) due = now + FLUSH_MS;
  if (pendingSize > FLUSH_BYTES) due = now;
  wake(due > now ? due : now + 1, now);
}

/** The tick: sends what there is. When it has something to do next. */
export function tickSpans(now: f64): f64 {
  if (due > now) return due;
  due = Infinity;
  writeGrpcService(traceCluster.at, traceCluster.size);
  const targetSize = messageSize();
  if (targetSize > TARGET) return due;
  memory.copy(target, messageAt(), targetSize);
  beginMessage();
  const spans = open(1);
  const resource = open(1);
  const name = open(1);
  writeBytes(1, SERVICE_NAME.at, SERVICE_NAME.size);
  const value = open(2);
  writeBytes(1, traceService.at, traceService.size);
  close(value);
  close(name);
  close(resource);
  const scoped = open(2);
  const scope = open(1);
  writeBytes(1, SCOPE.at, SCOPE.size);
  close(scope);
  writeRaw(pending, pendingSize);
  close(scoped);
  close(spans);
  pendingSize = 0;
  enter(tickRoot);
  proxy_grpc_call(
    target,
    targetSize,
    SERVICE.at,
    SERVICE.size,
    METHOD.at,
    METHOD.size,
    0,
    0,
    messageAt(),
    messageSize(),
    CALL_MS,
    tokenAt,
  );
  return due;
}

function attribute(key: Text, at: usize, size: i32): void {
  const pair = open(9);
  writeBytes(1, key.at, key.size);
  const value = open(2);
  writeBytes(1, at, size);
  close(value);
  close(pair);
}

function numeric(key: Text, number: f64): void {
  const pair = open(9);
  writeBytes(1, key.at, key.size);
  const value = open(2);
  writeDouble(4, number);
  close(value);
  close(pair);
}

/** Puts the ids of the trace and of the parent at `ids`. Whether the trace is to be kept. */
function readTraceparent(at: usize, size: i32): bool {
  if (size < TRACEPARENT_SIZE || load<u8>(at + 2) !== DASH) return false;
  for (let i: usize = 0; i < 16; i++) store<u8>(ids + i, byteAt(at + 3 + i * 2));
  for (let i: usize = 0; i < 8; i++) store<u8>(ids + 16 + i, byteAt(at + 36 + i * 2));
  return (byteAt(at + 53) & 1) !== 0;
}

function byteAt(at: usize): u8 {
  return ((digit(load<u8>(at)) << 4) | digit(load<u8>(at + 1))) as u8;
}

function digit(code: u8): u32 {
  return (code >= 97 /* a */ ? code - 87 : code - 48) & 15;
}
