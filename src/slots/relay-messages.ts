import { sluice } from '#xds';
import type { ServiceName } from '../model/service.ts';
import type { CoordinatorMessage, HeldService } from './coordinator.ts';
import type { JobEvent, SlotChange } from './events.ts';
import type { PeerEvent, PeerHello } from './peer.ts';
import { heldService, jobEventOf, number, slotChange as readChange } from './read-message.ts';
import { type SlotsMessage, slotChange as writeChange } from './write-message.ts';

const messages = sluice.slots.v1;
const { Change, JobEvent: Jobs, SlotChange: Slot } = sluice.queue.v1;

/** A job that goes on without its request. */
export interface RelayedJob {
  readonly service: ServiceName;
  readonly address: string;
  readonly id: string;
  readonly slots: number;
}

/** How a following Sluice introduces a filter. */
export interface RelayHello extends PeerHello {
  readonly kind: 'hello';
  readonly protocol: number;
  /** How it calls itself. */
  readonly sluice: string;
  readonly jobs: readonly RelayedJob[];
}

/** Pods of a service that a filter would give a request. */
export type ServicePods = readonly [ServiceName, ReadonlySet<string>];

/** From a following Sluice to its coordinator, about one filter. `unknown`: something of a newer protocol. */
export type FromFollower =
  | RelayHello
  | { readonly kind: 'usable'; readonly services: readonly ServicePods[] }
  | Exclude<PeerEvent, { readonly kind: 'usable' }>
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'unknown' };

/** From the coordinator, about one filter. `lacks`: the services of the filter that it does not have. */
export type FromCoordinator =
  | { readonly kind: 'welcome'; readonly heartbeatMs: number; readonly deadAfterMs: number }
  | { readonly kind: 'say'; readonly messages: readonly CoordinatorMessage[] }
  | { readonly kind: 'ask ended'; readonly epoch: string }
  | { readonly kind: 'lacks'; readonly services: readonly ServiceName[] }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'unknown' };

/** The bytes of a `FollowerMessage`. */
export function writeFromFollower(message: FromFollower): Buffer {
  return Buffer.from(messages.FollowerMessage.encode(followerContent(message)).finish());
}

function followerContent(message: FromFollower): sluice.slots.v1.FollowerMessage.$Properties {
  switch (message.kind) {
    case 'hello': {
      const { protocol, node, epoch, process, stream, shares, sluice: name, jobs } = message;
      return { hello: { protocol, nodeId: node, epoch, process, stream, shares, sluice: name, jobs: [...jobs] } };
    }
    case 'usable':
      return { usable: { services: message.services.map(([service, pods]) => ({ service, pods: [...pods] })) } };
    case 'holding':
      return { holding: { services: message.services.map(writeHeld), complete: message.isComplete } };
    case 'changes':
      return { changes: { changes: message.changes.map(writeMemberChange) } };
    case 'job':
      return { jobEvent: writeJob(message.event) };
    case 'ended':
      return { ended: { epoch: message.ended } };
    case 'received':
      return { received: { grants: message.grants } };
    case 'heartbeat':
      return { heartbeat: {} };
    case 'unknown':
      return {};
  }
}

/** Reads a `FollowerMessage`. Throws on bytes that are none. */
export function readFromFollower(bytes: Uint8Array): FromFollower {
  const message = messages.FollowerMessage.decode(bytes);
  const { hello, usable, holding, changes, ended, jobEvent, heartbeat, received } = message;
  if (received) return { kind: 'received', grants: number(received.grants) };
  if (changes) return { kind: 'changes', changes: (changes.changes ?? []).map(readChange) };
  if (usable) {
    return {
      kind: 'usable',
      // A service is called as its cluster.
      services: (usable.services ?? []).map(({ service, pods }) => [service as ServiceName, new Set(pods ?? [])]),
    };
  }
  if (heartbeat) return { kind: 'heartbeat' };
  if (hello) {
    return {
      kind: 'hello',
      protocol: hello.protocol ?? 0,
      node: hello.nodeId ?? '',
      epoch: hello.epoch ?? '',
      process: hello.process || '0',
      stream: hello.stream ?? 0,
      shares: hello.shares ?? false,
      sluice: hello.sluice ?? '',
      jobs: (hello.jobs ?? []).map(({ service, address, id, slots }) => ({
        service: (service ?? '') as ServiceName,
        address: address ?? '',
        id: id ?? '',
        slots: slots || 1,
      })),
    };
  }
  if (holding) {
    return {
      kind: 'holding',
      services: (holding.services ?? []).map(heldService),
      isComplete: holding.complete ?? false,
    };
  }
  if (jobEvent) return { kind: 'job', event: jobEventOf(jobEvent) };
  if (ended) return { kind: 'ended', ended: ended.epoch ?? '' };
  return { kind: 'unknown' };
}

/** The bytes of a `CoordinatorMessage`; several where what is said has to keep its order. */
export function writeFromCoordinator(message: FromCoordinator): readonly Buffer[] {
  return coordinatorContents(message).map((content) =>
    Buffer.from(messages.CoordinatorMessage.encode(content).finish()),
  );
}

