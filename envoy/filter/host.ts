// Envoy, as the filter sees it: proxy-wasm 0.2.1 without its pointers and out parameters.
//
// What Envoy hands over lies in `scratch` until the callback ends; a larger piece is allocated, and freed by `release`. Nothing
// here allocates once the module has started, but for such pieces.
import { Ints } from './columns.ts';
import {
  proxy_add_header_map_value,
  proxy_continue_stream,
  proxy_get_buffer_bytes,
  proxy_get_current_time_nanoseconds,
  proxy_get_header_map_pairs,
  proxy_get_header_map_value,
  proxy_get_property,
  proxy_get_shared_data,
  proxy_http_call,
  proxy_remove_header_map_value,
  proxy_replace_header_map_value,
  proxy_send_local_response,
  proxy_set_effective_context,
  proxy_set_property,
  proxy_set_shared_data,
  proxy_set_tick_period_milliseconds,
} from './env.ts';
import { clock_time_get } from './wasi_snapshot_preview1.ts';

export const REQUEST_HEADERS: i32 = 0;
export const RESPONSE_HEADERS: i32 = 2;
export const RESPONSE_TRAILERS: i32 = 3;
export const PLUGIN_CONFIGURATION: i32 = 7;
export const GRPC_MESSAGE: i32 = 5;
const RESPONSE_BODY: i32 = 1;

const OK: i32 = 0;
const MONOTONIC: i32 = 1;
/** Bytes of memory beyond which nothing more is taken from Envoy. The module may have 512 MiB. */
const MEMORY_BOUND: usize = 448 << 20;

/** Bytes that stay where they are. */
export class Text {
  constructor(
    public at: usize,
    public size: i32,
  ) {}
}

/** A constant as bytes. `\0` separates the parts of a property's path. */
export function text(s: string): Text {
  const size = String.UTF8.byteLength(s);
  const at = heap.alloc(size + 1);
  String.UTF8.encodeUnsafe(changetype<usize>(s), s.length, at);
  return new Text(at, size as i32);
}

// ---- Memory that Envoy writes to ----

const SCRATCH: usize = 16384;
const scratch: usize = heap.alloc(SCRATCH);
let used: usize = 0;
const out: usize = heap.alloc(16);

/** What the last `getHeader`, `getProperty` or `getBuffer` found. */
export let found: usize = 0;
export let foundSize: i32 = 0;

/** A callback begins: what Envoy handed over before is not needed any more. */
export function fresh(): void {
  used = 0;
  read = 0;
}

export function allocate(size: usize): usize {
  const need = (size + 7) & ~7;
  if (used + need <= SCRATCH) {
    const at = scratch + used;
    used += need;
    return at;
  }
  if (((memory.size() as usize) << 16) + need > MEMORY_BOUND) return 0;
  return heap.alloc(need);
}

/** Gives a piece back that Envoy handed over. */
export function release(at: usize): void {
  if (at !== 0 && (at < scratch || at >= scratch + SCRATCH)) heap.free(at);
}

function take(status: i32): bool {
  return takeFrom(status, out);
}

/** What Envoy has handed over is `found`: its address and size lie at `at`. */
export function takeFrom(status: i32, at: usize): bool {
  if (status !== OK) {
    found = 0;
    foundSize = 0;
    return false;
  }
  found = load<usize>(at);
  foundSize = load<i32>(at + 4);
  return true;
}

// ---- Time ----

let latest: f64 = 0;

/** Milliseconds of a clock that never goes back. */
export function now(): f64 {
  clock_time_get(MONOTONIC, 0, out);
  const at = (load<u64>(out) as f64) / 1e6;
  if (at > latest) latest = at;
  return latest;
}

/** Nanoseconds since 1970. */
export function wallClock(): u64 {
  proxy_get_current_time_nanoseconds(out);
  return load<u64>(out);
}

export function setTick(ms: u32): void {
  proxy_set_tick_period_milliseconds(ms);
}

/** What follows concerns this stream or root. */
export function enter(context: u32): void {
  read = 0;
  proxy_set_effective_context(context);
}

// ---- Headers, properties, buffers ----

