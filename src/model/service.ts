import type { Brand } from '../base/brand.ts';
import type { Millis } from '../base/duration.ts';
import type { Locator } from './locator.ts';

/** What the user calls a service: `[a-z0-9]` and inner `-._`, at most 63 characters; part of Envoy's cluster names. */
export type ServiceName = Brand<string, 'ServiceName'>;

/** A number of requests held at the same time. */
export type Slots = Brand<number, 'Slots'>;

/** How pods of a service are spoken to: `http1` (WebSocket included), or `h2c` (HTTP/2 without TLS: gRPC). */
export type Protocol = 'http1' | 'h2c';

/** How a service without a limit spreads its requests. */
export type Balance = 'least_request' | 'round_robin' | 'random';

/** Who gets the next request, and who waits where. */
export type Discipline =
  | {
      readonly kind: 'limited';
      /** Requests one pod may hold at a time. */
      readonly limit: Slots;
      /** The one queue for all pods. */
      readonly queue: {
        /** Requests that may wait; above it they are refused. */
        readonly max: number;
        /** Longest wait; 0 = as long as it takes. */
        readonly timeout: Millis;
        /** HTTP status of a refusal. */
        readonly fullStatus: number;
      };
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
}

/** What the user says about one service; who its pods are comes from its locator's source. */
export interface Service {
  readonly name: ServiceName;
  readonly locator: Locator;
  readonly protocol: Protocol;
  /** Undefined: in the clear. */
  readonly tls?: PodTls;
  readonly discipline: Discipline;
  readonly timeout: {
    /** Longest time a pod may work on one request, from its slot to the last byte; 0 = none. */
    readonly request: Millis;
    /** Longest time a connection to a pod may take. */
    readonly connect: Millis;
  };
  readonly health?: HealthCheck;
  readonly outlier: Outlier;
}
