import { http1Client } from './client-http1.ts';
import { pause } from './instant.ts';
import type { LoadResult } from './load.ts';

/** Which load to keep up. */
export interface Busy {
  /** The port on 127.0.0.1 that takes the requests. */
  readonly port: number;
  readonly clients: number;
  /** How long each request takes at its pod, in milliseconds; 50 when left out. */
  readonly workMs?: number;
  /** How long a client waits between an answer and its next request, in milliseconds; 0 when left out. */
  readonly restMs?: number;
  readonly path?: string;
}

/** A load that goes on until it is told to stop. */
export interface BusyRun {
  /** What has ended so far, in the order of ending. */
  readonly results: readonly LoadResult[];
  /** Sends nothing more, waits for the answers that are due, and gives all results. */
  stop(): Promise<readonly LoadResult[]>;
}

/** Closed loop without an end: clients that each send their next request when they have the answer to the last one. */
export function keepBusy({ port, clients, workMs = 50, restMs = 0, path = '/' }: Busy): BusyRun {
  const client = http1Client({ port, path });
  const results: LoadResult[] = [];
  let stopped = false;
  const one = async (name: number) => {
    // Not all at the same moment, as no real clients are.
    if (restMs > 0) await pause((restMs * name) / clients);
    for (let count = 0; !stopped; count++) {
      results.push(await client.send({ id: `${name}-${count}`, at: 0, workMs }));
      if (restMs > 0) await pause(restMs);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, name) => one(name)));
  return {
    results,
    async stop() {
      stopped = true;
      await all;
      client.close();
      return results;
    },
  };
}
