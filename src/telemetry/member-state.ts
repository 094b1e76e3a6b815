import type {
  ClassReport,
  EjectionReason,
  MemberId,
  PodEvent,
  PodReport,
  PodUse,
  ServiceReport,
  SharedUse,
  SlotsEvent,
  TenantReport,
} from '../slots/events.ts';
import { growth, type Totals, totalsOf } from './totals.ts';

/** What one member does with a pod now. */
export interface PodReading {
  readonly limit: number;
  readonly inUse: number;
  readonly state: PodUse;
  /** When it came into this state, in milliseconds since the epoch. */
  readonly since: number;
  /** Why it was ejected, as long as it is or is tried again. */
  readonly reason: EjectionReason;
  /** When an ejected pod is tried again. */
  readonly ejectedUntil: number | undefined;
  /** What the workers of its Envoy use of it together, while they share. */
  readonly shared?: SharedUse;
}

/** What one member has of a service now. */
export interface MemberService {
  readonly waiting: number;
  readonly inUse: number;
  /** When the oldest waiting request came, in milliseconds since the epoch; undefined: none waits. */
  readonly oldestSince: number | undefined;
  /** How long a request that came now would wait; 0: it would not, or that is not known. */
  readonly expectedWaitMs: number;
  /** Requests whose bodies are on their way. */
  readonly coming: number;
  /** Jobs whose requests have been answered. */
  readonly jobs: number;
  readonly pods: ReadonlyMap<string, PodReading>;
  readonly classes: readonly ClassReport[];
  /** Tenants that have most, and how many have anything. */
  readonly tenants: readonly TenantReport[];
  readonly busyTenants: number;
  /** What the workers of its Envoy use together, while they share. */
  readonly shared: SharedUse | undefined;
}

/** A service of a member, as it changes. */
interface Kept {
  waiting: number;
  inUse: number;
  oldestSince: number | undefined;
  expectedWaitMs: number;
  coming: number;
  jobs: number;
  readonly pods: Map<string, PodReading>;
  classes: readonly ClassReport[];
  tenants: readonly TenantReport[];
  busyTenants: number;
  shared: SharedUse | undefined;
  /** What was reported last; what comes next is counted from there. */
  totals: Totals | undefined;
}

/** What a report adds. */
export interface Grown {
  readonly more: Totals;
  /** How many more waited, and were in use where nothing is shared, at most than there are now. */
  readonly peakWaiting: number;
  readonly peakInUse: number;
  /** What its classes had counted before; those of `report` go on from there. */
  readonly classesBefore: readonly ClassReport[];
}

/** What a member says when its stream begins. */
export type Hello = Extract<SlotsEvent, { kind: 'hello' }>;

/** What is known of one member: the VM of one worker of one Envoy. */
export class MemberState {
  readonly id: MemberId;
  codeVersion: string;
  peer: string;
  memoryBytes: number;
  connectedSince: number;
  /** When its stream ended; undefined: it is open. */
  lostAt: number | undefined;
  readonly #services = new Map<string, Kept>();
  /** What it has counted before its first report belongs to nobody yet. */
  #countsFromZero: boolean;

  /** `countsFromZero`: it began to count when Sluice was there already. */
  constructor(hello: Hello, now: number, countsFromZero: boolean) {
    const { node, epoch, codeVersion, memoryBytes, peer } = hello;
    this.id = { node, epoch };
    this.codeVersion = codeVersion;
    this.peer = peer;
    this.memoryBytes = memoryBytes;
    this.connectedSince = now;
    this.#countsFromZero = countsFromZero;
  }

  /** Its stream has begun again: what it has is told anew, all of it. */
  reconnected({ codeVersion, memoryBytes, peer }: Hello, now: number): void {
    this.codeVersion = codeVersion;
    this.peer = peer;
    this.memoryBytes = memoryBytes;
    this.connectedSince = now;
    this.lostAt = undefined;
    this.forget();
  }

  /** All that it had when its stream began is told: what appears later has counted from 0. */
  complete(): void {
    this.#countsFromZero = true;
  }

