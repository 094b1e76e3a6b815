// Runs the model against a filter with a planted fault, in a thread of its own: some faults make the filter loop for ever, and only
// a thread can be ended then.
import { parentPort, workerData } from 'node:worker_threads';
import { runModel } from './model.ts';

/** What the thread gets, as `workerData`. */
export interface FaultRun {
  readonly code: WebAssembly.Module;
  /** Runs with the seeds from 1 on. */
  readonly runs: number;
  readonly stepsPerRun: number;
}

const { code, runs, stepsPerRun } = workerData as FaultRun;
let noticed: string | null = null;
try {
  for (let seed = 1; seed <= runs; seed++) runModel(code, seed, stepsPerRun);
} catch (error) {
  noticed = error instanceof Error ? error.message : String(error);
}
parentPort?.postMessage(noticed);
