import { assertNever } from '../base/assert-never.ts';
import { remember } from '../base/remember.ts';
import type { Locator } from './locator.ts';
import { normalizePods, type Pod } from './pod.ts';
import type { Problem } from './problem.ts';
import type { Routing } from './routing.ts';
import type { Service, ServiceName } from './service.ts';
import type { SourceState } from './source.ts';

/** A service and what its source says about its pods. */
export interface ResolvedService {
  readonly service: Service;
  /** Normalized; empty while the source has never answered. */
  readonly pods: readonly Pod[];
}

/** A routing with the pods known now. */
export interface Resolved {
  readonly services: readonly ResolvedService[];
  /** Services whose source has never answered. */
  readonly pending: readonly ServiceName[];
  /** Everything that sources complain about, and services nobody can reach. */
  readonly problems: readonly Problem[];
}

/** Finds each service's pods. A service in trouble keeps the pods last known and disturbs no other. */
export function resolve(routing: Routing, podsOf: (locator: Locator) => SourceState<readonly Pod[]>): Resolved {
  const pending: ServiceName[] = [];
  const problems: Problem[] = [];
  const services = routing.services.map((service): ResolvedService => {
    const state = podsOf(service.locator);
    for (const problem of state.problems)
      problems.push({ ...problem, subject: `service ${service.name}: ${problem.subject}` });
    switch (state.kind) {
      case 'pending':
        pending.push(service.name);
        return { service, pods: NONE };
      case 'ready':
      case 'stale':
        return resolved(service, remember(normalized, state.value, normalizePods));
      default:
        return assertNever(state);
    }
  });
  return { services, pending, problems };
}

const known = new WeakMap<Service, ResolvedService>();

/** The same object for the same pods: this is looked at for every service whenever a pod of one has changed. */
function resolved(service: Service, pods: readonly Pod[]): ResolvedService {
  const before = known.get(service);
  if (before?.pods === pods) return before;
  const now = { service, pods };
  known.set(service, now);
  return now;
}

const NONE: readonly Pod[] = [];
/** The same array for the same array, so that what is made of it can be remembered too. */
const normalized = new WeakMap<readonly Pod[], readonly Pod[]>();
