import { assertNever } from '../base/assert-never.ts';
import type { Locator } from './locator.ts';
import type { ServiceWithPods } from './model.ts';
import { normalizePods, type Pod, samePods } from './pod.ts';
import type { Problem } from './problem.ts';
import type { Routing } from './routing.ts';
import type { Service, ServiceName } from './service.ts';
import type { SourceState } from './source.ts';

/** A routing with the pods known now. */
export interface Resolved {
  /** The routing's services, in its order. */
  readonly services: readonly ServiceWithPods[];
  /** What the sources themselves gave, at the same places; undefined: nothing yet. */
  readonly found: readonly (readonly Pod[] | undefined)[];
  /** Services whose source has never answered. */
  readonly pending: readonly ServiceName[];
  /** Those of them whose source has not complained either: an answer may come any moment. */
  readonly awaited: readonly ServiceName[];
  /** Everything that sources complain about, and services nobody can reach. */
  readonly problems: readonly Problem[];
}

/** Nothing resolved yet. */
const UNRESOLVED: Resolved = { services: [], found: [], pending: [], awaited: [], problems: [] };

/**
 * Finds each service's pods. A service in trouble keeps the pods last known and disturbs no other. A service of which
 * nothing has changed since `before` is the same object, and if none has changed so is the list: with thousands of
 * services one pod comes at a time.
 */
export function resolve(
  routing: Routing,
  podsOf: (locator: Locator) => SourceState<readonly Pod[]>,
  before: Resolved = UNRESOLVED,
): Resolved {
  const pending: ServiceName[] = [];
  const awaited: ServiceName[] = [];
  const problems: Problem[] = [];
  const found: (readonly Pod[] | undefined)[] = [];
  const services = routing.services.map((service, at): ServiceWithPods => {
    const state = podsOf(service.locator);
    for (const problem of state.problems) {
      // What keeps a whole source from working is one fault, however many services it has.
      const ofSource = problem.subject === service.locator.kind;
      if (!ofSource) problems.push({ ...problem, subject: `service ${service.name}: ${problem.subject}` });
      else if (!problems.some((told) => told.subject === problem.subject && told.message === problem.message))
        problems.push(problem);
    }
    const pods = podsIn(state);
    found.push(pods);
    if (pods === undefined) pending.push(service.name);
    if (pods === undefined && state.problems.length === 0) awaited.push(service.name);
    return asBefore(service, pods, { was: before.services[at], found: before.found[at] });
  });
  const isSame =
    services.length === before.services.length && services.every((service, at) => service === before.services[at]);
  return { services: isSame ? before.services : services, found, pending, awaited, problems };
}

function podsIn(state: SourceState<readonly Pod[]>): readonly Pod[] | undefined {
  switch (state.kind) {
    case 'pending':
      return undefined;
    case 'ready':
    case 'stale':
      return state.value;
    default:
      return assertNever(state);
  }
}

function asBefore(
  service: Service,
  pods: readonly Pod[] | undefined,
  before: { readonly was: ServiceWithPods | undefined; readonly found: readonly Pod[] | undefined },
): ServiceWithPods {
  const { was } = before;
  const isKnown = pods !== undefined;
  // The source's own list: while it is the same array nothing in it is looked at.
  if (was?.service === service && was.isKnown === isKnown && pods === before.found) return was;
  const now = pods === undefined ? NONE : normalizePods(pods);
  if (was?.isKnown !== isKnown || !samePods(now, was.pods)) return { service, pods: now, isKnown };
  return was.service === service ? was : { service, pods: was.pods, isKnown };
}

const NONE: readonly Pod[] = [];
