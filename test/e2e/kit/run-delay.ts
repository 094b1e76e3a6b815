import { openSync, readSync } from 'node:fs';

const buffer = Buffer.alloc(64);
let file: number | undefined;
let missing = false;

/**
 * How long this thread has been ready to run and had no processor, in milliseconds since it began; 0 where the system
 * does not say so (Linux does, in `schedstat`: time on the processor and time on its run queue, in nanoseconds).
 */
export function runDelay(): number {
  if (missing) return 0;
  try {
    // A worker's files are closed with it.
    file ??= openSync('/proc/thread-self/schedstat', 'r');
    const length = readSync(file, buffer, 0, buffer.length, 0);
    return Number(buffer.toString('latin1', 0, length).split(' ')[1] ?? 0) / 1e6;
  } catch {
    missing = true;
    return 0;
  }
}
