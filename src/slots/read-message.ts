import { sluice } from '#xds';
import type { ServiceName } from '../model/service.ts';
import type { HeldService } from './coordinator.ts';
import type {
  ClassReport,
  Counts,
  DurationCounts,
  EjectionReason,
  JobEvent,
  PodEvent,
  PodInUse,
  PodReport,
  PodUse,
  ServiceReport,
  SlotChange,
  WaitingRequest,
} from './events.ts';

const { Change, FilterMessage, PodState, PodEvent: Event, JobEvent: JobEvents } = sluice.queue.v1;

/** How a filter introduces itself. */
export interface Hello {
  readonly kind: 'hello';
  readonly protocol: number;
  readonly node: string;
  readonly epoch: string;
  readonly stream: number;
  readonly codeVersion: string;
  readonly memoryBytes: number;
  /** It shares its slots with other Envoys. */
  readonly shares: boolean;
  /** This start of its Envoy, as text; `0`: it does not say. */
  readonly process: string;
  /** It can take services over, and counts what services have at pods that they have lost. */
  readonly takes: boolean;
}

/** What a filter says. `unknown`: something of a newer protocol. */
export type FromFilter =
  | Hello
  | { readonly kind: 'service'; readonly service: ServiceReport }
  | { readonly kind: 'hello end' }
  | { readonly kind: 'ack'; readonly sequence: number }
  | { readonly kind: 'report'; readonly services: readonly ServiceReport[]; readonly memoryBytes: number }
  | { readonly kind: 'pod'; readonly event: PodEvent }
  | { readonly kind: 'job'; readonly event: JobEvent }
  | { readonly kind: 'heartbeat' }
  | {
      readonly kind: 'waiting list';
      readonly query: number;
      readonly requests: readonly WaitingRequest[];
      readonly waiting: number;
      /** Requests that are tried again, and wait for a slot of one pod. */
      readonly claims: number;
      /** Requests that came for the service, and are those of the one that has taken it over. */
      readonly away: number;
      readonly pods: readonly PodInUse[];
    }
  | { readonly kind: 'rejected'; readonly sequence: number; readonly reason: string }
  | { readonly kind: 'holding'; readonly services: readonly HeldService[]; readonly isComplete: boolean }
  | { readonly kind: 'changes'; readonly changes: readonly SlotChange[] }
  | { readonly kind: 'ended'; readonly ended: string }
  | { readonly kind: 'unknown' };

/** Reads a `FilterMessage`. Throws on bytes that are none. */
export function readMessage(bytes: Uint8Array): FromFilter {
  const message = FilterMessage.decode(bytes);
  const { hello, memberService, ack, report, podEvent, waitingList, rejected, jobEvent } = message;
  const { holding, changes, ended } = message;
  if (changes) return { kind: 'changes', changes: (changes.changes ?? []).map(slotChange) };
  if (report) {
    return {
      kind: 'report',
      services: (report.services ?? []).map(serviceReport),
      memoryBytes: number(report.memoryBytes),
    };
  }
  if (ack) return { kind: 'ack', sequence: number(ack.sequence) };
  if (podEvent) return { kind: 'pod', event: podEventOf(podEvent) };
  if (memberService) return { kind: 'service', service: serviceReport(memberService) };
  if (message.heartbeat) return { kind: 'heartbeat' };
  if (message.helloEnd) return { kind: 'hello end' };
  if (hello) return helloOf(hello);
  if (waitingList) {
    const { query, waiting, claims, away, requests, pods } = waitingList;
    return {
      kind: 'waiting list',
      query: query ?? 0,
      waiting: waiting ?? 0,
      claims: claims ?? 0,
      away: away ?? 0,
      requests: (requests ?? []).map(waitingRequest),
      pods: (pods ?? []).map(({ address, inUse }) => ({ address: address ?? '', inUse: inUse ?? 0 })),
    };
  }
  if (jobEvent) return { kind: 'job', event: jobEventOf(jobEvent) };
  if (holding) {
    return {
      kind: 'holding',
      services: (holding.services ?? []).map(heldService),
      isComplete: holding.complete ?? false,
    };
  }
  if (ended) return { kind: 'ended', ended: ended.epoch ?? '' };
  if (rejected) return { kind: 'rejected', sequence: number(rejected.sequence), reason: rejected.reason ?? '' };
  return { kind: 'unknown' };
}

