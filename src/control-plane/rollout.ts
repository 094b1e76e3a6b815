import { formatAddress } from '../model/locator.ts';
import type { Model, ServiceWithPods } from '../model/model.ts';
import { highestLimit, normalizePods, type Pod, samePods } from '../model/pod.ts';
import type { Routing } from '../model/routing.ts';
import type { Service, ServiceName, Slots } from '../model/service.ts';
import { NO_POD } from '../slots/events.ts';
import type { Member } from '../slots/member.ts';
import { type PodSlots, queueSettings, type Wanted } from '../slots/wanted.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** What an Envoy has of what it was sent. */
export interface Holdings {
  /** The version it was sent last. */
  sent(typeUrl: string, name: string): string | undefined;
  /** The same, if it has taken it. */
  taken(typeUrl: string, name: string): string | undefined;
  /** Whether it is known to have nothing of that name. */
  lacks(typeUrl: string, name: string): boolean;
  /** Everything that it was sent of a type, or said that it has. */
  names(typeUrl: string): readonly string[];
  /** Whether it had something of a type when it came, and does not say what. */
  isReturning(typeUrl: string): boolean;
}

/** What one step of a rollout looks at. */
export interface RolloutInput {
  /** The queue filters of the Envoy, those included whose stream was lost a moment ago. */
  readonly members: readonly Member[];
  /** Undefined: it has no stream. */
  readonly holdings: Holdings | undefined;
  /** The pods that the source of a service has now; undefined: not known. */
  readonly podsOf: (service: Service) => readonly Pod[] | undefined;
  /** The pods of a service that fail their health checks, as `formatAddress` writes them. */
  readonly unhealthy: (name: ServiceName) => ReadonlySet<string>;
  /** Slots of a pod that are taken by jobs which no filter knows; undefined: that is not known yet. */
  readonly takenByJobs: (name: ServiceName, address: string) => number | undefined;
  /** Monotonic milliseconds. */
  readonly now: number;
}

/** What an Envoy is to be sent. */
export interface RolloutView {
  /** The model, and after its services those that leave. */
  readonly model: Model;
  /** Clusters of which nothing is known: whoever has them keeps them. */
  readonly kept: ReadonlySet<ServiceName>;
}

/** What was sent of a service once, with its versions. */
interface Sent {
  readonly view: ServiceWithPods;
  readonly cluster: string;
  readonly endpoints: string;
}

/** A service that the filter has, or is to have. */
interface Carried {
  readonly name: ServiceName;
  /** As the model has it; undefined: it leaves, or has no limit any more. */
  target: ServiceWithPods | undefined;
  /** As Envoy is sent it; undefined: not at all, or as the model has it, or it is known from the filter alone. */
  view: ServiceWithPods | undefined;
  /** What it was sent and has not taken yet, and before that what it has taken; oldest first. */
  sent: readonly Sent[];
  taken: Sent | undefined;
  /** The service as Envoy is sent it while a higher limit than that of the model is active. */
  raised: { readonly of: Service; readonly as: Service } | undefined;
  /** Its pods have all they may have, and Envoy is sent what the model says. */
  isSettled: boolean;
  /** Pods that it loses, and that still have requests of it. */
  losing: ReadonlySet<string>;
  /** When Envoy had taken routes that do not lead to it, while it leaves; undefined: not yet. */
  leftAt: number | undefined;
  /** Since when it has waited in vain for a pod, while it leaves. */
  podlessSince: number | undefined;
  /** When members were last asked for what they have of it, while it loses pods. */
  askedAt: number;
}

/** A filter without a stream is waited for as long: it comes back at once if it lives. */
export const RETURN_MS = 1000;

/** How often is looked at what time alone may change, such as a queue that empties. */
const RECHECK_MS = 50;

/**
 * So long after Envoy has taken its routes somebody may still come by the old ones: its workers learn of them a moment later, and
 * who has a route already may be at a filter before the queue.
 */
const ON_THEIR_WAY_MS = 1000;

/** So long routes wait for filters to know the services that they lead to; one that does not answer keeps nobody from an edit. */
const ROUTES_WAIT_MS = 1000;

