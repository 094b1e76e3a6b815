// Names by number and numbers by name: services, and the addresses of a service's pods.
//
// An entry is one piece of memory: next entry, hash, scope, value, size, then the bytes.

const NEXT: usize = 0;
const HASH: usize = 4;
const SCOPE: usize = 8;
const VALUE: usize = 12;
const SIZE: usize = 16;
const BYTES: usize = 20;

let buckets: u32 = 1024;
let table: usize = heap.alloc(buckets * 4);
memory.fill(table, 0, buckets * 4);
let entries: u32 = 0;

function hashOf(scope: i32, at: usize, size: i32): u32 {
  let hash: u32 = 2166136261 ^ (scope as u32);
  for (let i = 0; i < size; i++) hash = (hash ^ load<u8>(at + i)) * 16777619;
  return hash ^ (hash >> 15);
}

/** The entry of a name in a scope, or 0. */
export function findName(scope: i32, at: usize, size: i32): usize {
  const hash = hashOf(scope, at, size);
  let entry = load<usize>(table + ((hash & (buckets - 1)) << 2));
  while (entry !== 0) {
    if (
      load<u32>(entry + HASH) === hash &&
      load<i32>(entry + SCOPE) === scope &&
      load<i32>(entry + SIZE) === size &&
      memory.compare(entry + BYTES, at, size) === 0
    )
      return entry;
    entry = load<usize>(entry + NEXT);
  }
  return 0;
}

/** Adds a name that is not there yet. */
export function addName(scope: i32, at: usize, size: i32, value: i32): usize {
  if (entries >= buckets) growTable();
  const hash = hashOf(scope, at, size);
  const bucket = table + ((hash & (buckets - 1)) << 2);
  const entry = heap.alloc(BYTES + size);
  store<usize>(entry + NEXT, load<usize>(bucket));
  store<u32>(entry + HASH, hash);
  store<i32>(entry + SCOPE, scope);
  store<i32>(entry + VALUE, value);
  store<i32>(entry + SIZE, size);
  memory.copy(entry + BYTES, at, size);
  store<usize>(bucket, entry);
  entries++;
  return entry;
}

export function removeName(entry: usize): void {
  let link = table + ((load<u32>(entry + HASH) & (buckets - 1)) << 2);
  while (load<usize>(link) !== entry) link = load<usize>(link) + NEXT;
  store<usize>(link, load<usize>(entry + NEXT));
  heap.free(entry);
  entries--;
}

/** Another number has this name from now on. */
export function renumber(entry: usize, value: i32): void {
  store<i32>(entry + VALUE, value);
}

export function numberOf(entry: usize): i32 {
  return load<i32>(entry + VALUE);
}

export function nameAt(entry: usize): usize {
  return entry + BYTES;
}

export function nameSize(entry: usize): i32 {
  return load<i32>(entry + SIZE);
}

function growTable(): void {
  const size = buckets * 2;
  const grown = heap.alloc(size * 4);
  memory.fill(grown, 0, size * 4);
  for (let i: u32 = 0; i < buckets; i++) {
    let entry = load<usize>(table + (i << 2));
    while (entry !== 0) {
      const next = load<usize>(entry + NEXT);
      const bucket = grown + ((load<u32>(entry + HASH) & (size - 1)) << 2);
      store<usize>(entry + NEXT, load<usize>(bucket));
      store<usize>(bucket, entry);
      entry = next;
    }
  }
  heap.free(table);
  table = grown;
  buckets = size;
}
