import type { Pod } from './pod.ts';
import type { Routing } from './routing.ts';
import type { Service } from './service.ts';

/** A service with the pods it has now. */
export interface ServiceWithPods {
  readonly service: Service;
  /** Normalized: sorted, each address once. Empty while `isKnown` is false. */
  readonly pods: readonly Pod[];
  /** Whether the source of its pods has ever answered. Until then nothing is taken away from who has it already. */
  readonly isKnown: boolean;
  /** Pods that get no new request by an operator's order, by address; undefined: none. */
  readonly idle?: ReadonlySet<string>;
}

/** Everything Envoy and its queue filter have to be told, without a wire type in sight. */
export interface Model {
  readonly routing: Routing;
  /** The routing's services, in its order. */
  readonly services: readonly ServiceWithPods[];
}
