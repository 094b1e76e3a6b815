import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { reasonOf } from '../../base/reason.ts';
import { fail, ok, type Result } from '../../base/result.ts';

// Layout and numbers: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const DEFLATED = 8;

interface Entry {
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * Unpacks one deflated file of a zip archive into the new file `target`. Only what wheels use is known: no zip64, no
 * encryption. Fails when the archive has no such file or is damaged; `target` may then hold a part of it.
 */
export async function unzipFile(archive: string, name: string, target: string): Promise<Result<void, string>> {
  const file = await open(archive);
  try {
    const entry = await findEntry(file, name);
    if (entry === undefined) return fail(`${archive} has no file ${name}`);
    if (entry.method !== DEFLATED) return fail(`${name} in ${archive} is packed by an unknown method ${entry.method}`);
    const start = await dataStart(file, entry);
    let size = 0;
    let crc = 0;
    const check = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        crc = crc32(chunk, crc);
        done(null, chunk);
      },
    });
    const packed = createReadStream(archive, { start, end: start + entry.packed - 1 });
    await pipeline(packed, createInflateRaw(), check, createWriteStream(target, { flags: 'wx', flush: true }));
    if (size !== entry.size || crc !== entry.crc) return fail(`${name} in ${archive} is damaged`);
    return ok(undefined);
  } catch (error) {
    // Reading and inflating fail on a damaged archive, writing on a full disk: neither is a bug.
    return fail(`cannot unpack ${archive}: ${reasonOf(error)}`);
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new Error('it ends too early');
  return buffer;
}

async function findEntry(file: FileHandle, name: string): Promise<Entry | undefined> {
  const { size } = await file.stat();
  const tail = await readAt(
    file,
    Math.max(0, size - END_BYTES - LONGEST_COMMENT),
    Math.min(size, END_BYTES + LONGEST_COMMENT),
  );
  let end = tail.length - END_BYTES;
  while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end--;
  if (end < 0) throw new Error('it is no zip archive, or cut off');
  const count = tail.readUInt16LE(end + 10);
  const directory = await readAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  for (let at = 0, seen = 0; seen < count; seen++) {
    if (directory.readUInt32LE(at) !== ENTRY_SIGNATURE) throw new Error('its directory is damaged');
    const nameEnd = at + ENTRY_BYTES + directory.readUInt16LE(at + 28);
    if (directory.toString('utf8', at + ENTRY_BYTES, nameEnd) === name) {
      return {
        method: directory.readUInt16LE(at + 10),
        crc: directory.readUInt32LE(at + 16),
        packed: directory.readUInt32LE(at + 20),
        size: directory.readUInt32LE(at + 24),
        offset: directory.readUInt32LE(at + 42),
      };
    }
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return undefined;
}

/** The name and extra field of the local header may differ in length from the directory's. */
async function dataStart(file: FileHandle, { offset }: Entry): Promise<number> {
  const header = await readAt(file, offset, LOCAL_BYTES);
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE) throw new Error('a file header is damaged');
  return offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
}
