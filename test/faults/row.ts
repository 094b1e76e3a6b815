import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import type { PodProcessProtocol } from './pod-program.ts';
import type { ServiceKeys, World } from './world.ts';

/** What a fault has done, for the judge. All moments are those of `instant()`. */
export interface Inflicted {
  /** When the fault ended: from here on every slot could be used again. */
  readonly over: number;
  /** What became of requests that were sent over the load's connection, so that they have their place in the order. */
  readonly along?: readonly LoadResult[];
  /** What became of requests that were sent over other connections. */
  readonly beside?: readonly LoadResult[];
  /**
   * Whether the fault itself explains that this request had no good answer: it was at the pod that was killed, say.
   * `visits` are the times a pod saw it. Nothing is explained when left out.
   */
  readonly explains?: (result: LoadResult, visits: readonly PodRequest[]) => boolean;
  /** Whether the fault itself made the pod notice this request late, so that its place in the order says nothing. */
  readonly late?: (visit: PodRequest) => boolean;
}

/**
 * Full use again within so many milliseconds, where no pod was taken out: at once, on a quiet machine. The margin is for
 * a busy one, on which every handover takes longer.
 */
export const FULL_USE_MS = 2000;

/**
 * The same where pods were: Envoy ends ejections once a second, the first after 2 s (`outlier.eject`), the second after 4.
 */
export const EJECTED_MS = 6000;

/**
 * So many may seem to be overtaken where the order is kept: the pods are processes, and on a busy machine one may be
 * slower than another to note what it was given. On a quiet one it is 0.
 */
export const NOISE = 4;

/**
 * Requests that may be overtaken where a pod is taken out: those that left the line for its slots before Sluice had
 * heard of it, which asks Envoy five times a second.
 */
export const EJECTED_OVERTAKEN = 40;

/** What a row promises beside what all promise: nobody over the limit, nothing lost, no wrong answer. */
export interface RowPromise {
  /** Requests without a good answer that the fault itself may explain; 0 when left out. */
  readonly explained?: number;
  /** Requests that may be overtaken: those that had left the line already; `NOISE` when left out. */
  readonly overtaken?: number;
  /** Full use again after at most so many milliseconds. */
  readonly fullUseMs: number;
}

/** One row of the fault matrix. */
export interface FaultRow {
  /** What `npm run test:faults -- NAME` runs. */
  readonly name: string;
  /** What happens, for the table. */
  readonly fault: string;
  /** What a user sees of it. */
  readonly user: string;
  /** Keys of the service. */
  readonly service?: ServiceKeys;
  /** What the pods speak; `http1` when left out. */
  readonly protocol?: PodProcessProtocol;
  readonly promise: RowPromise;
  /** Does it, under load; resolves when the fault is over. */
  readonly inflict: (world: World) => Promise<Inflicted>;
}
