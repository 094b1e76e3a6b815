import type { Clock } from '../base/clock.ts';
import { formatDuration, type Millis } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import { Timers } from '../base/timers.ts';
import { formatAddress } from '../model/locator.ts';
import type { ServiceWithPods } from '../model/model.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import { add, Coordinator, type CoordinatorMessage, type HeldService, type MemberMessage, sum } from './coordinator.ts';
import type { MemberId, SlotsEvent } from './events.ts';
import type { Member } from './member.ts';
import type { Hello } from './read-message.ts';
import { keyOf, type MemberRegister, type RegisteredMember } from './register.ts';

/** A service with a limit, as slots are counted. */
export interface SharedService {
  readonly name: ServiceName;
  /** Slots by pod, as `formatAddress` writes it. */
  readonly limits: ReadonlyMap<string, number>;
}

/** The services with a limit, and the slots of their pods. Of one whose pods are not known nothing is said. */
export function sharedServices(services: readonly ServiceWithPods[]): readonly SharedService[] {
  return services.flatMap(({ service: { name, discipline }, pods, isKnown, idle }) => {
    if (discipline.kind !== 'limited' || !isKnown) return [];
    const limits = pods.flatMap((pod): readonly (readonly [string, number])[] => {
      const address = formatAddress(pod);
      if (pod.state !== 'ready') return [];
      return [[address, idle?.has(address) ? 0 : (pod.limit ?? discipline.limit)]];
    });
    return [{ name, limits: new Map(limits) }];
  });
}

/** What `Sharing` works with. */
export interface SharingOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly register: MemberRegister;
  /** The slots of a member that has been away for so long are given to others, whatever still runs there; undefined: never. */
  readonly reclaimMs: Millis | undefined;
  /** Slots of a pod that are taken by jobs which no filter knows; undefined: that is not known yet. */
  readonly takenByJobs: (name: ServiceName, address: string) => number | undefined;
  /** Told of members that have ended for good, before their slots are given to others: jobs that they began may go on. */
  readonly ended: (members: readonly MemberId[]) => void;
  /** The members of an Envoy that have introduced themselves. */
  readonly members: (node: string) => readonly Member[];
  /** Writes what there is to say to a member. */
  readonly flush: (member: Member) => void;
  /** Told when other problems are to be told. */
  readonly changed: () => void;
}

/** A member as it is seen from outside. */
export interface SharingMember {
  readonly node: string;
  readonly epoch: string;
  /** Undefined: its stream is open. In milliseconds since the epoch. */
  readonly awaySince: number | undefined;
  /** It has said to this coordinator what it holds. */
  readonly isKnown: boolean;
}

/** How slots are shared now. */
export interface SharingState {
  /** Undefined: one Envoy has all of them. */
  readonly term: number | undefined;
  readonly members: readonly SharingMember[];
  /** Slots of a service by node. */
  readonly held: (service: ServiceName) => ReadonlyMap<string, number>;
  /** Slots of a service that nobody can use: those of members that are away, or that cannot be counted yet. */
  readonly missing: (service: ServiceName) => number;
}

/** Without a register from before, those that had slots are waited for after a start: they come back within some 2 s. */
const RETURN_MS = 3000;

/** How often is looked whether somebody has been away for too long, and asked whether a VM has ended. */
const LOOK_MS = 1000;

/** A member that is away for a moment is no problem: it mostly comes back at once. */
const TELL_MS = 3000;

interface Connected {
  readonly connection: number;
  readonly member: Member;
  readonly hello: Hello;
  /** What it has said so far of what it holds. */
  holding: HeldService[];
  /** It has said all of that. */
  isComplete: boolean;
}

/** One Envoy has all slots. */
export const NOT_SHARED: SharingState = { term: undefined, members: [], held: () => new Map(), missing: () => 0 };

const NONE: ReadonlySet<string> = new Set();
const NO_LIMITS: ReadonlyMap<string, number> = new Map();

/**
 * Several Envoys, one limit: decides whether slots are shared, and runs the coordinator over the members that are connected here.
 * As long as one Envoy is there, nothing is said, and its slots are its own.
 */
