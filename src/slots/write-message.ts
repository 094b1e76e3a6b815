import { sluice } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import type { Fair, Priority, ServiceName } from '../model/service.ts';
import type { CoordinatorMessage } from './coordinator.ts';
import type { PodSlots, QueueSettings } from './wanted.ts';

const { ControlMessage, Deadline, SlotChange } = sluice.queue.v1;

/** How often the two sides speak, in milliseconds. */
export interface Pace {
  /** Silence is broken this often. */
  readonly heartbeatMs: number;
  readonly reportMs: number;
  /** Who has been silent for so long is gone. */
  readonly deadAfterMs: number;
}

/** What Sluice says to a filter. */
export type ToFilter =
  | { readonly kind: 'welcome'; readonly pace: Pace }
  | {
      readonly kind: 'service';
      readonly name: ServiceName;
      readonly settings: QueueSettings;
      readonly pods: ReadonlyMap<string, PodSlots>;
      readonly takes: readonly ServiceName[];
    }
  | {
      readonly kind: 'pods';
      readonly name: ServiceName;
      readonly set: readonly (readonly [string, PodSlots])[];
      readonly remove: readonly string[];
    }
  | { readonly kind: 'remove'; readonly name: ServiceName }
  | { readonly kind: 'synced' }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'list waiting'; readonly query: number; readonly service: ServiceName; readonly most: number }
  | { readonly kind: 'cancel'; readonly service: ServiceName; readonly id: number }
  | { readonly kind: 'end job'; readonly service: ServiceName; readonly address: string; readonly id: string }
  /** Several Envoys share the slots. */
  | { readonly kind: 'share'; readonly term: number; readonly window: number }
  | { readonly kind: 'slots'; readonly changes: readonly SlotsMessage[] }
  | { readonly kind: 'given up' }
  /** Whether another filter of the same Envoy has ended. */
  | { readonly kind: 'ask ended'; readonly epoch: string };

/** What a coordinator says that does not stand alone. */
export type SlotsMessage = Exclude<CoordinatorMessage, { readonly kind: 'welcome' | 'dead' }>;

/** The bytes of a `ControlMessage`. */
export function writeMessage(message: ToFilter, sequence: number): Buffer {
  return Buffer.from(ControlMessage.encode({ sequence, ...content(message) }).finish());
}

function content(message: ToFilter): sluice.queue.v1.ControlMessage.$Properties {
  switch (message.kind) {
    case 'welcome':
      return { welcome: message.pace };
    case 'service': {
      const { name, settings, pods, takes } = message;
      return { service: { name, settings: settingsOf(settings), pods: [...pods].map(podOf), takes: [...takes] } };
    }
    case 'pods':
      return {
        podsDelta: { name: message.name, set: message.set.map(podOf), remove: [...message.remove] },
      };
    case 'remove':
      return { removeService: { name: message.name } };
    case 'synced':
      return { synced: {} };
    case 'heartbeat':
      return { heartbeat: {} };
    case 'list waiting':
      return { listWaiting: { query: message.query, service: message.service, most: message.most } };
    case 'cancel':
      return { cancelRequest: { service: message.service, id: message.id } };
    case 'end job':
      return { endJob: { service: message.service, address: message.address, id: message.id } };
    case 'share':
      return { share: { term: message.term, window: message.window } };
    case 'slots':
      return { slots: { changes: message.changes.map(slotChange) } };
    case 'given up':
      return { givenUp: {} };
    case 'ask ended':
      return { askEnded: { epoch: message.epoch } };
  }
}

/** One thing that a coordinator says. */
export function slotChange(message: SlotsMessage): sluice.queue.v1.SlotChange.$Properties {
  const { Kind } = SlotChange;
  switch (message.kind) {
    case 'grant':
      return { kind: Kind.GRANT, service: message.service, pod: message.pod, request: message.request };
    case 'recall':
      return { kind: Kind.RECALL, service: message.service, pod: message.pod, slots: message.slots };
    case 'oldest elsewhere': {
      const { service, age } = message;
      if (age === undefined) return { kind: Kind.NOBODY_ELSEWHERE, service };
      return { kind: Kind.ELSEWHERE, service, ageUs: Math.max(0, Math.floor(age * 1000)) };
    }
    case 'acknowledged':
      return { kind: Kind.ACKNOWLEDGED, service: message.service, slots: message.slots };
    case 'alone':
      return { kind: message.alone ? Kind.ALONE : Kind.NOT_ALONE };
  }
}

const { OnDuplicate } = sluice.queue.v1.Settings;
const ON_DUPLICATE = { join: OnDuplicate.JOIN, conflict: OnDuplicate.CONFLICT } as const;

function settingsOf(settings: QueueSettings): sluice.queue.v1.Settings.$Properties {
  const { max, timeoutMs, fullStatus, abortHoldMs, ejection, priority, fair, deadline, cost } = settings;
  const { tellPlace, waitForBodyBytes, jobs, idempotency, slackMs, ownSlots } = settings;
  return {
    queueMax: max,
    queueTimeoutMs: timeoutMs,
    fullStatus,
    abortHoldMs,
    slackMs,
    ownSlots,
    ejection,
    tellPlace,
    waitForBodyBytes,
    ...(idempotency && {
      idempotencyHeader: idempotency.header,
      onDuplicate: ON_DUPLICATE[idempotency.onDuplicate],
    }),
    ...(jobs && { jobStatus: jobs.status, jobTimeoutMs: jobs.timeoutMs, jobHeader: jobs.header }),
    ...(priority === undefined ? {} : { priority: priorityOf(priority) }),
    ...(fair === undefined ? {} : { fair: fairOf(fair) }),
    ...(deadline === undefined ? {} : { deadline: DEADLINES[deadline] }),
    ...(cost === undefined ? {} : { cost }),
  };
}

const DEADLINES = { exact: Deadline.DEADLINE_EXACT, early: Deadline.DEADLINE_EARLY } as const;

function fairOf({ by, weights, maxWaiting, maxSlots }: Fair): sluice.queue.v1.Fair.$Properties {
  return {
    ...tenantOf(by),
    waitingMax: maxWaiting,
    slotsMax: maxSlots,
    weights: weights.map(({ tenant, weight }) => ({ name: tenant, weight })),
  };
}

function tenantOf(by: Fair['by']): sluice.queue.v1.Fair.$Properties {
  switch (by.kind) {
    case 'header':
      return { header: by.name };
    case 'address':
      return { property: propertyOf('source', 'address'), address: true };
    case 'certificate':
      return { property: propertyOf('connection', 'subject_peer_certificate') };
    case 'metadata':
      return { property: propertyOf('metadata', 'filter_metadata', ...by.path) };
    default:
      return assertNever(by);
  }
}

/** The path of one of Envoy's properties, as the filter asks for it. */
function propertyOf(...path: readonly string[]): Uint8Array {
  return Buffer.from(path.join('\0'));
}

function priorityOf({ header = '', classes, usual }: Priority): sluice.queue.v1.Priority.$Properties {
  return {
    header,
    classes: classes.map(({ name, maxWait }) => ({ name, maxWaitMs: maxWait })),
    usual: classes.findIndex(({ name }) => name === usual),
  };
}

function podOf([address, { limit, unhealthy }]: readonly [string, PodSlots]): sluice.queue.v1.Pod.$Properties {
  return { address, limit, unhealthy };
}
