import { highestLimit, type Pod } from '../model/pod.ts';
import {
  type Cost,
  type Fair,
  type Idempotency,
  type Priority,
  type Service,
  type ServiceName,
  USUAL_SLACK,
} from '../model/service.ts';

/** When a pod is ejected, and for how long. */
export interface Ejection {
  readonly consecutive5xx: number;
  readonly consecutiveGateway: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

/** How a member is to treat the requests of a service. */
export interface QueueSettings {
  readonly max: number;
  readonly timeoutMs: number;
  readonly fullStatus: number;
  readonly abortHoldMs: number;
  /** How much younger than the oldest of another Envoy its own first may be and still go. */
  readonly slackMs: number;
  readonly ejection: Ejection;
  readonly priority?: Priority;
  readonly fair?: Fair;
  readonly deadline?: 'exact' | 'early';
  /** `most`: the highest limit of a pod. */
  readonly cost?: Cost & { readonly most: number };
  /** Clients are told their place in the queue. */
  readonly tellPlace: boolean;
  /** A request joins the queue when so much of its body is here; 0: at once. */
  readonly waitForBodyBytes: number;
  /** Undefined: a request's slot is free when its answer is over. */
  readonly jobs: JobSettings | undefined;
  /** Undefined: each request is one of its own. */
  readonly idempotency: Idempotency | undefined;
  /** Its slots are never shared with other Envoys. */
  readonly ownSlots: boolean;
}

/** How jobs begin, and when they end at the latest. */
export interface JobSettings {
  readonly status: number;
  readonly timeoutMs: number;
  readonly header: string;
}

/** What a pod may have. */
export interface PodSlots {
  readonly limit: number;
  readonly unhealthy: boolean;
}

/** What a member is to have of a service. Of services that are not wanted in any way it keeps what it has. */
export type Wanted =
  | {
      readonly kind: 'service';
      readonly settings: QueueSettings;
      /** By address, as `formatAddress` writes it. Others get no further request. */
      readonly pods: ReadonlyMap<string, PodSlots>;
      /** Services that are gone, and whose requests are those of this one from now on. */
      readonly takes?: readonly ServiceName[];
    }
  /** Only these pods, whatever its settings are: of a service that Sluice knows from the member alone. */
  | { readonly kind: 'pods'; readonly pods: ReadonlyMap<string, PodSlots> }
  /** It goes: what waits is answered with 503, and it is forgotten when its last request has ended. */
  | { readonly kind: 'removed' };

/** A service by the name it has. */
export type WantedService = readonly [ServiceName, Wanted];

/** How long a slot stays taken after its client has given up: until the pod has heard of it. */
const ABORT_HOLD_MS = 5;

/** A pod that breaks off this many answers in a row, or answers them as a gateway does that has nobody behind it. */
const CONSECUTIVE_GATEWAY = 3;

/** The longest a pod stays ejected when the user has not asked for longer. */
const LONGEST_EJECTION_MS = 10_000;

/** What a member needs to know of a service with a limit, besides its pods; undefined: it has none. */
export function queueSettings({ discipline, outlier }: Service, pods: readonly Pod[]): QueueSettings | undefined {
  if (discipline.kind !== 'limited') return undefined;
  const { queue } = discipline;
  const { max, timeout, fullStatus, tellPlace = false, waitForBody = 0, slack, priority, fair, deadline } = queue;
  const { cost, limit } = discipline;
  return {
    max,
    timeoutMs: timeout,
    fullStatus,
    abortHoldMs: ABORT_HOLD_MS,
    slackMs: slack ?? USUAL_SLACK,
    ejection: {
      consecutive5xx: outlier.consecutive5xx,
      consecutiveGateway: CONSECUTIVE_GATEWAY,
      baseMs: outlier.eject,
      maxMs: Math.max(outlier.eject, LONGEST_EJECTION_MS),
    },
    tellPlace,
    waitForBodyBytes: waitForBody,
    idempotency: discipline.idempotency,
    jobs: discipline.jobs && {
      status: discipline.jobs.status,
      timeoutMs: discipline.jobs.timeout,
      header: discipline.jobs.header,
    },
    ...(priority === undefined ? {} : { priority }),
    ...(fair === undefined ? {} : { fair }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(cost === undefined ? {} : { cost: { ...cost, most: highestLimit(limit, pods) } }),
    ownSlots: false,
  };
}

/** Whether they say the same. */
export function sameSettings(a: QueueSettings, b: QueueSettings): boolean {
  const [x, y] = [a.ejection, b.ejection];
  return (
    a.max === b.max &&
    a.timeoutMs === b.timeoutMs &&
    a.fullStatus === b.fullStatus &&
    a.abortHoldMs === b.abortHoldMs &&
    a.tellPlace === b.tellPlace &&
    a.waitForBodyBytes === b.waitForBodyBytes &&
    a.idempotency?.header === b.idempotency?.header &&
    a.idempotency?.onDuplicate === b.idempotency?.onDuplicate &&
    a.jobs?.status === b.jobs?.status &&
    a.jobs?.timeoutMs === b.jobs?.timeoutMs &&
    a.jobs?.header === b.jobs?.header &&
    a.slackMs === b.slackMs &&
    a.ownSlots === b.ownSlots &&
    x.consecutive5xx === y.consecutive5xx &&
    x.consecutiveGateway === y.consecutiveGateway &&
    x.baseMs === y.baseMs &&
    x.maxMs === y.maxMs &&
    orderOf(a) === orderOf(b)
  );
}

/** A text that is equal where everything about who goes next is. */
function orderOf({ priority, fair, deadline, cost }: QueueSettings): string {
  return JSON.stringify([priority, fair, deadline, cost]);
}
