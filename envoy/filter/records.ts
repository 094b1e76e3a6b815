// Records that all VMs of one Envoy see: Envoy's shared data, read and written with compare-and-set.
import { Floats } from './columns.ts';
import { proxy_get_shared_data, proxy_set_shared_data } from './env.ts';
import { found, foundSize, release, takeFrom } from './host.ts';

const OK: i32 = 0;
const out: usize = heap.alloc(16);

/** The version of the record that was read last: it is written where it is still of this version. */
export let version: u32 = 0;

/** Reads a record: `found` is what it has, until the caller releases it. False: there is none. */
export function readRecord(key: usize, size: i32): bool {
  if (!takeFrom(proxy_get_shared_data(key, size, out, out + 4, out + 8), out)) return false;
  version = load<u32>(out + 8);
  return true;
}

/** Writes a record, unless somebody else has since that version; version 0: whatever it has. */
export function writeRecord(key: usize, size: i32, value: usize, valueSize: i32, since: u32): bool {
  return proxy_set_shared_data(key, size, value, valueSize, since) === OK;
}

/** Creates a record with these bytes if there is none: before any worker writes it. */
export function createRecord(key: usize, size: i32, value: usize, valueSize: i32): void {
  if (readRecord(key, size)) release(found);
  else writeRecord(key, size, value, valueSize, 0);
}

/** Takes what was found as numbers: the caller has made room for them. */
export function takeCells(cells: Floats): void {
  memory.copy(cellsOf(cells), found, foundSize);
  release(found);
}

/** Where numbers lie, until they grow. */
export function cellsOf(cells: Floats): usize {
  const array = cells.array();
  return changetype<usize>(array.buffer) + array.byteOffset;
}
