/** How a member's requests ended, and what else it counts: totals since its VM started, as in `sluice.queue.v1.Counts`. */
export interface Counts {
  /** Came. */
  readonly arrived: number;
  /** Got a slot. */
  readonly started: number;
  /** Ended with a whole answer of a status below 500. */
  readonly answered: number;
  /** Ended with a whole answer of a status of at least 500. */
  readonly failed: number;
  /** The queue was full. */
  readonly refused: number;
  /** Gave up waiting after `queue.timeout`. */
  readonly waitTimeouts: number;
  /** Their client left while they waited. */
  readonly abandonedWaiting: number;
  /** Their client left while a pod worked on them. */
  readonly abandonedWorking: number;
  /** Given up after `timeout.request`. */
  readonly workTimeouts: number;
  /** Went to another pod than the first one. */
  readonly retried: number;
  /** How often a pod was ejected. */
  readonly ejections: number;
  /** Answered 503 by the filter itself: no memory, no configuration, service removed, cancelled. */
  readonly unserved: number;
}

/** All names in `Counts`. */
export const COUNTS = [
  'arrived',
  'started',
  'answered',
  'failed',
  'refused',
  'waitTimeouts',
  'abandonedWaiting',
  'abandonedWorking',
  'workTimeouts',
  'retried',
  'ejections',
  'unserved',
] as const satisfies readonly (keyof Counts)[];

/** A histogram as a member reports it: totals since its VM started. */
export interface Durations {
  /** How many fell into each bucket of `BOUNDS_MS`; the last one has no bound. Empty: none. */
  readonly buckets: readonly number[];
  readonly sumMs: number;
}

/** What a member does with a pod. `trying`: it was ejected, and has one request until that one succeeds. */
export type ReportedPodState = 'ready' | 'draining' | 'ejected' | 'unhealthy' | 'trying';

/** One pod, as a member reports it. */
export interface PodReport {
  /** `10.0.0.1:80` or `[fd00::1]:80`. */
  readonly address: string;
  readonly limit: number;
  readonly inUse: number;
  readonly state: ReportedPodState;
  /** How long until an ejected pod is tried again. */
  readonly ejectedForMs: number;
}

/** One service, as a member reports it. */
export interface ServiceReport {
  readonly name: string;
  readonly waiting: number;
  /** Age of the oldest waiting request; 0: none waits. */
  readonly oldestWaitMs: number;
  readonly inUse: number;
  /** The most since the report before: what is between two looks is not lost. */
  readonly mostWaiting: number;
  readonly mostInUse: number;
  readonly counts: Counts;
  readonly wait: Durations;
  readonly work: Durations;
  /** Those that have changed; all of them when a stream begins. */
  readonly pods: readonly PodReport[];
}

/** Why a pod was ejected. */
export type EjectionReason = 'unreachable' | 'gateway errors' | 'consecutive 5xx';

/** Something that happened to a pod at a member. */
export interface PodEvent {
  readonly service: string;
  readonly address: string;
  readonly kind: 'ejected' | 'returned' | 'forgotten';
  readonly reason: EjectionReason | undefined;
  /** How long it is ejected. */
  readonly forMs: number;
}

/** A queue filter: the VM of one worker of one Envoy. */
export interface Member {
  /** The node's id, as xDS has it. */
  readonly nodeId: string;
  /** Another one is another VM, which knows nothing of the one before and counts from 0. */
  readonly epoch: string;
}

/** What a member says when its stream begins. */
export interface MemberHello extends Member {
  /** Counts the streams of this VM, from 1. */
  readonly stream: number;
  /** The hash of the filter's code. */
  readonly codeVersion: string;
  readonly memoryBytes: number;
}
