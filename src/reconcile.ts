import type { Locator } from './model/locator.ts';
import type { Model } from './model/model.ts';
import type { Pod } from './model/pod.ts';
import type { Problem } from './model/problem.ts';
import { resolve } from './model/resolve.ts';
import type { Routing } from './model/routing.ts';
import type { ServiceName } from './model/service.ts';
import type { SourceState } from './model/source.ts';
import { type Draining, runningOn, stepDraining, withDraining } from './slots/draining.ts';
import { gateLimit } from './slots/gate-limit.ts';
import { type NodeLoad, reportOf } from './slots/observed-load.ts';

/** Everything a reconciliation looks at. */
export interface ReconcileInput {
  readonly routing: Routing;
  readonly podsOf: (locator: Locator) => SourceState<readonly Pod[]>;
  /** What each Envoy last reported, by node id. */
  readonly loads: ReadonlyMap<string, NodeLoad>;
  /** What was published last. */
  readonly before: Model | undefined;
  /** Pods on their way out, by service: what the last reconciliation returned. */
  readonly draining: ReadonlyMap<ServiceName, readonly Draining[]>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What Envoy should be told, and what was found on the way. */
export interface Reconciled {
  readonly model: Model;
  readonly draining: ReadonlyMap<ServiceName, readonly Draining[]>;
  /** Services whose source has never answered: they have no pods in the model. */
  readonly pending: readonly ServiceName[];
  readonly problems: readonly Problem[];
}

/** From all inputs to the model. Pure: the same inputs make the same model. */
export function reconcile(input: ReconcileInput): Reconciled {
  const { routing, podsOf, loads, before, now } = input;
  const { services, pending, problems } = resolve(routing, podsOf);
  const published = new Map(before?.services.map(({ service, pods }) => [service.name, pods]));
  const draining = new Map<ServiceName, readonly Draining[]>();
  const withPods = services.map(({ service, pods: present }) => {
    const report = reportOf(service.name, loads);
    const leaving = stepDraining({
      draining: input.draining.get(service.name) ?? [],
      published: published.get(service.name) ?? [],
      present,
      report,
      now,
    });
    if (leaving.length > 0) draining.set(service.name, leaving);
    const pods = withDraining(present, leaving);
    const gate = gateLimit(service, pods, (pod) => runningOn(pod, leaving, report));
    return { service, pods, gate };
  });
  return { model: { routing, services: withPods }, draining, pending, problems };
}