/** Whether these headers are of a call of gRPC, or of an answer to one. */
export function isGrpc(map: i32): bool {
  if (!getHeader(map, CONTENT_TYPE)) return false;
  const is = foundSize >= APPLICATION_GRPC.size && same(found, APPLICATION_GRPC.size, APPLICATION_GRPC);
  release(found);
  return is;
}
const CONTENT_TYPE = text('content-type');
const APPLICATION_GRPC = text('application/grpc');

/** All headers of the request of this callback, until it concerns another one; 0: they were not read. */
let read: usize = 0;

/** Reads all headers of this request at once: for whoever will ask for several of them, as each question is a call of Envoy. */
export function readHeaders(): void {
  if (!getPairs(REQUEST_HEADERS)) return;
  if (found >= scratch && found < scratch + SCRATCH) read = found;
  else release(found);
}

/** The header of this name among those that were read, whose names are in small letters as this one. */
function findRead(name: Text): bool {
  const count = load<i32>(read);
  let sizes = read + 4;
  let at = sizes + ((count as usize) << 3);
  for (let i = 0; i < count; i++) {
    const size = load<i32>(sizes);
    const valueSize = load<i32>(sizes + 4);
    if (same(at, size, name)) {
      found = at + size + 1;
      foundSize = valueSize;
      return valueSize > 0;
    }
    at += size + valueSize + 2;
    sizes += 8;
  }
  found = 0;
  foundSize = 0;
  return false;
}

export function getHeader(map: i32, name: Text): bool {
  if (read !== 0 && map === REQUEST_HEADERS) return findRead(name);
  return take(proxy_get_header_map_value(map, name.at, name.size, out, out + 4)) && foundSize > 0;
}

/** Whether there is such a header, with a value. */
export function hasHeader(map: i32, name: Text): bool {
  if (!getHeader(map, name)) return false;
  release(found);
  return true;
}

/** All headers, as `answerWith` takes them. */
export function getPairs(map: i32): bool {
  return take(proxy_get_header_map_pairs(map, out, out + 4)) && foundSize > 0;
}

export function setHeader(map: i32, name: Text, value: usize, size: i32): void {
  proxy_replace_header_map_value(map, name.at, name.size, value, size);
}

export function addHeader(map: i32, name: Text, value: usize, size: i32): void {
  proxy_add_header_map_value(map, name.at, name.size, value, size);
}

export function removeHeader(map: i32, name: Text): void {
  proxy_remove_header_map_value(map, name.at, name.size);
}

export function getProperty(path: Text): bool {
  return take(proxy_get_property(path.at, path.size, out, out + 4)) && foundSize > 0;
}

/** Sets a property of the stream, which all its filters can read. */
export function setProperty(path: Text, value: usize, size: i32): void {
  proxy_set_property(path.at, path.size, value, size);
}

/** A property that is a whole number. 0 where there is none. */
export function getNumber(path: Text): i64 {
  if (!getProperty(path)) return 0;
  const value = foundSize === 8 ? load<i64>(found) : 0;
  release(found);
  return value;
}

export function getBuffer(buffer: i32, size: i32): bool {
  return take(proxy_get_buffer_bytes(buffer, 0, size, out, out + 4));
}

/** So many bytes of the answer's body that is passing. */
export function getBody(size: i32): bool {
  return getBuffer(RESPONSE_BODY, size) && foundSize > 0;
}