function helloOf(hello: sluice.queue.v1.Hello.$Shape): Hello {
  return {
    kind: 'hello',
    protocol: hello.protocol ?? 0,
    node: hello.nodeId ?? '',
    epoch: `${hello.epoch ?? 0}`,
    stream: hello.stream ?? 0,
    codeVersion: hello.codeVersion ?? '',
    memoryBytes: number(hello.memoryBytes),
    shares: hello.shares ?? false,
    process: `${hello.process ?? 0}`,
    takes: hello.takes ?? false,
  };
}

/** What a filter holds of a service. */
export function heldService(held: sluice.queue.v1.HeldService.$Properties): HeldService {
  return {
    service: held.service ?? '',
    held: (held.pods ?? []).map(({ address, slots }) => [address ?? '', slots ?? 0] as const),
    waiting: (held.waiting ?? []).map(
      ({ request, ageUs, pod }) => [number(request), number(ageUs) / 1000, pod || undefined] as const,
    ),
  };
}

/** One thing that has changed at a filter. */
export function slotChange({
  service = '',
  kind,
  request,
  ageUs,
  pod,
}: sluice.queue.v1.Change.$Properties): SlotChange {
  const named = service ?? '';
  if (kind === Change.Kind.LEFT) return { kind: 'left', service: named, request: number(request) };
  if (kind === Change.Kind.RELEASED) return { kind: 'released', service: named, pod: pod ?? '' };
  return { kind: 'waits', service: named, request: number(request), age: number(ageUs) / 1000, pod: pod || undefined };
}

function serviceReport(report: sluice.queue.v1.ServiceReport.$Shape): ServiceReport {
  return {
    // The filter has it from the cluster's name, which is the service's.
    name: (report.name ?? '') as ServiceName,
    waiting: report.waiting ?? 0,
    oldestWaitMs: number(report.oldestWaitMs),
    inUse: report.inUse ?? 0,
    mostWaiting: report.mostWaiting ?? 0,
    mostInUse: report.mostInUse ?? 0,
    counts: countsOf(report.counts ?? {}),
    wait: durations(report.wait),
    work: durations(report.work),
    pods: (report.pods ?? []).map(podReport),
    expectedWaitMs: number(report.expectedWaitMs),
    coming: report.coming ?? 0,
    jobCount: report.jobCount ?? 0,
    jobs: (report.jobs ?? []).map((job) => ({
      address: job.address ?? '',
      id: job.id ?? '',
      ageMs: number(job.ageMs),
      slots: job.slots || 1,
    })),
    isKnown: report.known ?? false,
    // As its own name.
    takenBy: (report.takenBy || undefined) as ServiceName | undefined,
    classes: (report.classes ?? []).map(classReport),
    tenants: (report.tenants ?? []).map(({ name, waiting, inUse }) => ({
      name: name ?? '',
      waiting: waiting ?? 0,
      inUse: inUse ?? 0,
    })),
    busyTenants: report.busyTenants ?? 0,
    ...(number(report.sharedVersion) > 0 && {
      shared: { version: number(report.sharedVersion), inUse: report.inUseInAll ?? 0 },
    }),
  };
}

function countsOf(counts: sluice.queue.v1.Counts.$Properties): Counts {
  return {
    arrived: number(counts.arrived),
    started: number(counts.started),
    answered: number(counts.answered),
    failed: number(counts.failed),
    refused: number(counts.refused),
    waitTimeouts: number(counts.waitTimeouts),
    abandonedWaiting: number(counts.abandonedWaiting),
    abandonedWorking: number(counts.abandonedWorking),
    workTimeouts: number(counts.workTimeouts),
    retried: number(counts.retried),
    ejections: number(counts.ejections),
    unserved: number(counts.unserved),
    deadlines: number(counts.deadlines),
  };
}

