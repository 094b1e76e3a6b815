import { type Clock, sleep } from '../../base/clock.ts';
import { remember } from '../../base/remember.ts';
import type { Result } from '../../base/result.ts';
import type { EnvoyAdmin } from '../../envoy/admin.ts';
import type { PodGauges } from './pod-health.ts';

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
  /**
   * The time between two questions about gauges, in milliseconds; longer where an answer takes long. Asked again and
   * again while time passes.
   */
  readonly intervalMs: () => number;
  /** Called after every question: by service, only those with something to tell; or why there is no answer. */
  readonly onStats: (stats: Result<ReadonlyMap<string, LineStats>, string>) => void;
  /** Called after every question that was answered, before `onStats`: by service. */
  readonly onPods: (gauges: ReadonlyMap<string, PodGauges>) => void;
}

/**
 * Only these of the some 20,000 statistics that 100 services have: Envoy needs 1 ms of its main thread to find them
 * among the gauges, 2 ms among the counters, and its workers none (run).
 */
const GAUGES =
  '^cluster\\.(gate/.*\\.upstream_rq_pending_active|pods/.*\\.(outlier_detection\\.ejections_active|membership_healthy))$';
const COUNTERS = '^cluster\\.pods/.*\\.(upstream_rq_retry|upstream_rq_425)$';

/** The time between two questions about counters, in milliseconds: nobody watches them change. */
const COUNTERS_MS = 10_000;

/** A shorter interval is noticed this late at most, in milliseconds. */
const NOTICE_MS = 500;

/** Questions about gauges may take this share of the time: the larger the configuration, the less often. */
const SHARE = 0.025;

const PATTERN =
  /^cluster\.(?:gate|pods)\/(.+?)\.(upstream_rq_pending_active|outlier_detection\.ejections_active|membership_healthy|upstream_rq_retry|upstream_rq_425)$/;

/** Asks for the statistics until `signal` is aborted. Never rejects. */
export async function followLineStats(options: LineStatsOptions, signal: AbortSignal): Promise<void> {
  const { admin, clock, intervalMs, onStats, onPods } = options;
  let counters: ReadonlyMap<string, number> = new Map();
  let countedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const began = clock.monotonic();
    const gauges = await admin.stats({ filter: GAUGES, usedOnly: true, type: 'Gauges' }, signal);
    const took = clock.monotonic() - began;
    if (gauges.ok && began - countedAt >= COUNTERS_MS) {
      const asked = await admin.stats({ filter: COUNTERS, usedOnly: true, type: 'Counters' }, signal);
      if (asked.ok) [counters, countedAt] = [asked.value, began];
    }
    if (signal.aborted) return;
    if (gauges.ok) onPods(podGauges(gauges.value));
    onStats(gauges.ok ? { ok: true, value: lineStats(new Map([...gauges.value, ...counters])) } : gauges);
    const due = () => began + Math.max(intervalMs(), took + took / SHARE) - clock.monotonic();
    for (let rest = due(); rest > 0 && !signal.aborted; rest = due()) {
      await sleep(clock, Math.min(rest, NOTICE_MS), signal);
    }
  }
}

/** Puts the statistics of each service together. */
export function lineStats(stats: ReadonlyMap<string, number>): ReadonlyMap<string, LineStats> {
  const found = new Map<string, { waiting: number; ejected: number; tries: number; rests: number }>();
  for (const [name, value] of stats) {
    const [, service, what] = PATTERN.exec(name) ?? [];
    if (service === undefined || what === 'membership_healthy') continue;
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

/** What the same statistics say about the health of the pods of each service. */
export function podGauges(stats: ReadonlyMap<string, number>): ReadonlyMap<string, PodGauges> {
  const found = new Map<string, { ejected: number; healthy: number }>();
  for (const [name, value] of stats) {
    const [, service, what] = PATTERN.exec(name) ?? [];
    if (service === undefined || what === 'upstream_rq_pending_active') continue;
    const one = remember(found, service, () => ({ ejected: 0, healthy: 0 }));
    if (what === 'membership_healthy') one.healthy = value;
    else if (what === 'outlier_detection.ejections_active') one.ejected = value;
  }
  return found;
}
