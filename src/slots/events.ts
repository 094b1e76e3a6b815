import type { ServiceName } from '../model/service.ts';
import type { HeldService, MemberMessage } from './coordinator.ts';

/** A virtual machine of the queue filter: one worker of one Envoy. Another start of it has another epoch. */
export interface MemberId {
  /** The node id of its Envoy. */
  readonly node: string;
  /** As text: it is a number of 64 bits. */
  readonly epoch: string;
}

/** What became of the requests of a service, counted since the member's start. */
export interface Counts {
  readonly arrived: number;
  readonly started: number;
  readonly answered: number;
  readonly failed: number;
  readonly refused: number;
  readonly waitTimeouts: number;
  readonly abandonedWaiting: number;
  readonly abandonedWorking: number;
  readonly workTimeouts: number;
  readonly retried: number;
  readonly ejections: number;
  readonly unserved: number;
  /** Answered 504: their own deadline was over, or could not be met any more. */
  readonly deadlines: number;
}

/** A histogram since the member's start; `queue.proto` has the bounds of its buckets. Empty: all are 0. */
export interface DurationCounts {
  readonly buckets: readonly number[];
  readonly sumMs: number;
}

/** What a member does with a pod. `trying`: it was ejected, and has one request until that one succeeds. */
export type PodUse = 'ready' | 'draining' | 'ejected' | 'unhealthy' | 'trying';

/** How many requests a member has at a pod. */
export interface PodInUse {
  /** As `formatAddress` writes it. */
  readonly address: string;
  readonly inUse: number;
}

/** A pod as a member has it. */
export interface PodReport extends PodInUse {
  readonly limit: number;
  readonly state: PodUse;
  /** How long until an ejected pod is tried again. */
  readonly ejectedForMs: number;
  /** Slots of it that all workers of the Envoy use, where the report of its service is `shared`. */
  readonly inUseInAll?: number;
}

/** What the workers of an Envoy use together, as of a version of what they share: the highest version is the newest. */
export interface SharedUse {
  readonly version: number;
  readonly inUse: number;
}

/** A service as a member has it. */
export interface ServiceReport {
  readonly name: ServiceName;
  readonly waiting: number;
  /** Age of the oldest waiting request; 0 where none waits. */
  readonly oldestWaitMs: number;
  readonly inUse: number;
  /** Most that waited, and that were in use, since the last report. */
  readonly mostWaiting: number;
  readonly mostInUse: number;
  readonly counts: Counts;
  readonly wait: DurationCounts;
  readonly work: DurationCounts;
  /** Pods whose numbers have changed since the last report; all of them in `hello`. */
  readonly pods: readonly PodReport[];
  /** How long a request that came now would wait; 0: it would not wait, or that is not known. */
  readonly expectedWaitMs: number;
  /** Requests that have not joined the queue, because their bodies are on their way. */
  readonly coming: number;
  /** Jobs, which are among those in use. */
  readonly jobCount: number;
  /** Those jobs, in `hello`; empty in later reports. */
  readonly jobs: readonly JobReport[];
  /** Sluice has sent it. Otherwise only requests for it came: they wait. */
  readonly isKnown: boolean;
  /** The service that has taken it over, in `hello`. */
  readonly takenBy: ServiceName | undefined;
  /** Of a service with classes, the highest first. */
  readonly classes: readonly ClassReport[];
  /** Of a service with tenants: those that have most, and how many have anything. */
  readonly tenants: readonly TenantReport[];
  readonly busyTenants: number;
  /** While the workers of its Envoy share the slots; `mostInUse` is of all of them then. */
  readonly shared?: SharedUse;
}

/** A tenant of a service as a member has it. */
export interface TenantReport {
  readonly name: string;
  readonly waiting: number;
  readonly inUse: number;
}

/** A class of a service's requests as a member has it. */
export interface ClassReport {
  readonly name: string;
  readonly waiting: number;
  /** How many got a slot, and how long those had waited, since the member's start. */
  readonly started: number;
  readonly waitMs: number;
}

/** Why a pod was ejected. */
export type EjectionReason = 'none' | 'unreachable' | 'gateway errors' | 'consecutive 5xx';

/** A pod that is none, for services whose requests wait for no slot; nobody is told of it. */
export const NO_POD = '0.0.0.0:1';

/** Something that happened to a pod at a member. */
export interface PodEvent {
  readonly service: ServiceName;
  readonly address: string;
  /**
   * `returned`: the time of its ejection is over; it gets one request, and others when that one succeeds.
   * `forgotten`: it was removed and its last request has ended.
   */
  readonly kind: 'ejected' | 'returned' | 'forgotten';
  readonly reason: EjectionReason;
  readonly forMs: number;
}

/** A job: its pod has answered, and works on. */
export interface JobReport {
  readonly address: string;
  readonly id: string;
  readonly ageMs: number;
  /** Slots of its pod that it has. */
  readonly slots: number;
}

/** Something that happened to a job. `lost`: Sluice said that its pod does not know it any more. */
export interface JobEvent {
  readonly service: ServiceName;
  readonly address: string;
  readonly id: string;
  readonly kind: 'began' | 'done' | 'failed' | 'timed out' | 'lost';
  /** Slots of its pod that it has. */
  readonly slots: number;
}

/** A request that waits, within its member. */
export interface WaitingRequest {
  readonly id: number;
  readonly ageMs: number;
  readonly method: string;
  readonly path: string;
  readonly client: string;
  readonly requestId: string;
  /** Empty: its service has no classes, or no tenants. */
  readonly class: string;
  readonly tenant: string;
}

/** What has changed of the slots that several Envoys share. */
export type SlotChange = Exclude<MemberMessage, { readonly kind: 'hello' }>;

/** What happens on the streams of queue filters. */
export type SlotsEvent = MemberId &
  (
    | {
        /** Its first stream, or one that takes the place of an older one. */
        readonly kind: 'hello';
        readonly codeVersion: string;
        readonly memoryBytes: number;
        /** Everything it has: its services, each with all its pods. */
        readonly services: readonly ServiceReport[];
        /** Its address. */
        readonly peer: string;
      }
    /** What has changed since its last report. */
    | { readonly kind: 'report'; readonly services: readonly ServiceReport[]; readonly memoryBytes: number }
    | { readonly kind: 'pod'; readonly event: PodEvent }
    | { readonly kind: 'job'; readonly event: JobEvent }
    | {
        readonly kind: 'waiting list';
        readonly query: number;
        readonly service: ServiceName;
        readonly requests: readonly WaitingRequest[];
        readonly waiting: number;
        /** All pods of the service. */
        readonly pods: readonly PodInUse[];
      }
    /** Something it was sent could not be applied; what was before stays. */
    | { readonly kind: 'rejected'; readonly sequence: number; readonly reason: string }
    /** It has applied something that it was sent. */
    | { readonly kind: 'acked'; readonly services: ReadonlySet<ServiceName> }
    /** It has been told everything, and has applied it. */
    | { readonly kind: 'synced' }
    /** What it holds of the slots that several Envoys share, and who waits there; some services at a time. */
    | { readonly kind: 'holding'; readonly services: readonly HeldService[]; readonly isComplete: boolean }
    /** What of that has changed. */
    | { readonly kind: 'changes'; readonly changes: readonly SlotChange[] }
    /** Another filter of the same Envoy has ended. */
    | { readonly kind: 'ended'; readonly ended: string }
    /** Its stream has ended; the member itself may go on with what it knows. */
    | { readonly kind: 'gone'; readonly reason: string }
  );
