import { formatAddress } from './locator.ts';
import type { ServiceWithPods } from './model.ts';
import type { ServiceName } from './service.ts';

/** Who gave an order, and when (milliseconds since the epoch). */
export interface Order {
  readonly by: string;
  readonly at: number;
}

/** What an operator has ordered beside the routes, until it is taken back. */
export interface Overrides {
  /** Services whose pods get no new request: everything that comes waits. */
  readonly paused: ReadonlyMap<ServiceName, Order>;
  /** Pods that get no new request, by address as `formatAddress` writes it. */
  readonly drained: ReadonlyMap<string, Order>;
}

/** Nothing is ordered. */
export const NO_OVERRIDES: Overrides = { paused: new Map(), drained: new Map() };

/**
 * The services with the pods that get no request by order. A service with which nothing has changed since `before` is the
 * same object, and if none has changed so is the list.
 */
export function applyOverrides(
  services: readonly ServiceWithPods[],
  overrides: Overrides,
  before: readonly ServiceWithPods[] = [],
): readonly ServiceWithPods[] {
  if (overrides.paused.size === 0 && overrides.drained.size === 0) return services;
  const old = new Map(before.map((one) => [one.service.name, one]));
  const applied = services.map((one) => {
    const idle = idlePods(one, overrides);
    const was = old.get(one.service.name);
    if (was !== undefined && isSame(was, one, idle)) return was;
    return idle.size === 0 ? one : { ...one, idle };
  });
  return applied.length === before.length && applied.every((one, at) => one === before[at]) ? before : applied;
}

function idlePods({ service, pods }: ServiceWithPods, { paused, drained }: Overrides): ReadonlySet<string> {
  const addresses = pods.map(formatAddress);
  return new Set(paused.has(service.name) ? addresses : addresses.filter((address) => drained.has(address)));
}

function isSame(was: ServiceWithPods, now: ServiceWithPods, idle: ReadonlySet<string>): boolean {
  if (was.service !== now.service || was.pods !== now.pods || was.isKnown !== now.isKnown) return false;
  return (was.idle?.size ?? 0) === idle.size && [...idle].every((address) => was.idle?.has(address));
}
