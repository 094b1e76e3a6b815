import { writeSync } from 'node:fs';
import { reasonOf } from './reason.ts';

/** Writes bytes to a file descriptor and returns how many were taken: `fs.writeSync`, or a test's. */
export type WriteBytes = (bytes: Uint8Array) => number;

/** How often, and for how many milliseconds each time, a reader that is busy is waited for. */
const BUSY_TRIES = 10;
const BUSY_MS = 5;

/**
 * Where log lines go. A line that cannot be written (a full disk, a reader that has gone or does not read) is lost, and
 * nothing else is: the next line that can be written is preceded by one that says how many were.
 */
export class LogDestination {
  readonly #write: WriteBytes;
  /** The part of a line that is still to be written: a line is never torn by another one. */
  #rest: Uint8Array = new Uint8Array();
  #lost = 0;
  #reason = '';

  constructor(write: WriteBytes = (bytes) => writeSync(2, bytes)) {
    this.#write = write;
  }

  /** Writes a line with its end, or loses it. Never throws. */
  write(line: string): void {
    if (this.#finish() && this.#tellLost() && this.#put(Buffer.from(line))) return;
    this.#lost++;
  }

  #finish(): boolean {
    const rest = this.#rest;
    this.#rest = new Uint8Array();
    return this.#put(rest, true);
  }

  #tellLost(): boolean {
    if (this.#lost === 0) return true;
    const msg = `${this.#lost} lines of the log before this one could not be written: ${this.#reason}`;
    const time = new Date().toISOString();
    if (!this.#put(Buffer.from(`${JSON.stringify({ level: 40, time, msg })}\n`))) return false;
    this.#lost = 0;
    return true;
  }

  /** Whether it was taken, now or as the rest that is kept: what has not begun is not (unless `begun`, as a rest is). */
  #put(bytes: Uint8Array, begun = false): boolean {
    let left = bytes;
    let tries = this.#lost > 0 ? 1 : BUSY_TRIES;
    while (left.length > 0) {
      try {
        left = left.subarray(this.#write(left));
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        this.#reason = reasonOf(error);
        tries--;
        if (code !== 'EAGAIN' || tries <= 0) {
          if (!begun && left.length === bytes.length) return false;
          this.#rest = left;
          return !begun;
        }
        pause(BUSY_MS);
      }
    }
    return true;
  }
}

/** A log line is written before anything else happens, so that what is told is told in order; hence no `await`. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
