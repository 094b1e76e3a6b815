import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { FaultRun } from './fault-thread.ts';

/** So long may a filter take for all runs: two seconds are usual. */
const ENDLESS_MS = 60_000;

/**
 * Runs the model against a filter with a planted fault. Resolves with what the model noticed, `endless` when the filter does not
 * come back, and null when nothing was noticed.
 */
export async function noticeFault(run: FaultRun): Promise<string | null> {
  const worker = new Worker(new URL('./fault-thread.ts', import.meta.url), { workerData: run });
  const calledOff = new AbortController();
  const { signal } = calledOff;
  try {
    return await Promise.race([
      once(worker, 'message', { signal }).then(([noticed]: (string | null)[]) => noticed ?? null),
      pause(ENDLESS_MS, 'endless', { signal }),
    ]);
  } finally {
    calledOff.abort();
    await worker.terminate();
  }
}
