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

/** How those reach pods who came for a service that leaves: by what Envoy has of that. */
interface Way {
  readonly service: ServiceName;
  readonly pods: ReadonlySet<string>;
  /** The most slots of a pod. */
  readonly limit: number;
}

/** A service that the filter has, or is to have. */
interface Carried {
  readonly name: ServiceName;
  /** As the model has it; undefined: it leaves, or has no limit any more. */
  target: ServiceWithPods | undefined;
  /** As Envoy is sent it; undefined: not at all, or as the model has it, or it is known from the filter alone. */
  view: ServiceWithPods | undefined;
  /** As the model had it last; undefined: it is known from the filter alone. */
  own: ServiceWithPods | undefined;
  /** What it was sent and has not taken yet, and before that what it has taken; oldest first. */
  sent: readonly Sent[];
  taken: Sent | undefined;
  /** The service as Envoy is sent it while a higher limit than that of the model is active. */
  raised: { readonly of: Service; readonly as: Service } | undefined;
  /** Its pods have all they may have, and Envoy is sent what the model says. */
  isSettled: boolean;
  /** Where it leaves: the service that takes it over, as that has its pods. */
  taker: ServiceName | undefined;
  /** The services whose pods those may get who came for it: members were told that they take it over, and may not have heard yet that it is over. */
  readonly through: Set<ServiceName>;
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
 * - a service that goes: its routes, then, once nobody waits for it, its pods, then the service;
 * - one that gets another name, or whose pods go to others: the new one takes it over at the filter, in the moment in which it is told
 *   there. From then on it makes no difference by which name a request comes, and whether Sluice is there: the filter has one queue, and
 *   counts at each pod what still runs there by its old name, as it does with a pod that goes from one service to another. What
 *   Envoy has of the old one has to do for the pods of the new one until nobody waits who came for it.
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
  /** The services that leave, by the one that takes them over. */
  readonly #taken = new Map<ServiceName, Set<ServiceName>>();
  /** All services that leave. */
  readonly #leaves = new Set<ServiceName>();
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
    noteTakers(carried, input.members);
    if (target === undefined) this.#leaves.add(name);
    else this.#leaves.delete(name);
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
      own: undefined,
      sent: [],
      taken: undefined,
      raised: undefined,
      isSettled: true,
      taker: undefined,
      through: new Set(),
      leftAt: undefined,
      podlessSince: undefined,
      askedAt: Number.NEGATIVE_INFINITY,
    };
    this.#carried.set(name, fresh);
    return fresh;
  }

  /** A service of the model: what it may have of each pod, and what Envoy has to know meanwhile. */
  #stepPresent(carried: Carried, target: ServiceWithPods, input: RolloutInput): void {
    const { members } = input;
    const { name } = carried;
    const { service, pods } = target;
    const settings = queueSettings(service, pods);
    if (settings === undefined || service.discipline.kind !== 'limited') return;
    carried.podlessSince = undefined;
    carried.leftAt = undefined;
    carried.own = target;
    this.#setTaker(carried, undefined);
    const { limit } = service.discipline;
    const limits = new Map(pods.map((pod) => [formatAddress(pod), pod.limit ?? limit]));
    const mostOf = (address: string): number => limits.get(address) ?? limit;
    const taken = this.#acked(carried, input.holdings);
    const known = knownPods(carried);
    const addresses = pods.filter(isReady).map(formatAddress);
    const unhealthy = input.unhealthy(name);
    const allLeaving = [...(this.#taken.get(name) ?? [])];
    let isWhole = true;
    for (const member of members) {
      const slots = new Map<string, PodSlots>();
      const leaving = member.takes ? allLeaving : [];
      // Those who came for a service that is taken over reach the pods by what Envoy has of that one.
      const ways = leaving.flatMap((other) => this.#wayOf(other, member, input) ?? []);
      for (const address of addresses) {
        const has = member.limitOf(name, address);
        const isReached = known.has(address) && ways.every((way) => way.pods.has(address));
        if (!isReached && !member.mayChoose(name, address)) {
          isWhole &&= !known.has(address);
          continue;
        }
        const isIdle = target.idle?.has(address) === true;
        const most = mostOf(address);
        const jobs = input.takenByJobs(name, address);
        const allowed = Math.min(
          taken === undefined ? has : limitOf(taken.view),
          ...ways.map((way) => (way.pods.has(address) ? Math.max(has, way.limit) : has)),
          this.#isKeptElsewhere(name, address, { member, leaving, now: input.now }) ? 0 : most,
        );
        isWhole &&= allowed >= most;
        const share = Math.min(most, allowed, jobs === undefined ? has : Math.max(0, most - jobs));
        // Without slots it is told as well: who knows nothing but the filter, as after a start, is to know whose pods they are.
        slots.set(address, { limit: isIdle ? 0 : share, unhealthy: unhealthy.has(address) });
      }
      const takes = leaving.filter((other) => {
        const way = ways.find(({ service }) => service === other);
        // A worker that has not heard yet of what was said of it before would use it beside the others.
        const isKnown = members.every((each) => each === member || each.closedAt !== undefined || each.hasTaken(other));
        return isKnown && mayTake(other, member, { slots, gets: new Set(addresses), way });
      });
      for (const other of leaving) {
        if (takes.includes(other)) continue;
        isWhole = false;
        for (const [address, pod] of slots) if (member.keeps(other, address)) slots.set(address, { ...pod, limit: 0 });
      }
      member.want([name, { kind: 'service', settings, pods: slots, takes }]);
    }
    this.#setView(carried, viewOf(target, carried, input));
    carried.isSettled = isWhole && carried.view === target;
  }

  /**
   * Whether a service that is to lose a pod still has it at a filter. One that the filter takes over in this moment does not; an older
   * filter does not count what still runs there.
   */
  #isKeptElsewhere(
    name: ServiceName,
    address: string,
    {
      member,
      leaving,
      now,
    }: { readonly member: Member; readonly leaving: readonly ServiceName[]; readonly now: number },
  ): boolean {
    const owners = this.#ownersOf(address);
    if (!member.takes)
      return [...member.services].some(
        (other) =>
          !owners.includes(other) &&
          (member.held(other, address) > 0 ||
            ([...member.pods(other)].includes(address) && this.#wantsSlots(other, [member], now))),
      );
    const isKept = [...this.#leaves].some((other) => !leaving.includes(other) && member.keeps(other, address));
    // It is taken over in the same step.
    if (isKept) this.#touched.add(name);
    return isKept;
  }

  /** How those reach pods who came for a service that leaves; undefined: nobody is left. */
  #wayOf(name: ServiceName, member: Member, { members, holdings, now }: RolloutInput): Way | undefined {
    const carried = this.#carried.get(name);
    if (carried === undefined || !(this.#wantsSlots(name, members, now) || this.#mayStillCome(carried, now)))
      return undefined;
    const taken = this.#acked(carried, holdings);
    if (taken !== undefined) return { service: name, pods: knownPods(carried), limit: limitOf(taken.view) };
    // The filter was told of pods that Envoy has.
    return { service: name, pods: new Set(member.pods(name)), limit: member.highestLimit(name) };
  }

  /** Whether somebody waits, or may, for a service that leaves: no more can come once Envoy has other routes. */
  #wantsSlots(name: ServiceName, members: readonly Member[], now: number): boolean {
    const carried = this.#carried.get(name);
    if (carried === undefined || carried.target !== undefined) return false;
    const since = this.#leftAt(carried);
    if (since === undefined) return true;
    // The queue has to be asked for: a report may be older than the routes, and somebody may have come since the last answer.
    const by = this.#mayStillCome(carried, now) ? since : since + ON_THEIR_WAY_MS;
    return members.some((member) => {
      const service = member.service(name);
      if (service === undefined) return false;
      return wants(service) || (member.closedAt === undefined && service.lookedAt < by);
    });
  }

  #limitOfLeaving(name: ServiceName, address: string, members: readonly Member[]): number {
    const own = this.#carried.get(name)?.own;
    if (own !== undefined) return limitOf(own);
    // Its settings are not known: it was told 0 while nobody waited.
    return Math.max(1, ...members.map((member) => member.limitOf(name, address)));
  }

  /** The service that takes over one that leaves: the one that has it already, or else the one that gets most of its pods. */
  #takerOf({ name, taker, own }: Carried, members: readonly Member[]): ServiceName | undefined {
    // Where its limit was taken away Envoy lets its requests through.
    if (this.#targets.has(name)) return undefined;
    const told = taker ?? members.map((member) => member.service(name)?.takenBy).find((other) => other !== undefined);
    const sticky = told === undefined ? undefined : this.#heirOf(told);
    if (sticky !== undefined && this.#targets.get(sticky)?.pods.some(isReady) === true) return sticky;
    const addresses =
      own === undefined
        ? new Set(members.flatMap((member) => [...member.pods(name)]))
        : new Set(own.pods.map(formatAddress));
    const gains = new Map<ServiceName, number>();
    for (const address of addresses)
      for (const owner of this.#ownersOf(address)) gains.set(owner, (gains.get(owner) ?? 0) + 1);
    const most = Math.max(...gains.values());
    return [...gains].find(([, pods]) => pods === most)?.[0] ?? sticky;
  }

  /** The service itself where the model has it with a limit, or the one that takes it over; undefined: there is none. */
  #heirOf(name: ServiceName): ServiceName | undefined {
    const seen = new Set<ServiceName>();
    for (let heir: ServiceName | undefined = name; heir !== undefined && !seen.has(heir); ) {
      if (this.#limitOf(heir) > 0) return heir;
      seen.add(heir);
      heir = this.#carried.get(heir)?.taker;
    }
    return undefined;
  }

  #setTaker(carried: Carried, taker: ServiceName | undefined): void {
    const { name, taker: before } = carried;
    if (before === taker) return;
    carried.taker = taker;
    if (before !== undefined) {
      this.#taken.get(before)?.delete(name);
      this.#touched.add(before);
    }
    if (taker === undefined) return;
    const taken = this.#taken.get(taker) ?? new Set();
    this.#taken.set(taker, taken.add(name));
    this.#touched.add(taker);
  }

  /**
   * A service without routes: it keeps its pods while somebody waits for them or may still come, and has gone when nothing is left
   * of it.
   * A service whose limit was taken away ends in the same way at the filter; Envoy has it as the model says.
   */
  #stepLeaving(carried: Carried, input: RolloutInput): void {
    const { members, now } = input;
    const { name } = carried;
    const settings = carried.own && queueSettings(carried.own.service, carried.own.pods);
    this.#setTaker(carried, this.#takerOf(carried, members));
    const heir = carried.taker === undefined ? undefined : this.#targets.get(carried.taker);
    const mayCome = this.#mayStillCome(carried, now);
    // A filter that is new is told of it for those who come.
    const has = members.filter((member) => member.service(name) ?? (mayCome && settings));
    if (has.length === 0) {
      if (mayCome && settings !== undefined) carried.isSettled = false;
      else this.#forget(carried);
      return;
    }
    this.#askForQueue(carried, has, now);
    const isWaiting = this.#wantsSlots(name, has, now);
    const pods = this.#podsOfLeaving(carried, input);
    if (pods.length > 0 || !isWaiting) carried.podlessSince = undefined;
    else carried.podlessSince ??= now;
    const isInVain = carried.podlessSince !== undefined && now - carried.podlessSince >= PODLESS_MS;
    const isKept = isWaiting || mayCome;
    for (const member of has) {
      const isTaken =
        member.service(name)?.takenBy !== undefined || (member.takes && heir !== undefined && !member.service(name));
      const slots = isKept && !isTaken ? this.#slotsOfLeaving(carried, { pods, member, input }) : NO_PODS;
      const isOver = !isWaiting && this.#isQuiet(carried, member) && [...member.pods(name)].length === 0;
      if (isOver || (isInVain && !isTaken)) member.want([name, { kind: 'removed' }]);
      else if (settings === undefined || isTaken) member.want([name, { kind: 'pods', pods: slots }]);
      else member.want([name, { kind: 'service', settings, pods: slots }]);
    }
    // Where it is known from the filter alone, what is right for the service that takes it over is right for it.
    const base = carried.view ?? (heir?.isKnown === true ? { ...heir, service: { ...heir.service, name } } : undefined);
    if (base !== undefined && !this.#targets.has(name)) {
      // Who came for it may get any pod of the service that takes it over.
      const reached = heir === undefined ? pods : normalizePods([...pods, ...heir.pods]);
      const leaves = { ...base, pods: isKept ? reached : NONE };
      this.#setView(carried, viewOf(leaves, carried, input, { least: heir === undefined ? 0 : limitOf(heir), isKept }));
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
    const isLeft = wants(service) || service.away > 0;
    return !isLeft && !service.hasForgotten && service.lookedAt >= since + ON_THEIR_WAY_MS;
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
      if (service.away > 0) return true;
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
  #podsOfLeaving({ name, own }: Carried, { members, podsOf }: RolloutInput): readonly Pod[] {
    const found = own && podsOf(own.service);
    if (found !== undefined) return normalizePods(found);
    if (own !== undefined) return own.pods;
    const addresses = new Set(members.flatMap((member) => [...member.pods(name)]));
    return [...addresses].flatMap((address) => podAt(address) ?? []);
  }

  /** Without slots while nobody waits: should somebody come, its pods are there, even if Sluice has ended meanwhile. */
  #slotsOfLeaving(
    carried: Carried,
    {
      pods,
      member,
      input,
    }: {
      readonly pods: readonly Pod[];
      readonly member: Member;
      readonly input: RolloutInput;
    },
  ): ReadonlyMap<string, PodSlots> {
    const { members } = input;
    const { name } = carried;
    this.#acked(carried, input.holdings);
    const known = knownPods(carried);
    const slots = new Map<string, PodSlots>();
    for (const address of pods.filter(isReady).map(formatAddress)) {
      const mayChoose = member.mayChoose(name, address);
      if (!known.has(address) && !mayChoose) continue;
      // Another one that leaves may not have given it up to this one yet.
      const isLost = [...(member.takes ? this.#leaves : member.services)].some(
        (other) => other !== name && (member.takes ? member.keeps(other, address) : member.held(other, address) > 0),
      );
      // A service of the model may have it, or be about to get it: what leaves gets nothing beside that which it has not had before.
      const isOwned =
        member.limitOf(name, address) === 0 &&
        this.#ownersOf(address).some((owner) => member.takes || member.keeps(owner, address));
      slots.set(address, {
        limit: isLost || isOwned ? 0 : this.#limitOfLeaving(name, address, members),
        unhealthy: false,
      });
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
    this.#setTaker(carried, undefined);
    this.#leaves.delete(carried.name);
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

  /** What Envoy has taken of a service last; what was sent before that is forgotten. */
  #acked(carried: Carried, holdings: Holdings | undefined): Sent | undefined {
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

/**
 * Which services members may have in the place of this one. What they were told last is not what they have until they have said so: who
 * came for it may get a pod of the one before meanwhile.
 */
function noteTakers({ name, through }: Carried, members: readonly Member[]): void {
  if (through.size > 0 && members.every((member) => member.hasTaken(name))) through.clear();
  for (const member of members) {
    const seen = new Set([name]);
    for (let other = member.service(name)?.takenBy; other !== undefined && !seen.has(other); ) {
      seen.add(other);
      through.add(other);
      other = member.service(other)?.takenBy;
    }
  }
}

/**
 * The service as Envoy has to have it: with pods that a filter may still choose, and the highest active limit. `isKept`: somebody may be
 * there who came for it.
 */
function viewOf(
  target: ServiceWithPods,
  carried: Carried,
  { members }: RolloutInput,
  { least, isKept }: { readonly least: number; readonly isKept: boolean } = { least: 0, isKept: true },
): ServiceWithPods {
  const { pods, isKnown } = target;
  const names = isKept ? [carried.name, ...carried.through] : [carried.name];
  const chosen = new Set(
    members.flatMap((member) =>
      names.flatMap((name) => [...member.pods(name)].filter((each) => member.mayChoose(name, each))),
    ),
  );
  const kept = [...chosen].flatMap((address) => podAt(address) ?? []);
  const union = kept.length === 0 ? pods : normalizePods([...pods, ...kept]);
  const most = Math.max(
    limitOf(target),
    least,
    ...members.flatMap((member) => names.map((name) => member.highestLimit(name))),
  );
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

/**
 * Whether a filter may be told that a service with these pods takes another one over: nobody is left without pods by that, and whoever
 * came for the other one reaches all of them.
 */
function mayTake(
  name: ServiceName,
  member: Member,
  {
    slots,
    gets,
    way,
  }: {
    readonly slots: ReadonlyMap<string, PodSlots>;
    readonly gets: ReadonlySet<string>;
    readonly way: Way | undefined;
  },
): boolean {
  for (const [address, { limit }] of slots)
    if (way !== undefined && limit > 0 && (limit > way.limit || !way.pods.has(address))) return false;
  const service = member.service(name);
  if (service === undefined || service.takenBy !== undefined) return true;
  const pods = [...member.pods(name)];
  const isTold = pods.every((pod) => slots.has(pod) || !gets.has(pod));
  return isTold && (pods.length === 0 || [...slots.values()].some(({ limit }) => limit > 0));
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