export class Sharing {
  readonly #options: SharingOptions;
  readonly #timers: Timers;
  readonly #startedAt: number;
  readonly #connected = new Map<string, Connected>();
  readonly #byConnection = new Map<number, Connected>();
  /** Since when a registered member is away. */
  readonly #away = new Map<string, number>();
  /** Registered members that have not been here since this start. */
  readonly #unseen = new Set<string>();
  readonly #usable = new Map<string, Map<ServiceName, ReadonlySet<string>>>();
  #connections = 0;
  #coordinator: Coordinator | undefined;
  #services: readonly SharedService[] | undefined;
  /** The same without the slots of jobs that no filter knows. */
  #slots: readonly SharedService[] = [];
  /** Pods of which it is not known how many those are. */
  #unasked: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  /** Services that have left, and that some Envoy still uses. */
  readonly #leaving = new Map<ServiceName, ReadonlyMap<string, number>>();
  /** The limits that the coordinator has. */
  #limits = new Map<string, ReadonlyMap<string, number>>();
  /** Some of them are lower than they are to be, as another service still has slots of the pods. */
  #isContested = false;
  #isLooking = false;

  constructor(options: SharingOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#startedAt = options.clock.monotonic();
    for (const each of options.register.members) {
      this.#away.set(keyOf(each), this.#startedAt);
      this.#unseen.add(keyOf(each));
    }
  }