function coordinatorContents(message: FromCoordinator): readonly sluice.slots.v1.CoordinatorMessage.$Properties[] {
  switch (message.kind) {
    case 'welcome':
      return [{ welcome: { heartbeatMs: message.heartbeatMs, deadAfterMs: message.deadAfterMs } }];
    case 'say':
      return saidContents(message.messages);
    case 'ask ended':
      return [{ askEnded: { epoch: message.epoch } }];
    case 'lacks':
      return [{ unknown: { services: [...message.services] } }];
    case 'heartbeat':
      return [{ heartbeat: {} }];
    case 'unknown':
      return [];
  }
}

function saidContents(said: readonly CoordinatorMessage[]): readonly sluice.slots.v1.CoordinatorMessage.$Properties[] {
  const contents: sluice.slots.v1.CoordinatorMessage.$Properties[] = [];
  let changes: SlotsMessage[] = [];
  const flush = () => {
    if (changes.length > 0) contents.push({ slots: { changes: changes.map(writeChange) } });
    changes = [];
  };
  for (const message of said) {
    if (message.kind !== 'welcome' && message.kind !== 'dead') {
      changes.push(message);
      continue;
    }
    flush();
    contents.push(message.kind === 'dead' ? { givenUp: {} } : { share: { term: message.term } });
  }
  flush();
  return contents;
}

/** Reads a `CoordinatorMessage`. Throws on bytes that are none. */
export function readFromCoordinator(bytes: Uint8Array): FromCoordinator {
  const message = messages.CoordinatorMessage.decode(bytes);
  const { welcome, share, slots, givenUp, askEnded, unknown, heartbeat } = message;
  if (slots) return { kind: 'say', messages: (slots.changes ?? []).map(readSlotChange) };
  if (heartbeat) return { kind: 'heartbeat' };
  if (share) return { kind: 'say', messages: [{ kind: 'welcome', term: number(share.term) }] };
  if (givenUp) return { kind: 'say', messages: [{ kind: 'dead' }] };
  if (askEnded) return { kind: 'ask ended', epoch: askEnded.epoch ?? '' };
  if (unknown) return { kind: 'lacks', services: (unknown.services ?? []) as ServiceName[] };
  if (welcome) return { kind: 'welcome', heartbeatMs: welcome.heartbeatMs ?? 0, deadAfterMs: welcome.deadAfterMs ?? 0 };
  return { kind: 'unknown' };
}

function readSlotChange(change: sluice.queue.v1.SlotChange.$Properties): SlotsMessage {
  const { service, pod, request, slots, ageUs, kind } = change;
  const { Kind } = Slot;
  const named = service ?? '';
  switch (kind) {
    case Kind.RECALL:
      return { kind: 'recall', service: named, pod: pod ?? '', slots: slots ?? 0 };
    case Kind.ELSEWHERE:
      return { kind: 'oldest elsewhere', service: named, age: number(ageUs) / 1000 };
    case Kind.NOBODY_ELSEWHERE:
      return { kind: 'oldest elsewhere', service: named, age: undefined };
    case Kind.ACKNOWLEDGED:
      return { kind: 'acknowledged', service: named, slots: slots ?? 0 };
    case Kind.ALONE:
    case Kind.NOT_ALONE:
      return { kind: 'alone', alone: kind === Kind.ALONE };
    default:
      return { kind: 'grant', service: named, pod: pod ?? '', request: number(request) };
  }
}

function writeHeld({ service, held, waiting }: HeldService): sluice.queue.v1.HeldService.$Properties {
  return {
    service,
    pods: held.map(([address, slots]) => ({ address, slots })),
    waiting: waiting.map(([request, age, pod = '']) => ({ request, ageUs: microseconds(age), pod })),
  };
}

function writeMemberChange(change: SlotChange): sluice.queue.v1.Change.$Properties {
  const { Kind } = Change;
  const { service } = change;
  if (change.kind === 'left') return { service, kind: Kind.LEFT, request: change.request };
  if (change.kind === 'released') return { service, kind: Kind.RELEASED, pod: change.pod };
  const { request, age, pod = '' } = change;
  return { service, kind: Kind.WAITS, request, ageUs: microseconds(age), pod };
}

const JOB_KINDS: Readonly<Record<JobEvent['kind'], sluice.queue.v1.JobEvent.Kind>> = {
  began: Jobs.Kind.BEGAN,
  done: Jobs.Kind.DONE,
  failed: Jobs.Kind.FAILED,
  'timed out': Jobs.Kind.TIMED_OUT,
  lost: Jobs.Kind.LOST,
};

function writeJob({ service, address, id, kind, slots }: JobEvent): sluice.queue.v1.JobEvent.$Properties {
  return { service, address, id, kind: JOB_KINDS[kind], slots };
}

function microseconds(ms: number): number {
  return Math.max(0, Math.floor(ms * 1000));
}
