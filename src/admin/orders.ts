import { fail, ok, type Result } from '../base/result.ts';

/** What may be ordered. */
const ORDERS = ['pause', 'resume', 'drain', 'undrain', 'cancel', 'forget'] as const;

/** An order of an operator. */
export type OperatorOrder =
  | { readonly kind: 'pause' | 'resume'; readonly service: string }
  /** `pod`: `10.0.0.1:80`, an IP address for all its ports, or its name in Kubernetes. */
  | { readonly kind: 'drain' | 'undrain'; readonly pod: string }
  /** `envoy`: the node id of one that has ended for good. */
  | { readonly kind: 'forget'; readonly envoy: string }
  /** `request`: its number in the queue, or its `x-request-id`. */
  | { readonly kind: 'cancel'; readonly service: string; readonly request: string };

/** A request that waits, as `/queue` lists it. */
export interface QueuedRequest {
  /** By this it can be cancelled. */
  readonly id: string;
  readonly ageMs: number;
  readonly method: string;
  readonly path: string;
  readonly client: string;
  readonly requestId: string;
  /** Its class and its tenant; empty: its service has none. */
  readonly class: string;
  readonly tenant: string;
}

/** Who waits for a service. */
export interface QueueListing {
  readonly service: string;
  /** All that wait, those that are not listed included. */
  readonly waiting: number;
  /** The oldest first. */
  readonly requests: readonly QueuedRequest[];
}

/** What carries orders out. */
export interface Orders {
  /** What was done, in a sentence. Errors: why not. */
  give(order: OperatorOrder, by: string): Promise<Result<string, string>>;
  /** Errors: there is no such service, or nobody can be asked. */
  queue(service: string, most: number): Promise<Result<QueueListing, string>>;
}

/** Reads an order from a path such as `/pause` and its query. Errors: what is missing. */
export function parseOrder(path: string, query: URLSearchParams): Result<OperatorOrder, string> | undefined {
  const kind = ORDERS.find((one) => path === `/${one}`);
  if (kind === undefined) return undefined;
  const [service, pod, request, envoy] = ['service', 'pod', 'request', 'envoy'].map(
    (name) => query.get(name) || undefined,
  );
  switch (kind) {
    case 'pause':
    case 'resume':
      return service === undefined ? fail('Say which service: ?service=NAME.') : ok({ kind, service });
    case 'drain':
    case 'undrain':
      return pod === undefined ? fail('Say which pod: ?pod=ADDRESS.') : ok({ kind, pod });
    case 'forget':
      return envoy === undefined ? fail('Say which Envoy: ?envoy=NODE-ID.') : ok({ kind, envoy });
    case 'cancel':
      if (service === undefined || request === undefined) return fail('Say which: ?service=NAME&request=ID.');
      return ok({ kind, service, request });
  }
}
