import type { Locator } from '../model/locator.ts';
import type { Model } from '../model/model.ts';
import { applyOverrides, type Overrides } from '../model/overrides.ts';
import type { Pod } from '../model/pod.ts';
import { type Resolved, resolve } from '../model/resolve.ts';
import type { Routing } from '../model/routing.ts';
import type { ServiceName } from '../model/service.ts';
import type { SourceState } from '../model/source.ts';

/** Everything a reconciliation looks at. */
export interface ReconcileInput {
  /** What the user wants now. */
  readonly wanted: Routing;
  readonly podsOf: (locator: Locator) => SourceState<readonly Pod[]>;
  /** What the last reconciliation returned; undefined: this is the first. */
  readonly before: Reconciled | undefined;
  /** What operators have ordered. */
  readonly overrides: Overrides;
  /** Whether sources that have not answered yet may be waited for. */
  readonly mayWait: boolean;
}

/** What Envoys should be told, and what was found on the way. */
export interface Reconciled {
  /** Undefined: nothing is to be told before the awaited sources have answered. */
  readonly model: Model | undefined;
  /** What the model was made of. */
  readonly resolved: Resolved | undefined;
  /** The wanted routing with its pods. */
  readonly wanted: Resolved;
  /** Services whose sources are waited for before their routes are used. Until then the routing before stays. */
  readonly awaited: readonly ServiceName[];
}

/**
 * From all inputs to the model. Pure: the same inputs make the same model. An edit that brings a service whose pods are
 * about to be known waits for them, so that nobody is led away from pods that answer; pods go on to come and go.
 */
export function reconcile({ wanted, podsOf, before, overrides, mayWait }: ReconcileInput): Reconciled {
  const resolved = resolve(wanted, podsOf, before?.wanted);
  const inUse = before?.model?.routing;
  const known = new Set(inUse?.services.map(({ name }) => name));
  const awaited = mayWait && inUse !== wanted ? resolved.awaited.filter((name) => !known.has(name)) : [];
  if (awaited.length === 0) {
    const model = modelOf(wanted, resolved, { overrides, before: before?.model });
    return { model, resolved, wanted: resolved, awaited };
  }
  if (inUse === undefined) return { model: undefined, resolved: undefined, wanted: resolved, awaited };
  const still = resolve(inUse, podsOf, before?.resolved);
  return {
    model: modelOf(inUse, still, { overrides, before: before?.model }),
    resolved: still,
    wanted: resolved,
    awaited,
  };
}

/** The same model while it is the same. */
function modelOf(
  routing: Routing,
  resolved: Resolved,
  { overrides, before }: { readonly overrides: Overrides; readonly before: Model | undefined },
): Model {
  const services = applyOverrides(resolved.services, overrides, before?.services);
  return before?.routing === routing && before.services === services ? before : { routing, services };
}