  /** Why a filter is not welcome; undefined: it is. */
  refusal({ node, process, epoch }: Hello): string | undefined {
    const { register } = this.#options;
    const other = [...this.#connected.values()].find(
      ({ hello }) => hello.node === node && isOtherProcess(hello.process, process),
    );
    // Two Envoys must not use one name: what one of them has would be taken for what the other has.
    if (other !== undefined) return `another Envoy of the node id ${node} is connected`;
    // After a start the one that has this name goes first, and is back within a second or two.
    const isAwaited = register.members.some(
      (each) => each.node === node && isOtherProcess(each.process, process) && this.#unseen.has(keyOf(each)),
    );
    if (isAwaited && this.#options.clock.monotonic() - this.#startedAt < RETURN_MS)
      return `the Envoy that had the node id ${node} is waited for`;
    return register.isDead(keyOf({ node, epoch })) && !this.#isSharing ? 'this filter has ended' : undefined;
  }

  /** Whether an Envoy has a queue filter: one that is connected now, or `registered` one that may come back. */
  hasFilter(node: string, registered: boolean): boolean {
    if (registered) return this.#options.register.members.some((each) => each.node === node);
    return [...this.#connected.values()].some(({ hello }) => hello.node === node);
  }

  /** Whether filters of other Envoys may use slots. */
  hasOthers(node: string): boolean {
    return this.#options.register.members.some((each) => each.node !== node);
  }

  /** Takes what happens at filters. */
  record(event: SlotsEvent): void {
    switch (event.kind) {
      case 'hello':
        this.#hello(event);
        return;
      case 'holding':
        this.#holding(event);
        return;
      case 'changes':
        this.#changes(event);
        return;
      case 'gone':
        this.#gone(event);
        return;
      case 'acked':
        this.#acknowledge(keyOf(event), event.services);
        return;
      case 'pod':
        this.#acknowledge(keyOf(event), [event.event.service]);
        return;
      case 'ended':
        this.#buryEnded(event);
        return;
      case 'report':
      case 'synced':
      case 'rejected':
      case 'waiting list':
        return;
    }
  }

  /** From now on these are the services with a limit, and their slots. */
  follow(services: readonly SharedService[]): void {
    const before = this.#services;
    this.#services = services;
    const names = new Set(services.map(({ name }) => name));
    for (const { name, limits } of before ?? []) if (!names.has(name)) this.#leaving.set(name, limits);
    for (const name of names) this.#leaving.delete(name);
    this.#configure();
  }

  /** Jobs that no filter knows take other slots than before. */
  recordJobs(): void {
    this.#configure();
  }

  /** Somebody knows that an Envoy which is away has ended for good. */
  forget(node: string): 'forgotten' | 'connected' | 'unknown' {
    if ([...this.#connected.values()].some(({ hello }) => hello.node === node)) return 'connected';
    const found = this.#options.register.members.filter((each) => each.node === node);
    if (found.length === 0) return 'unknown';
    this.#bury(found, 'an operator has said that it has ended');
    return 'forgotten';
  }

  /** How slots are shared now. */
  state(): SharingState {
    const coordinator = this.#coordinator;
    const { clock } = this.#options;
    const missing = new Set(coordinator?.missingMembers() ?? []);
    const members = this.#options.register.members.map((each): SharingMember => {
      const key = keyOf(each);
      const since = this.#away.get(key);
      return {
        node: each.node,
        epoch: each.epoch,
        awaySince: since === undefined ? undefined : clock.now() - (clock.monotonic() - since),
        isKnown: coordinator !== undefined && !missing.has(key),
      };
    });
    return {
      term: coordinator?.term,
      members,
      held: (service) => {
        const held = new Map<string, number>();
        for (const each of members) add(held, each.node, this.#heldBy(keyOf(each), service));
        return held;
      },
      missing: (service) => this.#missingSlots(service),
    };
  }

  /** What somebody has to mend. */
  problems(): readonly Problem[] {
    if (this.#coordinator === undefined) return [];
    const now = this.#options.clock.monotonic();
    const away = new Map<string, number>();
    for (const each of this.#options.register.members) {
      const since = this.#away.get(keyOf(each));
      if (since !== undefined && now - since >= TELL_MS)
        away.set(each.node, Math.min(since, away.get(each.node) ?? since));
    }
    return [...away].map(([node]) => this.#awayProblem(node));
  }

  /** Ends all waiting. */
  stop(): void {
    this.#timers.stop();
  }

  get #isSharing(): boolean {
    return this.#coordinator !== undefined;
  }

  #awayProblem(node: string): Problem {
    const { reclaimMs } = this.#options;
    const services = (this.#services ?? []).flatMap(({ name }) => {
      const slots = this.#heldAway(node, name);
      return slots > 0 ? [`${slots} of ${name}`] : [];
    });
    const missing = this.#coordinator?.missingMembers() ?? [];
    const isUnknown = missing.some((key) => key.startsWith(`${node}/`));
    const what = isUnknown
      ? 'what it holds is not known, so no slot that is missing is given to others'
      : services.length === 0
        ? 'it held no slot'
        : `the slots that it holds are missing: ${services.join(', ')}`;
    const until =
      reclaimMs === undefined
        ? 'until it is back'
        : `until it is back, or has been away for ${formatDuration(reclaimMs)} (--slots-reclaim)`;
    return {
      severity: 'error',
      subject: `Envoy ${node}`,
      message: `has lost its connection, and may still use its pods: ${what}, ${until}`,
      fix: `start it again under the same node id, which tells that the one before has ended; or, if it is gone for good: sluice forget ${node}`,
    };
  }

  #heldAway(node: string, service: ServiceName): number {
    return this.#options.register.members
      .filter((each) => each.node === node && this.#away.has(keyOf(each)))
      .reduce((total, each) => total + this.#heldBy(keyOf(each), service), 0);
  }

  #heldBy(key: string, service: ServiceName): number {
    return sum(this.#coordinator?.heldBy(key, service).values() ?? []);
  }

  #missingSlots(service: ServiceName): number {
    const coordinator = this.#coordinator;
    if (coordinator === undefined) return 0;
    const limits = sum(this.#limits.get(service)?.values() ?? []);
    const there = [...this.#connected.keys()].reduce(
      (total, key) => total + this.#heldBy(key, service),
      sum(coordinator.inHand(service).values()),
    );
    return Math.max(0, limits - there);
  }

  // ---- Members come and go ----

  #hello(event: SlotsEvent & { readonly kind: 'hello' }): void {
    const { register, members } = this.#options;
    const key = keyOf(event);
    const member = members(event.node).find(({ id }) => id.epoch === event.epoch);
    if (member === undefined) return;
    const { hello } = member;
    this.#drop(key);
    this.#buryBefore(hello);
    // One that was given up is told so once it says what it holds.
    if (!register.isDead(key)) register.add({ node: hello.node, process: hello.process, epoch: hello.epoch });
    const connected: Connected = {
      connection: ++this.#connections,
      member,
      hello,
      holding: [],
      isComplete: false,
    };
    this.#connected.set(key, connected);
    this.#byConnection.set(connected.connection, connected);
    this.#away.delete(key);
    this.#unseen.delete(key);
    this.#usable.delete(key);
    if (this.#isSharing) this.#open(connected);
    else if (hello.shares || this.#envoys() > 1) this.#begin();
    this.#acknowledge(key, member.services);
    this.#look();
    this.#options.changed();
  }

  /** Another start of an Envoy under the same node id: the one before has ended, as a node id is that of one Envoy at a time. */
  #buryBefore({ node, process }: Hello): void {
    const before = this.#options.register.members.filter(
      (each) => each.node === node && isOtherProcess(each.process, process),
    );
    this.#bury(before, 'Envoy was started again');
  }

  #buryEnded({ node, ended }: SlotsEvent & { readonly kind: 'ended' }): void {
    const found = this.#options.register.members.filter((each) => each.node === node && each.epoch === ended);
    this.#bury(
      found.filter((each) => this.#away.has(keyOf(each))),
      'this filter was replaced in its Envoy, and has ended',
    );
  }

  #bury(dead: readonly RegisteredMember[], why: string): void {
    if (dead.length === 0) return;
    const { register, log, clock } = this.#options;
    const keys = dead.map(keyOf);
    register.bury(keys);
    this.#options.ended(dead);
    for (const key of keys) {
      this.#away.delete(key);
      this.#usable.delete(key);
    }
    // Slots of jobs that go on without their filter are not made again.
    this.#countSlots();
    this.#coordinator?.died(keys, clock.monotonic(), this.#limitsNow([]), this.#unasked);
    if (this.#isSharing) log.info({ members: keys, why }, 'the slots of these filters are free again');
    this.#send();
    // Who was given up may still be connected: it has been told.
    for (const key of keys) this.#drop(key);
    this.#reconsider();
    this.#options.changed();
  }

  #gone(event: MemberId): void {
    const key = keyOf(event);
    if (!this.#connected.has(key)) return;
    this.#drop(key);
    this.#away.set(key, this.#options.clock.monotonic());
    this.#timers.after(TELL_MS, () => this.#options.changed());
    this.#look();
    this.#options.changed();
  }

  #drop(key: string): void {
    const connected = this.#connected.get(key);
    if (connected === undefined) return;
    this.#connected.delete(key);
    this.#byConnection.delete(connected.connection);
    this.#coordinator?.closed(connected.connection, this.#options.clock.monotonic());
    this.#send();
  }

