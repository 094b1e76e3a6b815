import type { Brand } from '../base/brand.ts';
import { type Millis, millis } from '../base/duration.ts';
import type { Certificate } from './listener.ts';
import type { Locator } from './locator.ts';

/** What the user calls a service: `[a-z0-9]` and inner `-._`, at most 63 characters; part of Envoy's cluster names. */
export type ServiceName = Brand<string, 'ServiceName'>;

/** A number of requests held at the same time. */
export type Slots = Brand<number, 'Slots'>;

/** How pods of a service are spoken to: `http1` (WebSocket included), or `h2c` (HTTP/2 without TLS: gRPC). */
export type Protocol = 'http1' | 'h2c';

/** How a service without a limit spreads its requests. */
export type Balance = 'least_request' | 'round_robin' | 'random';

/** Which of those that wait goes first. */
export interface Priority {
  /** The header that says a request's class, in small letters; undefined: only its route does. */
  readonly header?: string;
  /** The highest first, at most `MOST_CLASSES`. */
  readonly classes: readonly PriorityClass[];
  /** The name of the class of a request that has none, or one that is not known. */
  readonly usual: string;
}

/** A class of requests. */
export interface PriorityClass {
  readonly name: string;
  /** Who has waited for so long goes as one of the highest class; 0: never. */
  readonly maxWait: Millis;
}

/** Whose turn it is, of those that wait in a class. */
export interface Fair {
  /** What says whose a request is. */
  readonly by:
    | { readonly kind: 'header'; readonly name: string }
    /** The client's IP address. */
    | { readonly kind: 'address' }
    /** The subject of the client's certificate. */
    | { readonly kind: 'certificate' }
    /** What another filter of Envoy has left about the request: the name of that filter, and the keys below it. */
    | { readonly kind: 'metadata'; readonly path: readonly string[] };
  /** Of those tenants that have another weight than 1. */
  readonly weights: readonly { readonly tenant: string; readonly weight: number }[];
  /** Requests of one tenant that may wait; 0: any number. */
  readonly maxWaiting: number;
  /** Slots that one tenant may have; 0: any number. */
  readonly maxSlots: number;
}

/** How many slots of one pod a request takes. */
export interface Cost {
  /** The header that says so, in small letters. */
  readonly header: string;
  /** Of a request that does not say. */
  readonly usual: number;
}

/** What `slack` of a queue is when nobody says: less exact order between Envoys, and fewer slots that move. */
export const USUAL_SLACK = millis(20);

/** The most that anything may allow: slots of a pod, requests that wait. */
export const MOST_REQUESTS = 1_000_000;

/** So many classes a service may have. */
export const MOST_CLASSES = 8;

/** Who gets the next request, and who waits where. */
export type Discipline =
  | {
      readonly kind: 'limited';
      /** Requests one pod may hold at a time, if it does not say so itself. */
      readonly limit: Slots;
      /** Undefined: each request takes one slot. */
      readonly cost?: Cost;
      /** The one queue for all pods. */
      readonly queue: {
        /** Requests that may wait; above it they are refused. */
        readonly max: number;
        /** Longest wait; 0 = as long as it takes. */
        readonly timeout: Millis;
        /** HTTP status of a refusal. */
        readonly fullStatus: number;
        /** Clients are told their place, and may ask for it. */
        readonly tellPlace?: boolean;
        /** A request joins when so many bytes of its body are here, or all of it; undefined: at once. */
        readonly waitForBody?: number;
        /** How much younger than the oldest that waits at another Envoy an Envoy's own first may be and go first; undefined: as usual. */
        readonly slack?: Millis;
        /** Undefined: who came first goes first. */
        readonly priority?: Priority;
        /** Undefined: nobody asks whose they are. */
        readonly fair?: Fair;
        /**
         * Whether a request may say itself until when it waits; `early`: it goes as soon as the usual work would not be done in time.
         * Undefined: it may not.
         */
        readonly deadline?: 'exact' | 'early';
      };
      readonly jobs?: Jobs;
      readonly idempotency?: Idempotency;
    }
  | {
      readonly kind: 'balanced';
      readonly balance: Balance;
      /** Requests in flight over all pods; above it they are refused. */
      readonly maxRequests: number;
      /** Requests that may wait for a connection. */
      readonly queueMax: number;
      /** HTTP status of a refusal. */
      readonly fullStatus: number;
    };

/** What becomes of a request whose like waits or runs already. */
export interface Idempotency {
  /** The header with the key, in small letters. */
  readonly header: string;
  /** They get the answer of the first, or are told that it is there. */
  readonly onDuplicate: 'join' | 'conflict';
}

/** Work that goes on when the request for it has been answered. */
export interface Jobs {
  /** The status with which a pod takes a job. */
  readonly status: number;
  /** The header of that answer that names the job, in small letters. */
  readonly header: string;
  /** The longest that a job keeps its slot. */
  readonly timeout: Millis;
  /** Where a pod says which jobs it has; undefined: it does not. */
  readonly poll?: string;
}

/** An active health check of each pod. */
export interface HealthCheck {
  readonly path: string;
  readonly interval: Millis;
}

/** When a pod is taken out for a while because of how it answers. Failing connections always eject. */
export interface Outlier {
  /** Eject after this many 5xx answers in a row; 0 = never for that reason. */
  readonly consecutive5xx: number;
  /** How long, at first. */
  readonly eject: Millis;
}

/** How pods are spoken to by TLS. */
export interface PodTls {
  /** The name that they are asked for by (SNI). */
  readonly serverName?: string;
  /** Whose signature a pod's certificate must bear. */
  readonly authorities:
    | { readonly kind: 'pem'; readonly pem: string }
    /** A PEM file, an absolute path; read by Envoy. */
    | { readonly kind: 'file'; readonly path: string }
    /** Those that Envoy's machine trusts. */
    | { readonly kind: 'system' }
    /** Nobody's: any certificate will do. */
    | { readonly kind: 'any' };
  /** Names of which a pod's certificate must bear one; none: it is not looked at. */
  readonly names: readonly { readonly kind: 'dns' | 'uri'; readonly value: string }[];
  /** What pods are shown; undefined: nothing. */
  readonly certificate?: Certificate;
}

/** What the user says about one service; who its pods are comes from its locator's source. */
export interface Service {
  readonly name: ServiceName;
  readonly locator: Locator;
  readonly protocol: Protocol;
  /** Undefined: in the clear. */
  readonly tls?: PodTls;
  readonly discipline: Discipline;
  /** How long fewer pods must be enough before fewer are wanted; undefined: not at all. */
  readonly scaleDownAfter?: Millis;
  readonly timeout: {
    /** Longest time a pod may work on one request, from its slot to the last byte; 0 = none. */
    readonly request: Millis;
    /** Longest time a connection to a pod may take. */
    readonly connect: Millis;
  };
  readonly health?: HealthCheck;
  readonly outlier: Outlier;
}
