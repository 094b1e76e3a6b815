import { remember } from '../base/remember.ts';
import type { Pod } from './pod.ts';
import type { Routing } from './routing.ts';
import type { Service, ServiceName } from './service.ts';

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
  /** Where new requests line up when that is not the service's own gate: behind those who wait at an older one. */
  readonly line?: ServiceName;
  /** Seconds after which whoever is refused should come again; 1 when left out. */
  readonly retryAfter?: number;
}

/**
 * A service as it was before an edit that replaces its cluster, its gate or itself: what runs and waits there
 * ends there.
 */
export interface Retiring extends ServiceWithPods {
  /** The service that takes over its pods: the same one with other settings, or one with another name. */
  readonly heir: ServiceName | undefined;
  /** Clock time from when it has been retiring. */
  readonly since: number;
}

/** Everything Envoy has to be told, without a wire type in sight. */
export interface Model {
  readonly routing: Routing;
  /** The routing's services, in its order. */
  readonly services: readonly ServiceWithPods[];
  /** Oldest first. `pods` empty: all have moved on; `gate` undefined: its line goes on as the heir's. */
  readonly retiring: readonly Retiring[];
}

/** All gates of a model by the services they are named after, the retiring ones included. */
export function gatesOf(model: Model): ReadonlyMap<ServiceName, GateLimit> {
  return remember(gatesOfModel, model, findGates);
}

const gatesOfModel = new WeakMap<Model, ReadonlyMap<ServiceName, GateLimit>>();

function findGates({ services, retiring }: Model): ReadonlyMap<ServiceName, GateLimit> {
  return new Map(
    [...services, ...retiring].flatMap(({ service, gate }) =>
      gate === undefined ? [] : [[service.name, gate] as const],
    ),
  );
}
