import { afterEach } from 'vitest';
import { http1Client } from '../../e2e/kit/client-http1.ts';
import type { LoadClient } from '../../e2e/kit/load.ts';
import { type FilterRun, type RunOptions, startRun } from './run.ts';

/** What a test starts: it is stopped after the test, the last one first. */
export const started: { stop(): unknown }[] = [];

/** Has everything that the tests of this file start stopped after each. */
export function stopAfterEach(): void {
  afterEach(async () => {
    for (const one of started.splice(0).reverse()) await one.stop();
  });
}

/** An Envoy with the filter, until the test is over. */
export async function start(options: RunOptions = {}): Promise<FilterRun> {
  const run = await startRun(options);
  started.push(run);
  return run;
}

/** A client of a run, until the test is over. */
export function client(run: FilterRun, make = http1Client): LoadClient {
  const made = make({ port: run.port });
  started.push({ stop: () => made.close() });
  return made;
}