  /** Its services by name. */
  services(): ReadonlyMap<string, MemberService> {
    return this.#services;
  }

  /** Nobody knows any longer what it has; what it counted stays, should it come back. */
  forget(): void {
    for (const kept of this.#services.values()) clear(kept);
  }

  /** Takes what it reports about a service. */
  report(report: ServiceReport, now: number): Grown {
    const { waiting, inUse, oldestWaitMs, pods } = report;
    const kept = this.#service(report.name);
    const totals = totalsOf(report);
    const before = kept.totals ?? (this.#countsFromZero ? undefined : totals);
    kept.totals = totals;
    const classesBefore = before === totals ? report.classes : kept.classes;
    kept.classes = report.classes;
    kept.tenants = report.tenants;
    kept.busyTenants = report.busyTenants;
    kept.waiting = waiting;
    kept.inUse = inUse;
    kept.expectedWaitMs = report.expectedWaitMs;
    kept.coming = report.coming;
    kept.jobs = report.jobCount;
    kept.oldestSince = waiting > 0 ? now - oldestWaitMs : undefined;
    kept.shared = report.shared;
    for (const pod of pods) {
      const shared = report.shared && { version: report.shared.version, inUse: pod.inUseInAll ?? 0 };
      kept.pods.set(pod.address, podReading(pod, kept.pods.get(pod.address), { now, shared }));
    }
    return {
      more: before === undefined ? totals : growth(totals, before),
      peakWaiting: Math.max(0, report.mostWaiting - waiting),
      peakInUse: Math.max(0, report.mostInUse - inUse),
      classesBefore,
    };
  }

  /** Takes what happened to a pod. */
  podEvent({ service, address, kind, reason, forMs }: PodEvent, now: number): void {
    const { pods } = this.#service(service);
    if (kind === 'forgotten') {
      pods.delete(address);
      return;
    }
    // What happens is told at once, and may be told before the first report of the pod.
    const before = pods.get(address) ?? UNREPORTED;
    const ejected = { state: 'ejected', since: now, reason, ejectedUntil: now + forMs } as const;
    const returned = { state: 'trying', since: now, reason: before.reason, ejectedUntil: undefined } as const;
    pods.set(address, { ...before, ...(kind === 'ejected' ? ejected : returned) });
  }

  #service(name: string): Kept {
    let kept = this.#services.get(name);
    if (kept === undefined) {
      kept = {
        waiting: 0,
        inUse: 0,
        oldestSince: undefined,
        expectedWaitMs: 0,
        coming: 0,
        jobs: 0,
        pods: new Map(),
        classes: [],
        tenants: [],
        busyTenants: 0,
        shared: undefined,
        totals: undefined,
      };
      this.#services.set(name, kept);
    }
    return kept;
  }

  /** Forgets services that are not among these and hold nothing. */
  keep(names: ReadonlySet<string>): void {
    for (const [name, { waiting, inUse }] of this.#services)
      if (!names.has(name) && waiting === 0 && inUse === 0) this.#services.delete(name);
  }
}

const UNREPORTED = { limit: 0, inUse: 0, reason: 'none' } as const;

function clear(kept: Kept): void {
  kept.waiting = 0;
  kept.inUse = 0;
  kept.oldestSince = undefined;
  kept.expectedWaitMs = 0;
  kept.coming = 0;
  kept.jobs = 0;
  kept.pods.clear();
  kept.tenants = [];
  kept.busyTenants = 0;
  // What they have counted stays.
  kept.classes = kept.classes.map((one) => ({ ...one, waiting: 0 }));
}

function podReading(
  report: PodReport,
  before: PodReading | undefined,
  { now, shared }: { readonly now: number; readonly shared: SharedUse | undefined },
): PodReading {
  const { limit, inUse, state, ejectedForMs } = report;
  const since = before?.state === state ? before.since : now;
  const isOut = state === 'ejected' || state === 'trying';
  return {
    limit,
    inUse,
    state,
    since,
    reason: (isOut ? before?.reason : undefined) ?? 'none',
    ejectedUntil: state === 'ejected' ? now + ejectedForMs : undefined,
    ...(shared && { shared }),
  };
}
