import { isUtf8 } from 'node:buffer';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fail, ok, type Result } from '../../base/result.ts';
import type { Problem } from '../../model/problem.ts';
import { nearest } from './nearest.ts';
import type { Complaint } from './report.ts';

/** Largest route file that is read: five times a file of 20,000 routes. */
export const LARGEST_BYTES = 4 * 1024 * 1024;

const LARGEST = `${LARGEST_BYTES / 1024 / 1024} MiB`;

/** Why a file cannot be read, and what to do, by the system's error code. */
const UNREADABLE: Readonly<Record<string, readonly [message: string, fix: string]>> = {
  ENOTDIR: ['there is no such file', 'create it, or name another one'],
  EISDIR: ['this is a folder', 'name the file in it'],
  EACCES: ['no permission to read it', 'allow the user that runs Sluice to read it'],
  EPERM: ['no permission to read it', 'allow the user that runs Sluice to read it'],
  ELOOP: ['its symbolic links lead in a circle', 'let them lead to a file'],
};

/** What stands for standard input in the place of a route file's path. */
const STDIN = '-';

/** What a route file is called in messages: its path, or words for standard input. */
export function fileTitle(path: string): string {
  return path === STDIN ? 'standard input' : path;
}

/** The text of the file at `path`, or of standard input. Errors: not readable, too large, or not UTF-8. */
export async function readFileText(path: string): Promise<Result<string, Problem>> {
  return path === STDIN ? decode(await readStream(process.stdin), fileTitle(path)) : readText(path);
}

/** At most what is needed to see that it is too large. */
async function readStream(stream: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    if (length > LARGEST_BYTES) break;
  }
  return Buffer.concat(chunks);
}

/** The text of the file at `path`. Errors: not readable, too large, or not UTF-8. */
export async function readText(path: string): Promise<Result<string, Problem>> {
  try {
    const bytes = await readBytes(path);
    return decode(bytes, path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === 'ENOENT') return fail({ severity: 'error', subject: path, ...(await whyMissing(path)) });
    const [message, fix] = UNREADABLE[error.code] ?? [`cannot be read (${error.message})`, 'see that it can be read'];
    return fail({ severity: 'error', subject: path, message, fix });
  }
}

/** What there is instead of a file that is not there. */
async function whyMissing(path: string): Promise<Complaint> {
  const folder = dirname(resolve(path));
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) {
    return { message: `there is no folder ${folder}`, fix: 'create it with the file in it, or name another one' };
  }
  const near = nearest(basename(path), names);
  const fix = near === undefined ? 'create it, or name another one' : `did you mean ${join(dirname(path), near)}?`;
  return { message: 'there is no such file', fix };
}

/** At most one byte more than is allowed: enough to see that it is too large. */
async function readBytes(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > LARGEST_BYTES) return Buffer.alloc(LARGEST_BYTES + 1);
    const buffer = Buffer.alloc(LARGEST_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await file.close();
  }
}

function decode(bytes: Buffer, path: string): Result<string, Problem> {
  const problem = { severity: 'error', subject: path } as const;
  if (bytes.length > LARGEST_BYTES) {
    return fail({
      ...problem,
      message: `larger than ${LARGEST}`,
      fix: 'route files are small: is this the right file?',
    });
  }
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return fail({ ...problem, message: 'written in UTF-16', fix: 'save it as UTF-8' });
  }
  if (isUtf8(bytes)) return ok(bytes.toString('utf8'));
  const position = firstBadByte(bytes);
  return fail({ ...problem, position, message: 'a byte that is not UTF-8', fix: 'save the file as UTF-8' });
}

function firstBadByte(bytes: Buffer): { readonly line: number; readonly column: number } {
  let line = 1;
  for (let start = 0; ; line++) {
    const end = bytes.indexOf(0x0a, start);
    const content = bytes.subarray(start, end < 0 ? bytes.length : end);
    // What cannot be decoded becomes U+FFFD.
    if (!isUtf8(content)) return { line, column: content.toString('utf8').indexOf('\ufffd') + 1 };
    if (end < 0) return { line, column: 1 };
    start = end + 1;
  }
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
