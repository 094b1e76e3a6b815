import type { Pod } from './pod.ts';
import type { Routing } from './routing.ts';
import type { Service } from './service.ts';

/** What the gate of a service lets through now; changes with the pods, unlike the service itself. */
export interface GateLimit {
  /** Requests that may be at pods at the same time: Envoy's `max_connections` of the gate. */
  readonly slots: number;
  /** Requests that may wait in the line: Envoy's `max_pending_requests` of the gate. */
  readonly pending: number;
}

/** A service with the pods it has now. */
export interface ServiceWithPods {
  readonly service: Service;
  /** Normalized: sorted, each address once. */
  readonly pods: readonly Pod[];
  /** Undefined for a service without a limit: it has no gate. */
  readonly gate: GateLimit | undefined;
}

/** Everything Envoy has to be told, without a wire type in sight. */
export interface Model {
  readonly routing: Routing;
  /** The routing's services, in its order. */
  readonly services: readonly ServiceWithPods[];
}
