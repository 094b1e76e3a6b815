import { type Clock, sleep } from '../base/clock.ts';
import type { EnvoyAdmin } from './admin.ts';

/** How an Envoy is drained. */
export interface DrainOptions {
  readonly admin: EnvoyAdmin;
  readonly clock: Clock;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** Told how many requests run or wait, whenever that has changed. */
  readonly onProgress: (requests: number) => void;
}

/** How a drain ended. */
export type Drained = 'done' | 'gone' | 'given up';

const POLL_MS = 100;
/** So many times in a row nothing may run, before nothing runs: a request may just have been read. */
const QUIET_TIMES = 3;
/** Without so many answers in a row Envoy is taken to have ended. */
const MOST_MISSED = 20;

/**
 * Has Envoy take no new connections, and tell clients with each answer not to use theirs again; resolves when no request
 * runs or waits any more. One whose client keeps it open for ever keeps this waiting until `signal` is aborted.
 */
export async function drainEnvoy({ admin, clock, signal, onProgress }: DrainOptions): Promise<Drained> {
  const steps = ['/healthcheck/fail', '/drain_listeners'];
  let before = -1;
  let quiet = 0;
  let missed = 0;
  while (!signal.aborted) {
    const [step] = steps;
    if (step !== undefined && (await admin.post(step, signal)).ok) {
      steps.shift();
      missed = 0;
      continue;
    }
    const running = await requestsOf(admin, signal);
    if (signal.aborted) break;
    missed = running === undefined || step !== undefined ? missed + 1 : 0;
    if (missed >= MOST_MISSED) return 'gone';
    if (running !== undefined && running !== before) {
      onProgress(running);
      before = running;
    }
    quiet = running === 0 && steps.length === 0 ? quiet + 1 : 0;
    if (quiet >= QUIET_TIMES) return 'done';
    await sleep(clock, POLL_MS, signal);
  }
  return 'given up';
}

/** Requests of clients, those that wait included; undefined: Envoy has not answered. */
async function requestsOf(admin: EnvoyAdmin, signal: AbortSignal): Promise<number | undefined> {
  const stats = await admin.stats({ filter: '^http\\..*\\.downstream_rq_active$', type: 'Gauges' }, signal);
  if (!stats.ok) return undefined;
  // What is asked of the admin is no client's, nor what Sluice's own listener carries.
  const ofClients = [...stats.value].filter(([name]) => !/^http\.(admin|sluice\b.*)\.downstream_rq_active$/.test(name));
  return ofClients.reduce((sum, [, value]) => sum + value, 0);
}