/** A service that has left, and has had no pod for as long: who waits for it waits in vain. */
const PODLESS_MS = 30_000;

const MOST_ROUNDS = 3;

const NO_PODS: ReadonlyMap<string, PodSlots> = new Map();

/**
 * The order in which one Envoy and its queue filter learn of changes, so that no pod ever has more than its limit, and a
 * published state is always one that they can be left alone with:
 *
 * - a pod that comes: its endpoint, then (once Envoy has taken that) the filter; a pod that goes: the filter, then its
 *   endpoint. A request that runs on a pod whose endpoint has gone runs on to its end;
 * - a limit that rises: the cluster, then the filter; one that falls: the filter, then the cluster;
 * - a service that comes: its cluster, then the filter, then its routes, so that whoever is left alone with them knows whose pods they
 *   are;
 * - a service that goes or is renamed: its routes, then, once nobody waits for it, its pods, then the service. A pod that
 *   another service gets is handed over slot by slot, so that both together never have more than its limit; those who
 *   wait longer go first.
 *
 * Pure but for its own memory, and told what the others have: it waits for what it sees; for a time only where nothing is to be
 * seen: a filter that has lost its stream or does not answer, requests that are still on their way, a service without pods.
 */
export class Rollout {
  #model: Model | undefined;
  #absent: ReadonlySet<ServiceName> = new Set();
  #targets: ReadonlyMap<ServiceName, ServiceWithPods> = new Map();
  readonly #carried = new Map<ServiceName, Carried>();
  readonly #touched = new Set<ServiceName>();
  readonly #unsettled = new Set<ServiceName>();
  /** Services that may still give a pod requests that another service is to get. */
  readonly #losers = new Map<string, Set<ServiceName>>();
  #owners: ReadonlyMap<string, readonly ServiceName[]> | undefined;
  #routing: Routing | undefined;
  /** The model whose routes Envoy has while filters do not know the services of newer ones, and since when they wait for that. */
  #held: { readonly model: Model; since: number | undefined } | undefined;
  /** When Envoy had taken the routes of the model; undefined: not yet. */
  #routesTakenAt: number | undefined;
  #snapshot: Snapshot | undefined;
  #view: RolloutView | undefined;
  #wakeAt: number | undefined;

  /** When to step again even if nothing happens; undefined: not by itself. */
  get wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  /** Whether Envoy and its filter have everything as the model says. */
  get isSettled(): boolean {
    return this.#unsettled.size === 0 && this.#touched.size === 0;
  }

  /** Whether the filters know each service, with all pods that it has: requests may come. */
  isToldTo(all: readonly Member[]): boolean {
    const members = all.filter(({ closedAt }) => closedAt === undefined);
    if (members.length === 0 || !this.isSettled || !members.every(({ isSynced }) => isSynced)) return false;
    return [...this.#carried.values()].every(
      ({ target }) => target?.isKnown !== true || members.every((member) => knowsAll(member, target)),
    );
  }

