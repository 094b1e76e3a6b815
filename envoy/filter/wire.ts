// Protocol buffers, read and written in place: one message at a time, nothing allocated.

// ---- Reading ----

let at: usize = 0;
let end: usize = 0;
let wireType: u32 = 0;

/** What was read does not follow the rules; nothing more is read. */
export let broken: bool = false;
/** Where the last `readBytes` begins, and how long it is. */
export let bytesAt: usize = 0;
export let bytesSize: i32 = 0;

export function readFrom(start: usize, size: i32): void {
  at = start;
  end = start + size;
  broken = false;
}

/** The number of the next field, or 0: the message is over. */
export function nextField(): u32 {
  if (at >= end || broken) return 0;
  const tag = varint();
  wireType = (tag & 7) as u32;
  const field = (tag >> 3) as u32;
  if (field === 0) broken = true;
  return broken ? 0 : field;
}

export function readNumber(): f64 {
  if (wireType !== 0) broken = true;
  return broken ? 0 : (varint() as f64);
}

/** A number that is used as an i32; larger ones become the largest. */
export function readInt(): i32 {
  const value = readNumber();
  return value > 2147483647 ? 2147483647 : (value as i32);
}

export function readBool(): bool {
  return readNumber() !== 0;
}

/** A string, bytes, or a message to be read later. */
export function readBytes(): void {
  bytesAt = at;
  bytesSize = 0;
  if (wireType !== 2) broken = true;
  if (broken) return;
  const size = varint();
  if (broken || size > ((end - at) as u64)) {
    broken = true;
    return;
  }
  bytesAt = at;
  bytesSize = size as i32;
  at += size as usize;
}

/** The message of this field follows. `leave` with what this returns, when it is read. */
export function enterMessage(): usize {
  const outer = end;
  readBytes();
  if (broken) return outer;
  at = bytesAt;
  end = bytesAt + bytesSize;
  return outer;
}

export function leaveMessage(outer: usize): void {
  if (broken) return;
  at = end;
  end = outer;
}

/** Where reading stands; `rewind` goes back to there, in the same message. */
export function position(): usize {
  return at;
}

export function rewind(to: usize): void {
  at = to;
}

/** Goes over a field that nobody knows. */
export function skip(): void {
  if (wireType === 0) varint();
  else if (wireType === 2) readBytes();
  else if (wireType === 5) jump(4);
  else if (wireType === 1) jump(8);
  else broken = true;
}

function jump(size: usize): void {
  if (end - at < size) broken = true;
  else at += size;
}

function varint(): u64 {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (at < end && shift < 64) {
    const byte = load<u8>(at++);
    value |= ((byte & 0x7f) as u64) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
  broken = true;
  return 0;
}

// ---- Writing ----

const MOST: usize = 16 << 20;
let room: usize = 65536;
let buffer: usize = heap.alloc(room);
let size: usize = 0;

export function beginMessage(): void {
  size = 0;
}

export function messageAt(): usize {
  return buffer;
}

export function messageSize(): usize {
  return size;
}

export function writeNumber(field: u32, value: f64): void {
  if (value <= 0 || !reserve(16)) return;
  put((field << 3) as u64);
  put(value as u64);
}

export function writeFixed64(field: u32, value: u64): void {
  if (!reserve(16)) return;
  put(((field << 3) | 1) as u64);
  store<u64>(buffer + size, value);
  size += 8;
}

export function writeBytes(field: u32, start: usize, length: i32): void {
  if (length === 0 || !reserve(16 + length)) return;
  put(((field << 3) | 2) as u64);
  put(length as u64);
  memory.copy(buffer + size, start, length);
  size += length;
}

export function writeDouble(field: u32, value: f64): void {
  if (!reserve(16)) return;
  put(((field << 3) | 1) as u64);
  store<f64>(buffer + size, value);
  size += 8;
}

/** Fields that were written before. */
export function writeRaw(start: usize, length: usize): void {
  if (!reserve(length)) return;
  memory.copy(buffer + size, start, length);
  size += length;
}

/** A message follows, until `close` with what this returns. */
export function open(field: u32): usize {
  if (!reserve(16)) return 0;
  put(((field << 3) | 2) as u64);
  return size++;
}

/** Also where the message is empty, it is written. */
export function close(opened: usize): void {
  if (opened === 0 || !reserve(16)) return;
  const length = size - opened - 1;
  let extra: usize = 0;
  for (let rest = length >> 7; rest > 0; rest >>= 7) extra++;
  if (extra > 0) memory.copy(buffer + opened + 1 + extra, buffer + opened + 1, length);
  size = opened;
  put(length as u64);
  size += length;
}

/** How Envoy calls the cluster of this name: `GrpcService { envoy_grpc { cluster_name } }`, a message of its own. */
export function writeGrpcService(cluster: usize, length: i32): void {
  beginMessage();
  const envoyGrpc = open(1);
  writeBytes(1, cluster, length);
  close(envoyGrpc);
}

/** A packed number without its field: between `open` and `close`. */
export function writePacked(value: f64): void {
  if (reserve(10)) put(value as u64);
}

function put(value: u64): void {
  while (value >= 0x80) {
    store<u8>(buffer + size++, ((value as u8) & 0x7f) | 0x80);
    value >>= 7;
  }
  store<u8>(buffer + size++, value as u8);
}

function reserve(more: usize): bool {
  if (size + more <= room) return true;
  if (size + more > MOST) return false;
  while (room < size + more) room *= 2;
  buffer = heap.realloc(buffer, room);
  return true;
}