const NO_DURATIONS: DurationCounts = { buckets: [], sumMs: 0 };

function durations(counts: sluice.queue.v1.Durations.$Properties | null | undefined): DurationCounts {
  if (!counts?.buckets?.length) return NO_DURATIONS;
  return { buckets: counts.buckets.map(number), sumMs: number(counts.sumMs) };
}

const STATES: Readonly<Record<number, PodUse>> = {
  [PodState.READY]: 'ready',
  [PodState.DRAINING]: 'draining',
  [PodState.EJECTED]: 'ejected',
  [PodState.UNHEALTHY]: 'unhealthy',
  [PodState.TRYING]: 'trying',
};

function podReport(pod: sluice.queue.v1.PodReport.$Properties): PodReport {
  return {
    address: pod.address ?? '',
    limit: pod.limit ?? 0,
    inUse: pod.inUse ?? 0,
    state: STATES[pod.state ?? PodState.READY] ?? 'ready',
    ejectedForMs: number(pod.ejectedForMs),
    ...(pod.inUseInAll && { inUseInAll: pod.inUseInAll }),
  };
}

const KINDS: Readonly<Record<number, PodEvent['kind']>> = {
  [Event.Kind.EJECTED]: 'ejected',
  [Event.Kind.RETURNED]: 'returned',
  [Event.Kind.FORGOTTEN]: 'forgotten',
};

const REASONS: Readonly<Record<number, EjectionReason>> = {
  [Event.Reason.NONE]: 'none',
  [Event.Reason.UNREACHABLE]: 'unreachable',
  [Event.Reason.GATEWAY_ERRORS]: 'gateway errors',
  [Event.Reason.CONSECUTIVE_5XX]: 'consecutive 5xx',
};

function classReport(report: sluice.queue.v1.ClassReport.$Properties): ClassReport {
  return {
    name: report.name ?? '',
    waiting: report.waiting ?? 0,
    started: number(report.started),
    waitMs: number(report.waitMs),
  };
}

function podEventOf(event: sluice.queue.v1.PodEvent.$Properties): PodEvent {
  return {
    // As in `serviceReport`.
    service: (event.service ?? '') as ServiceName,
    address: event.address ?? '',
    kind: KINDS[event.kind ?? Event.Kind.EJECTED] ?? 'ejected',
    reason: REASONS[event.reason ?? Event.Reason.NONE] ?? 'none',
    forMs: number(event.forMs),
  };
}

const JOB_KINDS: Readonly<Record<number, JobEvent['kind']>> = {
  [JobEvents.Kind.BEGAN]: 'began',
  [JobEvents.Kind.DONE]: 'done',
  [JobEvents.Kind.FAILED]: 'failed',
  [JobEvents.Kind.TIMED_OUT]: 'timed out',
  [JobEvents.Kind.LOST]: 'lost',
};

/** What happened to a job. */
export function jobEventOf(event: sluice.queue.v1.JobEvent.$Properties): JobEvent {
  return {
    // As in `serviceReport`.
    service: (event.service ?? '') as ServiceName,
    address: event.address ?? '',
    id: event.id ?? '',
    kind: JOB_KINDS[event.kind ?? JobEvents.Kind.BEGAN] ?? 'began',
    slots: event.slots || 1,
  };
}

function waitingRequest(request: sluice.queue.v1.WaitingRequest.$Properties): WaitingRequest {
  return {
    id: request.id ?? 0,
    ageMs: number(request.ageMs),
    method: request.method ?? '',
    path: request.path ?? '',
    client: request.client ?? '',
    requestId: request.requestId ?? '',
    class: request.class ?? '',
    tenant: request.tenant ?? '',
  };
}

/** Numbers of 64 bits come as objects. They stay below 2^53. */
export function number(value: { toNumber(): number } | number | null | undefined): number {
  if (typeof value === 'number') return value;
  return value?.toNumber() ?? 0;
}