  /** How many Envoys may use slots. */
  #envoys(): number {
    return new Set(this.#options.register.members.map(({ node }) => node)).size;
  }

  /** Looks now and then for who has been away for too long, and for filters that were replaced within their Envoy. */
  #look(): void {
    if (this.#isLooking || this.#away.size === 0) return;
    this.#isLooking = true;
    this.#timers.after(LOOK_MS, () => {
      this.#isLooking = false;
      this.#askForEnded();
      this.#reclaim();
      this.#look();
    });
  }

  #askForEnded(): void {
    for (const away of this.#options.register.members) {
      if (!this.#away.has(keyOf(away))) continue;
      const peer = [...this.#connected.values()].find(
        ({ hello }) => hello.node === away.node && hello.process === away.process,
      );
      if (peer === undefined) continue;
      peer.member.request({ kind: 'ask ended', epoch: away.epoch });
      this.#options.flush(peer.member);
    }
  }

  #reclaim(): void {
    const { reclaimMs, register, clock, log } = this.#options;
    if (reclaimMs === undefined || !this.#isSharing) return;
    const now = clock.monotonic();
    const late = register.members.filter((each) => now - (this.#away.get(keyOf(each)) ?? now) >= reclaimMs);
    if (late.length === 0) return;
    log.warn(
      { members: late.map(keyOf), reclaimMs },
      'these Envoys have been away for so long that their slots are given to others; if one still runs, its pods may get more than their limit until it is back',
    );
    this.#bury(late, `away for ${formatDuration(reclaimMs)}`);
  }

  // ---- Sharing ----

  #begin(): void {
    const { clock, register, log } = this.#options;
    const term = register.takeTerm(clock.now());
    this.#coordinator = new Coordinator({ term, lease: false });
    log.info({ term, members: register.members.map(keyOf) }, 'several Envoys share the slots of the services');
    this.#configure();
    for (const connected of this.#connected.values()) this.#open(connected);
    for (const [key, connected] of this.#connected) this.#acknowledge(key, connected.member.services);
    // Without a register those that came before this start are not known. Where one is begun, nobody did who is not back by now.
    const isReturning = [...this.#connected.values()].some(({ hello }) => hello.stream > 1 || hello.shares);
    const mayMiss = !register.wasKept && (isReturning || !register.isKept);
    const wait = mayMiss ? RETURN_MS - (clock.monotonic() - this.#startedAt) : 0;
    if (wait > 0) this.#timers.after(wait, () => this.#expect());
    else this.#expect();
  }

  #expect(): void {
    const { register, clock } = this.#options;
    this.#coordinator?.expect(register.members.map(keyOf), register.dead, clock.monotonic());
    this.#send();
  }

  #open({ connection }: Connected): void {
    this.#coordinator?.opened(connection);
    this.#send();
  }

  #holding({ services, isComplete, ...id }: SlotsEvent & { readonly kind: 'holding' }): void {
    const connected = this.#connected.get(keyOf(id));
    if (connected === undefined) return;
    connected.holding.push(...services);
    if (!isComplete) return;
    const held = connected.holding;
    connected.holding = [];
    connected.isComplete = true;
    this.#foresee(held);
    this.#hear(connected, {
      kind: 'hello',
      member: keyOf(id),
      stream: connected.hello.stream,
      services: held,
    });
    this.#settle();
    this.#options.changed();
  }

  #changes({ changes, ...id }: SlotsEvent & { readonly kind: 'changes' }): void {
    const connected = this.#connected.get(keyOf(id));
    if (connected === undefined || !connected.isComplete) return;
    for (const change of changes) this.#hear(connected, change);
    this.#settle();
  }

  #hear({ connection }: Connected, message: MemberMessage): void {
    this.#coordinator?.hear(connection, message, this.#options.clock.monotonic());
  }

  /** What a member said may have freed slots that another service is to get. */
  #settle(): void {
    this.#reconsider();
    this.#send();
  }

  /** A member may use the pods that it has acknowledged, and that it has not ejected. */
  #acknowledge(key: string, names: Iterable<ServiceName>): void {
    const coordinator = this.#coordinator;
    const member = this.#connected.get(key)?.member;
    if (coordinator === undefined || member === undefined) return;
    const known = this.#usable.get(key) ?? new Map<ServiceName, ReadonlySet<string>>();
    this.#usable.set(key, known);
    for (const name of names) {
      const pods = member.usable(name);
      if (sameSet(known.get(name) ?? NONE, pods)) continue;
      known.set(name, pods);
      coordinator.acknowledged(key, name, pods, this.#options.clock.monotonic());
    }
    this.#settle();
  }

  /** `more`: slots that a member is about to tell of. */
  #configure(more: readonly HeldService[] = []): void {
    if (this.#coordinator === undefined || this.#services === undefined) return;
    this.#countSlots();
    this.#setLimits(this.#limitsNow(more));
  }

  #countSlots(): void {
    const unasked = new Map<string, ReadonlySet<string>>();
    this.#slots = (this.#services ?? []).map((service) => {
      const { name, limits } = service;
      const counted = [...limits].map(([pod, limit]) => ({ pod, limit, jobs: this.#options.takenByJobs(name, pod) }));
      const unknown = counted.flatMap(({ pod, jobs }) => (jobs === undefined ? [pod] : []));
      if (unknown.length > 0) unasked.set(name, new Set(unknown));
      if (counted.every(({ jobs = 0 }) => jobs === 0)) return service;
      return { name, limits: new Map(counted.map(({ pod, limit, jobs = 0 }) => [pod, Math.max(0, limit - jobs)])) };
    });
    this.#unasked = unasked;
  }

  #setLimits(limits: Map<string, ReadonlyMap<string, number>>): void {
    this.#limits = limits;
    this.#isContested = this.#slots.some((each) => limits.get(each.name) !== each.limits);
    this.#coordinator?.configure(limits, this.#options.clock.monotonic(), this.#unasked);
    this.#send();
  }

  /** A member is about to say that it holds slots: those of services that are not there, or of pods that they lose, go first. */
  #foresee(held: readonly HeldService[]): void {
    const wanted = new Map((this.#services ?? []).map(({ name, limits }) => [name, limits]));
    let isForeign = false;
    for (const { service, held: pods } of held) {
      // The name of a cluster, which is that of a service.
      const name = service as ServiceName;
      const limits = wanted.get(name);
      if (limits === undefined && pods.length > 0 && !this.#leaving.has(name)) this.#leaving.set(name, new Map(pods));
      isForeign ||= pods.some(([pod]) => !limits?.has(pod));
    }
    if (isForeign) this.#configure(held);
  }

  /** While a pod passes from one service to another, the one gets what the other has given up. */
  #reconsider(): void {
    if (this.#services === undefined || (!this.#isContested && this.#leaving.size === 0)) return;
    for (const name of [...this.#leaving.keys()]) if (!this.#isUsed(name)) this.#leaving.delete(name);
    const limits = this.#limitsNow([]);
    const isSame =
      limits.size === this.#limits.size &&
      [...limits].every(([name, pods]) => sameNumbers(pods, this.#limits.get(name) ?? NO_LIMITS));
    if (!isSame) this.#setLimits(limits);
  }

  /** Whether a member may still choose a pod of a service that has left. */
  #isUsed(name: ServiceName): boolean {
    return [...this.#usable.values()].some((services) => (services.get(name)?.size ?? 0) > 0);
  }

  #limitsNow(more: readonly HeldService[]): Map<string, ReadonlyMap<string, number>> {
    const found = new Map<string, ReadonlyMap<string, number>>(this.#leaving);
    const taken = this.#taken(more);
    for (const { name, limits } of this.#slots) {
      const others = (pod: string) => taken.get(pod)?.filter(({ service }) => service !== name) ?? [];
      const isWhole = taken.size === 0 || [...limits.keys()].every((pod) => others(pod).length === 0);
      const rest = (pod: string, most: number) => others(pod).reduce((left, { slots }) => left - slots, most);
      found.set(
        name,
        isWhole ? limits : new Map([...limits].map(([pod, most]) => [pod, Math.max(0, rest(pod, most))])),
      );
    }
    return found;
  }

  /** By pod, the slots that services have which are to lose them: those go first. */
  #taken(
    more: readonly HeldService[],
  ): ReadonlyMap<string, readonly { readonly service: string; readonly slots: number }[]> {
    const wanted = new Map<string, ReadonlyMap<string, number>>(this.#slots.map(({ name, limits }) => [name, limits]));
    const totals = this.#coordinator?.totals() ?? new Map<string, Map<string, number>>();
    for (const { service, held } of more) {
      const pods = totals.get(service) ?? new Map<string, number>();
      totals.set(service, pods);
      for (const [pod, slots] of held) add(pods, pod, slots);
    }
    for (const [service, pods] of this.#leaving) {
      const all = totals.get(service) ?? new Map<string, number>();
      totals.set(service, all);
      for (const [pod, slots] of pods) all.set(pod, Math.max(slots, all.get(pod) ?? 0));
    }
    const taken = new Map<string, { readonly service: string; readonly slots: number }[]>();
    for (const [service, pods] of totals) {
      for (const [pod, total] of pods) {
        const slots = total - (wanted.get(service)?.get(pod) ?? 0);
        if (slots <= 0) continue;
        const list = taken.get(pod);
        if (list === undefined) taken.set(pod, [{ service, slots }]);
        else list.push({ service, slots });
      }
    }
    return taken;
  }

  #send(): void {
    const said = new Map<Connected, CoordinatorMessage[]>();
    for (const effect of this.#coordinator?.take() ?? []) {
      if (effect.kind === 'prove') continue;
      const connected = this.#byConnection.get(effect.connection);
      if (connected === undefined) continue;
      const messages = said.get(connected);
      if (messages === undefined) said.set(connected, [effect.message]);
      else messages.push(effect.message);
    }
    for (const [{ member }, messages] of said) {
      member.share(messages);
      this.#options.flush(member);
    }
  }
}

/** Whether two numbers are those of two starts of Envoy, as far as both are known. */
function isOtherProcess(a: string, b: string): boolean {
  return a !== '0' && b !== '0' && a !== b;
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((each) => b.has(each));
}

function sameNumbers(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a === b || (a.size === b.size && [...a].every(([key, value]) => b.get(key) === value));
}
