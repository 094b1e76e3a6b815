import type { ServiceName } from '../../../src/model/service.ts';
import type { Counts, MemberId, PodReport, ServiceReport, SlotsEvent } from '../../../src/slots/events.ts';
import { BOUNDS_MS } from '../../../src/telemetry/histogram.ts';

/** Nothing was counted. */
export const NO_COUNTS: Counts = {
  arrived: 0,
  started: 0,
  answered: 0,
  failed: 0,
  refused: 0,
  waitTimeouts: 0,
  abandonedWaiting: 0,
  abandonedWorking: 0,
  workTimeouts: 0,
  retried: 0,
  ejections: 0,
  unserved: 0,
  deadlines: 0,
};

/** A member that started at this moment (milliseconds since the epoch). */
export function memberAt(ms: number, node = 'edge-1'): MemberId {
  return { node, epoch: `${ms}000000` };
}

/** A service in which nothing happens, but for `changes`. */
export function serviceReport(
  name: string,
  changes: Partial<Omit<ServiceReport, 'counts'>> & { readonly counts?: Partial<Counts> } = {},
): ServiceReport {
  const { counts, ...rest } = changes;
  const { waiting = 0, inUse = 0 } = rest;
  return {
    // The brand is the parser's; the names of tests are good.
    name: name as ServiceName,
    waiting,
    oldestWaitMs: 0,
    inUse,
    mostWaiting: waiting,
    mostInUse: inUse,
    wait: durations(),
    work: durations(),
    pods: [],
    expectedWaitMs: 0,
    coming: 0,
    jobCount: 0,
    jobs: [],
    isKnown: true,
    takenBy: undefined,
    classes: [],
    tenants: [],
    busyTenants: 0,
    ...rest,
    counts: { ...NO_COUNTS, ...counts },
  };
}

/** A pod that is ready and idle, but for `changes`. */
export function podReport(address: string, changes: Partial<PodReport> = {}): PodReport {
  return { address, limit: 2, inUse: 0, state: 'ready', ejectedForMs: 0, ...changes };
}

/** A histogram of these lengths of time. */
export function durations(...ms: readonly number[]): ServiceReport['wait'] {
  const buckets = Array.from({ length: BOUNDS_MS.length + 1 }, () => 0);
  for (const one of ms) {
    const place = BOUNDS_MS.findIndex((bound) => one <= bound);
    const bucket = place === -1 ? BOUNDS_MS.length : place;
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  return { buckets, sumMs: ms.reduce((sum, one) => sum + one, 0) };
}

/** A member's stream begins with these services. */
export function hello(member: MemberId, ...services: readonly ServiceReport[]): SlotsEvent {
  return { ...member, kind: 'hello', codeVersion: 'c0de', memoryBytes: 3_000_000, services, peer: '10.0.0.9:4712' };
}

/** A member reports these services. */
export function report(member: MemberId, ...services: readonly ServiceReport[]): SlotsEvent {
  return { ...member, kind: 'report', services, memoryBytes: 4_000_000 };
}