  /** Services that have left the model, and that somebody still waits for, or is at a pod of. */
  get leaving(): readonly Service[] {
    return [...this.#carried.values()].flatMap(({ target, view }) => (target || !view ? [] : [view.service]));
  }

  /** From now on this is what the Envoy is to have, without the services `absent`. */
  setTarget(model: Model, absent: ReadonlySet<ServiceName>): void {
    if (this.#model === model && this.#absent === absent) return;
    if (this.#model !== undefined && this.#model.routing !== model.routing)
      this.#held ??= { model: this.#model, since: undefined };
    const isSame = this.#model?.services === model.services && this.#absent === absent;
    this.#model = model;
    this.#absent = absent;
    this.#view = undefined;
    if (this.#routing !== model.routing) {
      this.#routing = model.routing;
      this.#routesTakenAt = undefined;
    }
    if (isSame) return;
    const targets = new Map<ServiceName, ServiceWithPods>();
    this.touch(absent);
    for (const each of model.services) {
      const { name } = each.service;
      if (absent.has(name)) continue;
      targets.set(name, each);
      if (this.#targets.get(name) !== each) this.#touched.add(name);
    }
    for (const name of this.#targets.keys()) if (!targets.has(name)) this.#touched.add(name);
    this.#targets = targets;
    this.#owners = undefined;
  }

  /** Something has happened to these services. */
  touch(names: Iterable<ServiceName>): void {
    for (const name of names) this.#touched.add(name);
  }

  /** Envoy has opened a stream: what it has is to be seen there, as it may have been started anew. */
  reconnected(): void {
    for (const carried of this.#carried.values()) {
      carried.taken = undefined;
      carried.leftAt = undefined;
    }
    this.#routesTakenAt = undefined;
    this.touch(this.#carried.keys());
  }

  /** A filter has come, with what it has: it is told everything. */
  join(member: Member): void {
    this.touch(this.#targets.keys());
    this.touch(this.#absent);
    this.touch(this.#carried.keys());
    this.touch(member.services);
  }

  /** Tells members what they are to have, and gives what Envoy is to be sent. */
  step(input: RolloutInput): RolloutView {
    const { members, now } = input;
    if (this.#routesTakenAt === undefined && this.#areRoutesTaken(input.holdings)) this.#routesTakenAt = now;
    this.touch(this.#unsettled);
    // What one service gives up another may get: that one is looked at in the same step.
    for (let round = 0; round < MOST_ROUNDS && this.#touched.size > 0; round++) {
      const names = [...this.#touched];
      this.#touched.clear();
      for (const name of names) this.#stepService(name, input);
    }
    if (this.#held !== undefined && this.#mayRoute(this.#held, input)) {
      this.#held = undefined;
      this.#view = undefined;
    }
    const closed = members.flatMap(({ closedAt }) => (closedAt === undefined ? [] : [closedAt + RETURN_MS]));
    const again = this.#unsettled.size > 0 ? [now + RECHECK_MS] : [];
    this.#wakeAt = Math.min(...closed, ...again, Number.POSITIVE_INFINITY);
    if (this.#wakeAt === Number.POSITIVE_INFINITY) this.#wakeAt = undefined;
    this.#view ??= this.#compose();
    return this.#view;
  }

  /** Whether the filters know each service that routes lead to now and have not led to before. */
  #mayRoute(held: { readonly model: Model; since: number | undefined }, { members, now }: RolloutInput): boolean {
    held.since ??= now;
    const open = members.filter(({ closedAt }) => closedAt === undefined);
    if (open.length === 0 || now - held.since >= ROUTES_WAIT_MS) return true;
    const before = new Set(held.model.services.map(({ service: { name } }) => name));
    return [...this.#carried.values()].every(({ name, target }) => {
      if (target?.isKnown !== true || before.has(name)) return true;
      const isTold = open.every((member) => knowsAll(member, target));
      // Its endpoints and its filter are told of one after the other: that goes on by itself.
      if (!isTold) this.#unsettled.add(name);
      return isTold;
    });
  }

  /** What was made of the view, and is what Envoy is sent from now on. */
  noteSnapshot(snapshot: Snapshot): void {
    if (snapshot === this.#snapshot) return;
    this.#snapshot = snapshot;
    const { [TYPE_URLS.cluster]: clusters, [TYPE_URLS.endpoints]: endpoints } = snapshot.types;
    for (const carried of this.#carried.values()) {
      const { name, view, sent } = carried;
      if (view === undefined || sent.at(-1)?.view === view) continue;
      const [cluster, pods] = [clusters.resources.get(name)?.version, endpoints.resources.get(name)?.version];
      if (cluster === undefined || pods === undefined) continue;
      carried.sent = [...sent, { view, cluster, endpoints: pods }];
      // It may have just that already, from before.
      this.#touched.add(name);
    }
  }

  #compose(): RolloutView {
    const model = this.#model;
    if (model === undefined) throw new Error('a rollout is stepped before it has a target');
    const kept = new Set<ServiceName>();
    let isChanged = false;
    const services = model.services.map((each) => {
      const { name } = each.service;
      if (!each.isKnown && !this.#absent.has(name)) kept.add(name);
      const carried = this.#carried.get(name);
      const view = (carried?.target && carried.view) ?? each;
      isChanged ||= view !== each;
      return view;
    });
    for (const { name, target, view } of this.#carried.values()) {
      if (target !== undefined || this.#targets.has(name)) continue;
      isChanged = true;
      if (view === undefined) kept.add(name);
      else services.push(view);
    }
    const held = this.#held?.model;
    if (held !== undefined) {
      // Their routes still lead there.
      const names = new Set(services.map(({ service: { name } }) => name));
      services.push(...held.services.filter(({ service: { name } }) => !names.has(name) && !kept.has(name)));
      return { model: { routing: held.routing, services }, kept };
    }
    return { model: isChanged ? { ...model, services } : model, kept };
  }

  #stepService(name: ServiceName, input: RolloutInput): void {
    const found = this.#targets.get(name);
    const target = found?.service.discipline.kind === 'limited' ? found : undefined;
    if (this.#absent.has(name)) {
      this.#pass(name, input);
      return;
    }
    const carried = this.#carried.get(name) ?? this.#newCarried(name, target, input);
    if (carried === undefined) return;
    carried.target = target;
    if (target === undefined) this.#stepLeaving(carried, input);
    else if (target.isKnown) this.#stepPresent(carried, target, input);
    if (carried.isSettled) this.#unsettled.delete(name);
    else this.#unsettled.add(name);
  }

  #newCarried(name: ServiceName, target: ServiceWithPods | undefined, { members }: RolloutInput): Carried | undefined {
    if (target === undefined && !members.some((member) => member.service(name))) return undefined;
    const fresh: Carried = {
      name,
      target,
      view: undefined,
      sent: [],
      taken: undefined,
      raised: undefined,
      isSettled: true,
      losing: NO_NAMES,
      leftAt: undefined,
      podlessSince: undefined,
      askedAt: Number.NEGATIVE_INFINITY,
    };
    this.#carried.set(name, fresh);
    return fresh;
  }

  /** A service of the model: what it may have of each pod, and what Envoy has to know meanwhile. */
  #stepPresent(carried: Carried, target: ServiceWithPods, input: RolloutInput): void {
    const { members, now } = input;
    const { name } = carried;
    const { service, pods } = target;
    const settings = queueSettings(service, pods);
    if (settings === undefined || service.discipline.kind !== 'limited') return;
    carried.podlessSince = undefined;
    carried.leftAt = undefined;
    const { limit } = service.discipline;
    const limits = new Map(pods.map((pod) => [formatAddress(pod), pod.limit ?? limit]));
    const mostOf = (address: string): number => limits.get(address) ?? limit;
    const taken = this.#taken(carried, input.holdings);
    const known = knownPods(carried);
    const addresses = pods.filter(isReady).map(formatAddress);
    const unhealthy = input.unhealthy(name);
    const shares = new Map(addresses.map((address) => [address, this.#share(name, address, mostOf(address), input)]));
    let isWhole = true;
    for (const member of members) {
      const slots = new Map<string, PodSlots>();
      for (const address of addresses) {
        const has = member.limitOf(name, address);
        if (!known.has(address) && !member.mayChoose(name, address)) continue;
        const isIdle = target.idle?.has(address) === true;
        const most = mostOf(address);
        const jobs = input.takenByJobs(name, address);
        const share = Math.min(
          most,
          taken === undefined ? has : limitOf(taken.view),
          shares.get(address) ?? most,
          jobs === undefined ? has : Math.max(0, most - jobs),
        );
        // Without slots it is told as well: who knows nothing but the filter, as after a start, is to know whose pods they are.
        slots.set(address, { limit: isIdle ? 0 : share, unhealthy: unhealthy.has(address) });
      }
      member.want([name, { kind: 'service', settings, pods: slots }]);
    }
    for (const [address, share] of shares) isWhole &&= share === mostOf(address);
    const losing = lost(name, new Set(addresses), members);
    // Another service waits for what is given up.
    const isAwaited = [...losing].some((address) => this.#ownersOf(address).some((other) => other !== name));
    if (isAwaited) this.#ask(carried, members, now);
    this.#setLosing(carried, losing);
    this.#setView(carried, viewOf(target, carried, input));
    carried.isSettled = isWhole && carried.view === target && !isAwaited;
  }

  /** The slots of a pod that a service may have beside those that lose it, who go first. */
  #share(name: ServiceName, address: string, most: number, { members }: RolloutInput): number {
    const losers = this.#losers.get(address);
    if (losers === undefined) return most;
    let others = 0;
    for (const loser of losers) {
      if (loser === name) continue;
      const wants = this.#wantsSlots(loser, members) ? this.#limitOfLeaving(loser, address, members) : 0;
      const holds = members.reduce((sum, member) => sum + member.held(loser, address), 0);
      others += Math.max(wants, holds);
    }
    return Math.max(0, most - others);
  }

  /** Whether somebody waits, or may, for a service that leaves: no more can come once Envoy has other routes. */
  #wantsSlots(name: ServiceName, members: readonly Member[]): boolean {
    const carried = this.#carried.get(name);
    if (carried === undefined || carried.target !== undefined) return false;
    const since = this.#leftAt(carried);
    if (since === undefined) return true;
    return members.some((member) => {
      const service = member.service(name);
      if (service === undefined) return false;
      // A report may be older than the routes: the queue has to be asked for.
      return wants(service) || (member.closedAt === undefined && service.lookedAt < since);
    });
  }

  #limitOfLeaving(name: ServiceName, address: string, members: readonly Member[]): number {
    const view = this.#carried.get(name)?.view;
    if (view !== undefined) return limitOf(view);
    // Its settings are not known: it was told 0 if the pod was just about to be handed over.
    const owned = this.#ownersOf(address).map((owner) => this.#limitOf(owner));
    return Math.max(1, ...owned, ...members.map((member) => member.limitOf(name, address)));
  }

  /**
   * A service without routes: it keeps its pods while somebody waits for them or may still come, and has gone when nothing is left
   * of it.
   * A service whose limit was taken away ends in the same way at the filter; Envoy has it as the model says.
   */
  #stepLeaving(carried: Carried, input: RolloutInput): void {
    const { members, now } = input;
    const { name } = carried;
    const settings = carried.view && queueSettings(carried.view.service, carried.view.pods);
    const mayCome = this.#mayStillCome(carried, now);
    // A filter that is new is told of it for those who come.
    const has = members.filter((member) => member.service(name) ?? (mayCome && settings));
    if (has.length === 0) {
      if (mayCome && settings !== undefined) carried.isSettled = false;
      else this.#forget(carried);
      return;
    }
    this.#askForQueue(carried, has, now);
    const isWaiting = this.#wantsSlots(name, has);
    const pods = this.#podsOfLeaving(carried, input);
    if (pods.length > 0 || !isWaiting) carried.podlessSince = undefined;
    else carried.podlessSince ??= now;
    const isInVain = carried.podlessSince !== undefined && now - carried.podlessSince >= PODLESS_MS;
    const isKept = isWaiting || mayCome;
    for (const member of has) {
      const slots = isKept ? this.#slotsOfLeaving(carried, { pods, isWaiting, member, input }) : NO_PODS;
      const isOver = !isWaiting && this.#isQuiet(carried, member) && [...member.pods(name)].length === 0;
      if (isOver || isInVain) member.want([name, { kind: 'removed' }]);
      else if (settings === undefined) member.want([name, { kind: 'pods', pods: slots }]);
      else member.want([name, { kind: 'service', settings, pods: slots }]);
    }
    const keeps = has.flatMap((member) => [...member.pods(name)]);
    // Those it waits for count as well: it goes before the service that is to get them.
    const claims = isWaiting ? pods.filter(isReady).map(formatAddress) : [];
    this.#setLosing(carried, new Set([...keeps, ...claims]));
    if (carried.view !== undefined && !this.#targets.has(name)) {
      const leaves = { ...carried.view, pods: isKept ? pods : NONE };
      this.#setView(carried, viewOf(leaves, carried, input));
    }
    carried.isSettled = false;
  }

  /** When Envoy had taken routes that do not lead to a service that leaves: newer ones change nothing about that. */
  #leftAt(carried: Carried): number | undefined {
    carried.leftAt ??= this.#routesTakenAt;
    return carried.leftAt;
  }

  /** Whether somebody who has a route to it may still come to a service that leaves. */
  #mayStillCome(carried: Carried, now: number): boolean {
    const since = this.#leftAt(carried);
    return since === undefined || now - since < ON_THEIR_WAY_MS;
  }

  /** Whether a member has said, when no more could come to a service that leaves, that nobody waits. */
  #isQuiet(carried: Carried, member: Member): boolean {
    const service = member.service(carried.name);
    const since = this.#leftAt(carried);
    if (since === undefined || service === undefined) return false;
    return !wants(service) && !service.hasForgotten && service.lookedAt >= since + ON_THEIR_WAY_MS;
  }

  /** Asks how many wait, when routes are taken, and when no more can come: reports are older than that. */
  #askForQueue(carried: Carried, members: readonly Member[], now: number): void {
    const since = this.#leftAt(carried);
    if (since === undefined) return;
    const by = this.#mayStillCome(carried, now) ? since : since + ON_THEIR_WAY_MS;
    const { name } = carried;
    const unasked = members.filter((member) => {
      const service = member.service(name);
      if (service === undefined || service.lookedAt < by || service.hasForgotten || wants(service)) return true;
      return [...member.pods(name)].some((pod) => member.held(name, pod) > 0);
    });
    if (unasked.length > 0) this.#ask(carried, unasked, now);
  }

  /** Asks for what it has of a service now: reports may be older than what it was told. */
  #ask(carried: Carried, members: readonly Member[], now: number): void {
    if (now - carried.askedAt < RECHECK_MS) return;
    carried.askedAt = now;
    for (const member of members) if (member.closedAt === undefined) member.askWaiting(carried.name, 1, now);
  }

  /** The pods of a service that leaves: those of its source, or, where that is not known, those that it has. */
  #podsOfLeaving({ name, view }: Carried, { members, podsOf }: RolloutInput): readonly Pod[] {
    const found = view && podsOf(view.service);
    if (found !== undefined) return normalizePods(found);
    if (view !== undefined) return view.pods;
    const addresses = new Set(members.flatMap((member) => [...member.pods(name)]));
    return [...addresses].flatMap((address) => podAt(address) ?? []);
  }

  /** Without slots while nobody waits: should somebody come, its pods are there, even if Sluice has ended meanwhile. */
  #slotsOfLeaving(
    carried: Carried,
    {
      pods,
      isWaiting,
      member,
      input,
    }: {
      readonly pods: readonly Pod[];
      readonly isWaiting: boolean;
      readonly member: Member;
      readonly input: RolloutInput;
    },
  ): ReadonlyMap<string, PodSlots> {
    const { members } = input;
    const { name } = carried;
    this.#taken(carried, input.holdings);
    const known = knownPods(carried);
    const slots = new Map<string, PodSlots>();
    for (const address of pods.filter(isReady).map(formatAddress)) {
      const mayChoose = member.mayChoose(name, address);
      if (!known.has(address) && !mayChoose) continue;
      if (!isWaiting) {
        slots.set(address, { limit: 0, unhealthy: false });
        continue;
      }
      const own = this.#limitOfLeaving(name, address, members);
      const gainers = this.#ownersOf(address).filter((other) => other !== name);
      // What all of them together may have is what the pod may have from now on.
      const most = gainers.length === 0 ? own : Math.max(...gainers.map((each) => this.#limitOf(each)));
      const others = new Set([...gainers, ...(this.#losers.get(address) ?? [])]);
      others.delete(name);
      let held = 0;
      for (const other of others) for (const each of members) held += each.held(other, address);
      const limit = Math.max(0, Math.min(own, most - held));
      slots.set(address, { limit, unhealthy: false });
    }
    return slots;
  }

  #limitOf(name: ServiceName): number {
    const target = this.#targets.get(name);
    return target === undefined ? 0 : limitOf(target);
  }

  /** The services of the model that a pod is of. */
  #ownersOf(address: string): readonly ServiceName[] {
    this.#owners ??= owners(this.#targets.values());
    return this.#owners.get(address) ?? [];
  }

  /**
   * This Envoy must not have it, or is not there for it: here nobody waits for it, and Envoy answers that its cluster is not there. As long as it is, who
   * is let go would get to a pod, so nobody is.
   */
  #pass(name: ServiceName, { members, holdings }: RolloutInput): void {
    const isGone = holdings?.lacks(TYPE_URLS.cluster, name) === true;
    for (const member of members) member.want([name, isGone ? PASSED : STOPPED]);
    const carried = this.#carried.get(name);
    if (carried !== undefined) this.#forget(carried);
    if (isGone || members.length === 0) this.#unsettled.delete(name);
    else this.#unsettled.add(name);
  }

  #forget(carried: Carried): void {
    this.#setLosing(carried, NO_NAMES);
    this.#carried.delete(carried.name);
    carried.isSettled = true;
    this.#view = undefined;
  }

  #setView(carried: Carried, view: ServiceWithPods): void {
    if (carried.view === view) return;
    if (carried.view !== undefined && sameView(carried.view, view) && view !== carried.target) return;
    carried.view = view;
    this.#view = undefined;
  }

  #setLosing(carried: Carried, losing: ReadonlySet<string>): void {
    const { name, losing: before } = carried;
    carried.losing = losing;
    for (const address of before) {
      if (losing.has(address)) continue;
      const losers = this.#losers.get(address);
      losers?.delete(name);
      if (losers?.size === 0) this.#losers.delete(address);
      this.touch(this.#ownersOf(address));
    }
    for (const address of losing) {
      if (before.has(address)) continue;
      const losers = this.#losers.get(address) ?? new Set();
      this.#losers.set(address, losers.add(name));
      this.touch(this.#ownersOf(address));
    }
  }

  /** What Envoy has taken of a service last; what was sent before that is forgotten. */
  #taken(carried: Carried, holdings: Holdings | undefined): Sent | undefined {
    const cluster = holdings?.taken(TYPE_URLS.cluster, carried.name);
    const endpoints = holdings?.taken(TYPE_URLS.endpoints, carried.name);
    const at = carried.sent.findLastIndex((sent) => sent.cluster === cluster && sent.endpoints === endpoints);
    if (at >= 0) {
      carried.taken = carried.sent[at];
      carried.sent = carried.sent.slice(at);
    }
    return carried.taken;
  }

  /** Whether Envoy has taken all routes that it was sent: services that they do not name get no request any more. */
  #areRoutesTaken(holdings: Holdings | undefined): boolean {
    const snapshot = this.#snapshot;
    if (this.#held !== undefined) return false;
    if (holdings === undefined || snapshot === undefined || this.#view === undefined) return false;
    const routes = [...snapshot.types[TYPE_URLS.routes].resources.values()];
    return routes.every(({ name, version }) => {
      // What it has never asked for, it does not use.
      if (holdings.sent(TYPE_URLS.routes, name) === undefined) return true;
      return holdings.taken(TYPE_URLS.routes, name) === version;
    });
  }
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** What runs ends in peace, and nobody who waits goes anywhere. */
const STOPPED: Wanted = { kind: 'pods', pods: NO_PODS };

/** A service whose requests wait for nothing: for a pod that is none there is no end of slots. */
const PASSED: Wanted = {
  kind: 'service',
  settings: {
    max: 0,
    timeoutMs: 0,
    fullStatus: 503,
    abortHoldMs: 0,
    slackMs: 0,
    ejection: { consecutive5xx: 0, consecutiveGateway: 0, baseMs: 1, maxMs: 1 },
    tellPlace: false,
    waitForBodyBytes: 0,
    jobs: undefined,
    idempotency: undefined,
    ownSlots: true,
  },
  pods: new Map([[NO_POD, { limit: 1_000_000_000, unhealthy: false }]]),
};
const NONE: readonly Pod[] = [];

function isReady({ state }: Pod): boolean {
  return state === 'ready';
}

/** Whether somebody waits in the queue, or for a slot of the pod where it is tried again. */
function wants({ waiting, claims }: { readonly waiting: number; readonly claims: number }): boolean {
  return waiting + claims > 0;
}

/** Whether a filter knows a service with all its pods, and has said so. */
function knowsAll(member: Member, { service: { name }, pods }: ServiceWithPods): boolean {
  const told = new Set(member.pods(name));
  const isTold = pods.filter(isReady).every((pod) => told.has(formatAddress(pod)));
  return isTold && member.service(name) !== undefined && member.hasTaken(name);
}

/** The pods that Envoy has, whatever it takes next of what it was sent. */
function knownPods({ taken, sent }: Carried): ReadonlySet<string> {
  if (taken === undefined) return NO_NAMES;
  const later = sent.filter((each) => each !== taken).map(addressesOf);
  return new Set([...addressesOf(taken)].filter((address) => later.every((pods) => pods.has(address))));
}

function addressesOf({ view }: Sent): ReadonlySet<string> {
  return new Set(view.pods.filter(isReady).map(formatAddress));
}

/** The highest limit of a pod: Envoy has to allow that for each. */
function limitOf({ service: { discipline }, pods }: ServiceWithPods): number {
  return discipline.kind === 'limited' ? highestLimit(discipline.limit, pods) : 0;
}

/** The service as Envoy has to have it: with pods that a filter may still choose, and the highest active limit. */
function viewOf(target: ServiceWithPods, carried: Carried, { members }: RolloutInput): ServiceWithPods {
  const { pods, isKnown } = target;
  const { name } = carried;
  const chosen = new Set(
    members.flatMap((member) => [...member.pods(name)].filter((each) => member.mayChoose(name, each))),
  );
  const kept = [...chosen].flatMap((address) => podAt(address) ?? []);
  const union = kept.length === 0 ? pods : normalizePods([...pods, ...kept]);
  const most = Math.max(limitOf(target), ...members.map((member) => member.highestLimit(name)));
  const service = most === limitOf(target) ? target.service : withLimit(target.service, most, carried);
  const same = samePods(union, pods);
  return same && service === target.service ? target : { service, pods: same ? pods : union, isKnown };
}

/** The service with an active limit; the same object for the same one. */
function withLimit(service: Service, limit: number, carried: Carried): Service {
  const { discipline } = service;
  if (discipline.kind !== 'limited' || discipline.limit === limit) return service;
  const { raised } = carried;
  const before = raised?.as.discipline;
  if (raised?.of === service && before?.kind === 'limited' && before.limit === limit) return raised.as;
  // It is active, so it is a number of slots.
  const as = { ...service, discipline: { ...discipline, limit: limit as Slots } };
  carried.raised = { of: service, as };
  return as;
}

function sameView(a: ServiceWithPods, b: ServiceWithPods): boolean {
  return a.service === b.service && a.isKnown === b.isKnown && samePods(a.pods, b.pods);
}

/** Pods of a service that are not among `present`, and that still may have requests of it. */
function lost(name: ServiceName, present: ReadonlySet<string>, members: readonly Member[]): ReadonlySet<string> {
  const found = members.flatMap((member) =>
    [...member.pods(name)].filter((address) => !present.has(address) && member.held(name, address) > 0),
  );
  return found.length === 0 ? NO_NAMES : new Set(found);
}

function owners(targets: Iterable<ServiceWithPods>): ReadonlyMap<string, readonly ServiceName[]> {
  const found = new Map<string, ServiceName[]>();
  for (const { service, pods } of targets) {
    if (service.discipline.kind !== 'limited') continue;
    for (const pod of pods) {
      const address = formatAddress(pod);
      const names = found.get(address);
      if (names === undefined) found.set(address, [service.name]);
      else names.push(service.name);
    }
  }
  return found;
}

/** The pod at an address as `formatAddress` writes it. */
function podAt(address: string): Pod | undefined {
  const match = /^(?:\[(?<v6>.+)\]|(?<v4>[^:]+)):(?<port>\d+)$/.exec(address);
  const { v6, v4, port } = match?.groups ?? {};
  const ip = v6 ?? v4;
  return ip === undefined || port === undefined ? undefined : { ip, port: Number(port), state: 'ready' };
}
