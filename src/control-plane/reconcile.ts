import { remember } from '../base/remember.ts';
import { modelAsBefore, serviceAsBefore } from '../model/as-before.ts';
import { type PodsId, podsId } from '../model/generation.ts';
import { formatAddress, type Locator } from '../model/locator.ts';
import type { Model, Retiring, ServiceWithPods } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Problem } from '../model/problem.ts';
import { type ResolvedService, resolve } from '../model/resolve.ts';
import type { Routing } from '../model/routing.ts';
import type { Service, ServiceName } from '../model/service.ts';
import type { SourceState } from '../model/source.ts';
import { type Draining, LONGEST_UNREPORTED_MS, runningOn, stepDraining, withDraining } from '../slots/draining.ts';
import { asDraining, type Ejected, withEjected } from '../slots/ejected.ts';
import { gateLimit } from '../slots/gate-limit.ts';
import { type Held, holdBack, NOBODY } from '../slots/hold-back.ts';
import { inUse, type NodeLoad, reportOf } from '../slots/observed-load.ts';
import { retire } from '../slots/retire.ts';
import { type MeanWork, retryAfter } from '../slots/retry-after.ts';
import { shareSlots } from '../slots/share-slots.ts';

/** Everything a reconciliation looks at. */
export interface ReconcileInput {
  readonly routing: Routing;
  readonly podsOf: (locator: Locator) => SourceState<readonly Pod[]>;
  /** What each Envoy last reported, by node id. */
  readonly loads: ReadonlyMap<string, NodeLoad>;
  /** What was published last. */
  readonly before: Model | undefined;
  /** Pods on their way out: what the last reconciliation returned. */
  readonly draining: DrainingPods;
  /** Pods that an Envoy gives no request for the moment. */
  readonly ejected: EjectedPods;
  /** Pods that were held back: what the last reconciliation returned; undefined: none. */
  readonly held?: HeldPods;
  /** Gates whose raised limit is still to take effect; undefined: none. */
  readonly raising?: ReadonlySet<ServiceName>;
  /** How long requests keep a pod busy; services of which nothing is known are not there. */
  readonly meanWork: ReadonlyMap<ServiceName, MeanWork>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Pods on their way out, by the cluster they are in. */
export type DrainingPods = ReadonlyMap<PodsId, readonly Draining[]>;

/** Pods that Envoy has taken out for a while, by the cluster they are in. */
export type EjectedPods = ReadonlyMap<PodsId, Ejected>;

/** Pods that leave and stay ready once more, by the cluster they are in. */
export type HeldPods = ReadonlyMap<PodsId, Held>;

/** What Envoy should be told, and what was found on the way. */
export interface Reconciled {
  readonly model: Model;
  readonly draining: DrainingPods;
  /** Not empty: to be reconciled again once raised limits have taken effect. */
  readonly held: HeldPods;
  /** Services whose source has never answered: they have no pods in the model. */
  readonly pending: readonly ServiceName[];
  readonly problems: readonly Problem[];
}

/** From all inputs to the model. Pure: the same inputs make the same model. */
export function reconcile(input: ReconcileInput): Reconciled {
  const { routing, podsOf, before, now } = input;
  const { services, pending, problems } = resolve(routing, podsOf);
  const draining = new Map<PodsId, readonly Draining[]>();
  const held = new Map<PodsId, Held>();
  const leaving = retire(before, routing.services, now)
    .map((old) => emptyOut(old, input, draining))
    .filter((old) => !isOver(old, input));
  const told = toldBefore(before);
  const present = services.map((service, at) => {
    const was = leaving.length === 0 ? unchanged(service, at, input) : undefined;
    const made = was ?? withPods(service, leaving, input, { draining, held });
    const same = serviceAsBefore(made, service.pods, before?.services[at]);
    return withRetryAfter(same, input.meanWork, told);
  });
  const rest = { draining, held, pending, problems };
  if (leaving.length === 0) return { model: modelAsBefore(routing, present, before), ...rest };
  const heirs = present.map((service) => heirSlots(service, leaving, input));
  const shares = new Map(heirs.flatMap(({ old }) => old));
  const retiring = leaving.flatMap((old): readonly Retiring[] => {
    if (old.gate === undefined || old.heir === undefined) return [old];
    const slots = shares.get(old);
    // An empty gate goes; its cluster of pods stays while any of them is at work.
    const gate = slots === undefined ? undefined : { ...old.gate, slots };
    return gate === undefined && old.pods.length === 0 ? [] : [{ ...old, gate }];
  });
  return { model: { routing, services: heirs.map(({ service }) => service), retiring }, ...rest };
}

/** The pods that a retiring service still has: with an heir all of them drain, and move on when they are idle. */
function emptyOut(old: Retiring, { loads, draining, now }: ReconcileInput, next: Map<PodsId, readonly Draining[]>) {
  if (old.heir === undefined) return old;
  const id = podsId(old.service);
  const report = reportOf(id, loads);
  const step = stepDraining({ draining: draining.get(id) ?? [], published: old.pods, present: [], report, now });
  if (step.length > 0) next.set(id, step);
  return { ...old, pods: withDraining([], step) };
}

/** Whether nothing of it is left: no heir waits for its end, and nothing runs or waits there. */
function isOver(old: Retiring, input: ReconcileInput): boolean {
  if (old.gate === undefined && old.pods.length === 0) return true;
  if (old.heir !== undefined) return false;
  return slotsInUse(old, input) === 0;
}

/** Undefined: not known yet. When nobody reports for long there is no Envoy that could hold anything. */
function slotsInUse({ service, since }: Retiring, { loads, now }: ReconcileInput): number | undefined {
  const known = inUse(service.name, loads, since);
  return known ?? (now - since < LONGEST_UNREPORTED_MS ? undefined : 0);
}

const NO_PODS: readonly Pod[] = [];
const podsOfModel = new WeakMap<Model, ReadonlyMap<PodsId, readonly Pod[]>>();

/** The pods of a service's cluster as they were published last. */
function podsBefore(before: Model | undefined, service: Service): readonly Pod[] {
  if (before === undefined) return NO_PODS;
  // Mostly no edit has touched it.
  const same = before.services.find((was) => was.service === service);
  if (same !== undefined) return same.pods;
  const known = remember(podsOfModel, before, ({ services, retiring }) => {
    // The first of equal names counts, so it comes last.
    const all = [...services, ...retiring].reverse();
    return new Map(all.map(({ service: was, pods }) => [podsId(was), pods]));
  });
  return known.get(podsId(service)) ?? NO_PODS;
}

/**
 * The service as it was published last, if nothing about it can have changed: the same settings, the same pods, none of
 * them on its way out. With 500 services that is true of 499 at a time.
 */
function unchanged(
  { service, pods }: ResolvedService,
  at: number,
  { before, draining, ejected }: ReconcileInput,
): ServiceWithPods | undefined {
  if (before === undefined || before.retiring.length > 0) return undefined;
  // The file's order is the same for as long as the services are the same objects.
  const was = before.services[at];
  if (was?.service !== service || was.pods !== pods || was.line !== undefined) return undefined;
  const id = podsId(service);
  return draining.has(id) || ejected.has(id) ? undefined : was;
}

/** A service with its pods: those that still work in an older cluster are not there yet. */
function withPods(
  { service, pods: found }: ResolvedService,
  leaving: readonly Retiring[],
  input: ReconcileInput,
  next: { readonly draining: Map<PodsId, readonly Draining[]>; readonly held: Map<PodsId, Held> },
): ServiceWithPods {
  const { loads, draining, ejected, before, now } = input;
  const elsewhere = new Set(
    leaving.filter(({ heir }) => heir === service.name).flatMap(({ pods }) => pods.map(formatAddress)),
  );
  const here = elsewhere.size === 0 ? found : found.filter((pod) => !elsewhere.has(formatAddress(pod)));
  const id = podsId(service);
  const report = reportOf(id, loads);
  const published = podsBefore(before, service);
  const { pods: present, held } = heldBack(service, { published, present: here }, input);
  if (held.size > 0) next.held.set(id, held);
  const step = stepDraining({ draining: draining.get(id) ?? [], published, present, report, now });
  if (step.length > 0) next.draining.set(id, step);
  // Without a limit there are no slots to follow it.
  const out = service.discipline.kind === 'limited' ? ejected.get(id) : undefined;
  const pods = withEjected(withDraining(present, step), out);
  const leaves = [...step, ...asDraining(pods, out)];
  return { service, pods, gate: gateLimit(service, pods, (pod) => runningOn(pod, leaves, report)) };
}

/** See `holdBack`. Without a limit nobody waits for slots. */
function heldBack(
  service: Service,
  { published, present }: { readonly published: readonly Pod[]; readonly present: readonly Pod[] },
  { held, raising, now }: ReconcileInput,
) {
  if (service.discipline.kind !== 'limited') return { pods: present, held: NOBODY };
  const before = held?.get(podsId(service)) ?? NOBODY;
  return holdBack({ published, present, before, raising: raising?.has(service.name) ?? false, now });
}

/** The same object while there is nothing new to tell. */
function withRetryAfter(
  service: ServiceWithPods,
  meanWork: ReconcileInput['meanWork'],
  told: ReadonlyMap<ServiceName, number>,
): ServiceWithPods {
  const { name } = service.service;
  const [work, before] = [meanWork.get(name), told.get(name)];
  // As it is for most of many services.
  if (work === undefined && before === undefined) return service;
  const seconds = retryAfter(service.service, service.gate, { work, before });
  return seconds === (service.retryAfter ?? 1) ? service : { ...service, retryAfter: seconds };
}

/** What those who are refused were last told, in seconds; services of which nothing was told are not there. */
function toldBefore(before: Model | undefined): ReadonlyMap<ServiceName, number> {
  const told = new Map<ServiceName, number>();
  for (const { service, retryAfter: seconds } of before?.services ?? []) {
    if (seconds !== undefined) told.set(service.name, seconds);
  }
  return told;
}

/** The service with the slots that its older gates leave it, and what those get. */
function heirSlots(service: ServiceWithPods, leaving: readonly Retiring[], input: ReconcileInput) {
  const { loads, draining } = input;
  const mine = leaving.filter(({ heir }) => heir === service.service.name);
  if (service.gate === undefined || mine.length === 0) return { service, old: [] };
  const still = mine.reduce((sum, { service: old, pods }) => {
    const id = podsId(old);
    const limit = gateLimit(old, pods, (pod) => runningOn(pod, draining.get(id) ?? [], reportOf(id, loads)));
    return sum + (limit?.slots ?? 0);
  }, 0);
  const gates = mine.filter(({ gate }) => gate !== undefined);
  const shared = shareSlots(
    service.gate.slots + still,
    gates.map((old) => ({ slots: old.gate?.slots ?? 0, inUse: slotsInUse(old, input) })),
  );
  const line = shared.line === undefined ? undefined : gates[shared.line]?.service;
  return {
    service: {
      ...service,
      gate: { ...service.gate, slots: shared.present },
      // Nobody overtakes those who wait at an older gate.
      ...(line && { line: line.name }),
    },
    old: gates.map((gate, index) => [gate, shared.old[index]] as const),
  };
}
