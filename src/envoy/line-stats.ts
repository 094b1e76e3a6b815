import { type Clock, sleep } from '../base/clock.ts';
import type { Result } from '../base/result.ts';
import type { EnvoyAdmin } from './admin.ts';

/** What Envoy's statistics say about the clusters of one service. What is not known is 0. */
export interface LineStats {
  /** Requests that wait at the gate now. */
  readonly waiting: number;
  /** Pods that are ejected now because of how they answer. */
  readonly ejected: number;
  /** Requests sent to a pod again since Envoy started: the pod before had not seen them. */
  readonly retried: number;
}

/** How Envoy's statistics are followed. */
export interface LineStatsOptions {
  readonly admin: Pick<EnvoyAdmin, 'stats'>;
  readonly clock: Clock;
  /** The time between two questions about gauges, in milliseconds. */
  readonly intervalMs: number;
  /** Called after every question: by service, only those with something to tell; or why there is no answer. */
  readonly onStats: (stats: Result<ReadonlyMap<string, LineStats>, string>) => void;
}

/**
 * Only these of the some 20,000 statistics that 100 services have: Envoy needs 1 ms of its main thread to find them
 * among the gauges, 2 ms among the counters, and its workers none (run).
 */
const GAUGES = '^cluster\\.(gate/.*\\.upstream_rq_pending_active|pods/.*\\.outlier_detection\\.ejections_active)$';
const COUNTERS = '^cluster\\.pods/.*\\.(upstream_rq_retry|upstream_rq_425)$';

/** Counters are asked for only with one in so many questions: nobody watches them change. */
const COUNTERS_EVERY = 10;

const PATTERN =
  /^cluster\.(?:gate|pods)\/(.+?)\.(upstream_rq_pending_active|outlier_detection\.ejections_active|upstream_rq_retry|upstream_rq_425)$/;

/** Asks for the statistics until `signal` is aborted. Never rejects. */
export async function followLineStats(options: LineStatsOptions, signal: AbortSignal): Promise<void> {
  const { admin, clock, intervalMs, onStats } = options;
  let counters: ReadonlyMap<string, number> = new Map();
  for (let question = 0; !signal.aborted; question++) {
    const gauges = await admin.stats({ filter: GAUGES, usedOnly: true, type: 'Gauges' }, signal);
    if (gauges.ok && question % COUNTERS_EVERY === 0) {
      const asked = await admin.stats({ filter: COUNTERS, usedOnly: true, type: 'Counters' }, signal);
      if (asked.ok) counters = asked.value;
    }
    if (signal.aborted) return;
    onStats(gauges.ok ? { ok: true, value: lineStats(new Map([...gauges.value, ...counters])) } : gauges);
    await sleep(clock, intervalMs, signal);
  }
}

/** Puts the statistics of each service together. */
export function lineStats(stats: ReadonlyMap<string, number>): ReadonlyMap<string, LineStats> {
  const found = new Map<string, { waiting: number; ejected: number; tries: number; rests: number }>();
  for (const [name, value] of stats) {
    const [, service, what] = PATTERN.exec(name) ?? [];
    if (service === undefined) continue;
    const one = found.get(service) ?? { waiting: 0, ejected: 0, tries: 0, rests: 0 };
    found.set(service, one);
    if (what === 'upstream_rq_pending_active') one.waiting = value;
    else if (what === 'upstream_rq_retry') one.tries = value;
    else if (what === 'upstream_rq_425') one.rests = value;
    else one.ejected = value;
  }
  return new Map(
    [...found].map(([service, { waiting, ejected, tries, rests }]) => [
      service,
      // The parking answers 425, which is tried again after a rest: no pod was there, and so none was tried.
      { waiting, ejected, retried: Math.max(0, tries - rests) },
    ]),
  );
}