/** A whole number of at most nine digits; -1: it is something else. */
export function wholeNumber(at: usize, size: i32): i32 {
  if (size < 1 || size > 9) return -1;
  let value: i32 = 0;
  for (let i = 0; i < size; i++) {
    const digit = (load<u8>(at + i) as i32) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The value of a header that is a whole number; 0: it is something else, or not there. */
export function getWholeNumber(map: i32, name: Text): i32 {
  if (!getHeader(map, name)) return 0;
  const value = wholeNumber(found, foundSize);
  release(found);
  return value < 0 ? 0 : value;
}

export function same(at: usize, size: i32, other: Text): bool {
  return size === other.size && memory.compare(at, other.at, size) === 0;
}

// ---- What VMs of one id share ----

/** Sets the value of the key that was put together to a number. */
export function share(value: u64): void {
  store<u64>(out + 8, value);
  proxy_set_shared_data(line, lineEnd, out + 8, 8, 0);
}

/** The number of the key that was put together. 0: there is none. */
export function shared(): u64 {
  if (!take(proxy_get_shared_data(line, lineEnd, out, out + 4, out + 8))) return 0;
  const value: u64 = foundSize === 8 ? load<u64>(found) : 0;
  release(found);
  return value;
}

// ---- Text that is put together ----

const LINE: i32 = 4096;
const line: usize = heap.alloc(LINE);
let lineEnd: i32 = 0;

export function begin(): void {
  lineEnd = 0;
}

export function put(t: Text): void {
  putBytes(t.at, t.size);
}

export function putBytes(at: usize, size: i32): void {
  if (lineEnd + size > LINE) return;
  memory.copy(line + lineEnd, at, size);
  lineEnd += size;
}

export function putByte(byte: u8): void {
  if (lineEnd >= LINE) return;
  store<u8>(line + lineEnd, byte);
  lineEnd++;
}

export function putNumber(value: u64): void {
  let digits = 1;
  for (let rest = value; rest >= 10; rest /= 10) digits++;
  if (lineEnd + digits > LINE) return;
  for (let i = digits - 1; i >= 0; i--) {
    store<u8>(line + lineEnd + i, (48 + (value % 10)) as u8);
    value /= 10;
  }
  lineEnd += digits;
}

/** Milliseconds with one decimal; what is below 0 is 0. */
export function putTenths(ms: f64): void {
  const tenths = Math.round(ms > 0 ? ms * 10 : 0) as u64;
  putNumber(tenths / 10);
  putByte(46 /* . */);
  putNumber(tenths % 10);
}

/** A moment, in milliseconds since 1970, as RFC 3339 has it: `2026-11-30T14:34:25.123Z`. */
export function putTime(ms: f64): void {
  const all = ms as u64;
  const day = all / 86400000;
  const rest = all % 86400000;
  // The Gregorian calendar, in eras of 400 years that begin on the first of March.
  const shifted = day + 719468;
  const era = shifted / 146097;
  const ofEra = shifted % 146097;
  const year = (ofEra - ofEra / 1460 + ofEra / 36524 - ofEra / 146096) / 365;
  const ofYear = ofEra - (365 * year + year / 4 - year / 100);
  const march = (5 * ofYear + 2) / 153;
  const month = march < 10 ? march + 3 : march - 9;
  putNumber(era * 400 + year + (month <= 2 ? 1 : 0));
  putPart(45 /* - */, month, 2);
  putPart(45 /* - */, ofYear - (153 * march + 2) / 5 + 1, 2);
  putPart(84 /* T */, rest / 3600000, 2);
  putPart(58 /* : */, (rest / 60000) % 60, 2);
  putPart(58 /* : */, (rest / 1000) % 60, 2);
  putPart(46 /* . */, rest % 1000, 3);
  putByte(90 /* Z */);
}

/** A number with zeros before it, after a sign. */
function putPart(sign: u8, value: u64, digits: i32): void {
  putByte(sign);
  let least: u64 = 1;
  for (let i = 1; i < digits; i++) least *= 10;
  for (; least > 1 && value < least; least /= 10) putByte(48 /* 0 */);
  putNumber(value);
}

export function lineAt(): usize {
  return line;
}

export function lineSize(): i32 {
  return lineEnd;
}

// ---- Answers and calls ----

export function resume(): void {
  proxy_continue_stream(0);
}

const PAIRS: usize = heap.alloc(1024);
let pairCount: i32 = 0;
let pairBytes: i32 = 0;
const pairData: usize = heap.alloc(512);

/** Begins a list of headers. */
export function beginHeaders(): void {
  pairCount = 0;
  pairBytes = 0;
}

/** Adds a header to the list; at most 8 in 512 bytes. */
export function header(name: Text, value: usize, size: i32): void {
  if (pairCount === 8 || pairBytes + name.size + size + 2 > 512) return;
  const sizes = PAIRS + 4 + pairCount * 8;
  store<i32>(sizes, name.size);
  store<i32>(sizes + 4, size);
  const at = pairData + pairBytes;
  memory.copy(at, name.at, name.size);
  store<u8>(at + name.size, 0);
  memory.copy(at + name.size + 1, value, size);
  store<u8>(at + name.size + 1 + size, 0);
  pairBytes += name.size + size + 2;
  pairCount++;
}

/** The list of headers, as `answerWith` takes it; `headersSize` first. */
export function headersAt(): usize {
  return PAIRS;
}

export function headersSize(): i32 {
  if (pairCount === 0) return 0;
  store<i32>(PAIRS, pairCount);
  memory.copy(PAIRS + 4 + pairCount * 8, pairData, pairBytes);
  return 4 + pairCount * 8 + pairBytes;
}

/** Answers the request of this context, with the list of headers and as body the line that was put together. */
export function answer(status: i32, details: Text, grpcStatus: i32): void {
  if (isWithheld) {
    isWithheld = false;
    withheldStatus = status;
    withheldDetails = details;
    return;
  }
  proxy_send_local_response(status, details.at, details.size, line, lineEnd, PAIRS, headersSize(), grpcStatus);
}

let isWithheld: bool = false;
let withheldStatus: i32 = 0;
let withheldDetails: Text = new Text(0, 0);
/** Before the headers and the body of an answer that is kept: its status, its details, and how long these two are. */
const KEPT_HEAD: i32 = 20;

/** The next answer, to a request that is no call of gRPC, is put together, but not sent. */
export function withholdAnswer(): void {
  isWithheld = true;
}

/** A copy of the answer that was not sent, for `sendAnswer` or `freeAnswer`. Its details lie where they lay. */
export function copyAnswer(): usize {
  const pairsSize = headersSize() as i32;
  const at = heap.alloc(KEPT_HEAD + pairsSize + lineEnd);
  store<i32>(at, withheldStatus);
  store<u32>(at + 4, withheldDetails.at as u32);
  store<i32>(at + 8, withheldDetails.size);
  store<i32>(at + 12, pairsSize);
  store<i32>(at + 16, lineEnd);
  memory.copy(at + KEPT_HEAD, PAIRS, pairsSize);
  memory.copy(at + KEPT_HEAD + pairsSize, line, lineEnd);
  return at;
}

/** Answers the request of this context with an answer that was kept. */
export function sendAnswer(at: usize): void {
  const pairsSize = load<i32>(at + 12);
  const pairs = at + KEPT_HEAD;
  const status = load<i32>(at);
  const details = load<u32>(at + 4) as usize;
  proxy_send_local_response(
    status,
    details,
    load<i32>(at + 8),
    pairs + pairsSize,
    load<i32>(at + 16),
    pairs,
    pairsSize,
    -1,
  );
  heap.free(at);
}

export function freeAnswer(at: usize): void {
  heap.free(at);
}

/** Answers the request of this context with a text. */
export function answerText(status: i32, details: Text, body: Text, grpcStatus: i32): void {
  beginHeaders();
  begin();
  put(body);
  answer(status, details, grpcStatus);
}

/** Answers the request of this context with headers and a body that lie somewhere. */
export function answerWith(status: i32, details: Text, pairs: usize, pairsSize: i32, body: usize, bodySize: i32): void {
  proxy_send_local_response(status, details.at, details.size, body, bodySize, pairs, pairsSize, -1);
}

/** Calls a cluster, with the list of headers. False: it could not even be begun. */
export function call(cluster: Text, timeoutMs: u32): bool {
  return proxy_http_call(cluster.at, cluster.size, PAIRS, headersSize(), 0, 0, 0, 0, timeoutMs, out) === OK;
}

/** Keeps a copy of these bytes at a row of two columns, in place of those that were there; size 0: none. */
export function keepBytes(ats: Ints, sizes: Ints, row: i32, at: usize, size: i32): void {
  if (ats.get(row) !== 0) heap.free(ats.get(row) as usize);
  const copy: usize = size > 0 ? heap.alloc(size) : 0;
  if (size > 0) memory.copy(copy, at, size);
  ats.set(row, copy as i32);
  sizes.set(row, size);
}
