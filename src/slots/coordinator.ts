// The coordinator of shared slots: several Envoys use the same pods, and each slot of a pod (its address, one of `limit`) is held
// by exactly one of them, the members, or is on its way. The coordinator moves slots between members, and orders the queue.
// A member's side is envoy/filter/shares.ts.
//
// Pure: no clock and no I/O. The caller passes the time (milliseconds of its own clock) and delivers what it said (`take`).
// The numbers of the rules are those of docs/shared-slots.md.

import { USUAL_SLACK } from '../model/service.ts';

/** A member of one life: its name and epoch. */
export type MemberKey = string;

/** What a member has of a service when a stream begins. */
export interface HeldService {
  readonly service: string;
  /** Slots by pod, idle and in use. */
  readonly held: readonly (readonly [pod: string, slots: number])[];
  /** Requests that wait, by name, with their ages in milliseconds, and the only pod that one can use if there is one. */
  readonly waiting: readonly (readonly [request: number, age: number, pod?: string | undefined])[];
}

/** From a member to the coordinator. */
export type MemberMessage =
  | {
      readonly kind: 'hello';
      readonly member: MemberKey;
      readonly stream: number;
      readonly services: readonly HeldService[];
      /** It tells how many grants have arrived (`received`): only so many are on their way to it at a time. */
      readonly tellsReceived?: boolean;
    }
  /** `pod`: Envoy tries it again, at this one. */
  | {
      readonly kind: 'waits';
      readonly service: string;
      readonly request: number;
      readonly age: number;
      readonly pod?: string | undefined;
    }
  | { readonly kind: 'left'; readonly service: string; readonly request: number }
  | { readonly kind: 'released'; readonly service: string; readonly pod: string };

/** From the coordinator to a member. */
export type CoordinatorMessage =
  | { readonly kind: 'welcome'; readonly term: number }
  | { readonly kind: 'alone'; readonly alone: boolean }
  /** `request` 0: for nobody, the slot stays idle there. */
  | { readonly kind: 'grant'; readonly service: string; readonly pod: string; readonly request: number }
  | { readonly kind: 'recall'; readonly service: string; readonly pod: string; readonly slots: number }
  /** `age` undefined: nobody waits at another member. */
  | { readonly kind: 'oldest elsewhere'; readonly service: string; readonly age: number | undefined }
  | { readonly kind: 'acknowledged'; readonly service: string; readonly slots: number }
  | { readonly kind: 'dead' };

/** What the coordinator wants its caller to do. */
export type CoordinatorEffect =
  | { readonly kind: 'send'; readonly connection: number; readonly message: CoordinatorMessage }
  /** Write to the Lease, and call `proved` with this number if that shows that the term is still the newest (rule 3c). */
  | { readonly kind: 'prove'; readonly number: number }
  /** Call `passed` at this time. */
  | { readonly kind: 'wake'; readonly at: number };

/** What a coordinator starts from. */
export interface CoordinatorOptions {
  readonly term: number;
  /**
   * Terms are won at a Lease. Then slots that are given back may move at once, because making any needs a proof. Without a
   * Lease nothing moves before every member that is expected has said hello.
   */
  readonly lease: boolean;
  /** So many members more than wait are asked for idle slots first: 1 when left out. */
  readonly askFirst?: number | undefined;
}

/** Of many members with a slot, one more than wait are asked first: most often one of two has an idle one. */
const ASK_FIRST = 1;

/** So many more are asked next, and then all: where machines are busy, and answer late, not each request must ask all of them. */
const ASK_NEXT = 4;

/** How long others are not asked, depending on how late answers are. */
const LEAST_PATIENCE_MS = 2;
const MOST_PATIENCE_MS = 8;

/** In milliseconds: so long after the last has waited members still give back each slot that becomes free, as mostly somebody comes. */
const CALM_AFTER_MS = 1000;

interface Member {
  readonly key: MemberKey;
  stream: number;
  /** The grants of this stream that have not arrived yet as far as is known, oldest first; undefined: it does not tell. */
  onTheirWay: Share[] | undefined;
  /** How many have arrived. */
  received: number;
  /** Undefined: it is away. Its slots count all the same. */
  connection: number | undefined;
  alone: boolean;
  readonly shares: Map<string, Share>;
}

/** What one member has of one service. */
interface Share {
  readonly member: Member;
  readonly service: string;
  held: Map<string, number>;
  /** All of them together. */
  slots: number;
  /** How many of them are on their way to it. */
  onTheirWay: number;
  /** The pods whose endpoints its Envoy has acknowledged (rule 4). */
  usable: ReadonlySet<string>;
  /** What it was last told to give back, by pod; -1: nothing since its hello. */
  readonly recalled: Map<string, number>;
  /** Its requests that wait, by name. */
  readonly waiting: Map<number, Waiter>;
  /** The same, oldest first. */
  readonly line: Waiter[];
  /** The oldest elsewhere as it was last told; Infinity: nobody, or nothing since its hello. */
  told: number;
  /** Slots that it was given while nobody waited, and has not given back: idle, unless a request has come there since. */
  idle: number;
}

interface Waiter {
  readonly arrived: number;
  /** Of those that arrived at the same time the first that was told of goes first. */
  readonly order: number;
  readonly request: number;
  /** The only pod that it can use; undefined: any. */
  readonly pod: string | undefined;
}

interface SharedService {
  readonly name: string;
  limits: ReadonlyMap<string, number>;
  /** So many grants may be on their way to one member: one that has vanished must not take all slots with it. */
  mostOnTheirWay: number;
  /** Pods whose slots are not made for now. */
  unknown: ReadonlySet<string>;
  /** Slots that nobody holds: given back or made, on the way to the next holder. */
  readonly inHand: Map<string, number>;
  /** All slots by pod: those in hand, and those of all members, connected or away. */
  readonly totals: Map<string, number>;
  readonly shares: Map<Member, Share>;
  /** How many requests wait. */
  waiting: number;
  /** There may be more or fewer slots of a pod than its limit. */
  isOdd: boolean;
  /** Some member may have to be told how many slots to give back. */
  isRecalling: boolean;
  /** Many slots are likely to be idle: a few members are asked for them first, and all when those gave none. */
  asksFew: boolean;
  /** For whom a few were asked, and when all are. */
  asking: { readonly waiter: Waiter; readonly until: number } | undefined;
  /** Since somebody began to wait: so many members were asked. */
  asked: number;
  /** So many more than wait are to be asked. */
  more: number;
  /** Since then: all members were asked, or are when they may have a slot. */
  askedAll: boolean;
  /** Since then: slots that were given back, and that nobody wanted. */
  surplus: number;
  /** Its own first goes at a member if it is at most so much younger than the oldest elsewhere. */
  slack: number;
  /** When all members are told that nobody waits, if that is so then; undefined: they know. */
  calmAt: number | undefined;
}

/** Slots by service and pod. */
type Limits = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Pods by service. */
type UnknownPods = ReadonlyMap<string, ReadonlySet<string>>;

/** A quarter of the slots may be on their way to one member, and at least one. */
const PARTS = 4;

const NO_PODS: ReadonlySet<string> = new Set();
const NO_LIMITS: ReadonlyMap<string, number> = new Map();

export class Coordinator {
  readonly term: number;
  private readonly lease: boolean;
  private readonly members = new Map<MemberKey, Member>();
  private readonly connections = new Map<number, Member>();
  private readonly dead = new Set<MemberKey>();
  private readonly services = new Map<string, SharedService>();
  /** Registered members that may hold slots and have not said hello to this term; undefined: not read yet. */
  private missing: Set<MemberKey> | undefined;
  /** The services with their pods and limits have been read after the term was won. */
  private configured = false;
  /** The slots that may be made once the proof of this number is there. */
  private proof: { readonly number: number; readonly slots: Map<string, Map<string, number>> } | undefined;
  private proofs = 0;
  /** How many requests have been told of. */
  private told = 0;
  private effects: CoordinatorEffect[] = [];
  /** The time of the step that is being made. */
  private now = 0;
  private readonly askFirst: number;
  /** In milliseconds: who was asked, and has an idle slot, has mostly given it back by then; so others are asked. */
  private patience = LEAST_PATIENCE_MS;
  /** Services of which a few members were asked. */
  private readonly asking = new Set<SharedService>();
  /** Services of which members think that somebody waits, and nobody did. */
  private readonly calming = new Set<SharedService>();
  /** When the caller was asked to call `passed`; undefined: it was not. */
  private wakeAt: number | undefined;
  /** Counts, so that others are asked first each time. */
  private turn = 0;
  /** The pods whose endpoints the Envoy of a member has acknowledged, by service (rule 4). */
  private readonly endpoints = new Map<MemberKey, Map<string, ReadonlySet<string>>>();

  constructor({ term, lease, askFirst = ASK_FIRST }: CoordinatorOptions) {
    this.term = term;
    this.lease = lease;
    this.askFirst = askFirst;
  }

  /** What is to be done now, in this order. */
  take(): readonly CoordinatorEffect[] {
    const effects = this.effects;
    this.effects = [];
    return effects;
  }

  // ---- What is known from elsewhere ----

  /** The members that are registered, read after the term was won; `dead`: those that are proven dead (rules 2, 3, 8). */
  expect(registered: Iterable<MemberKey>, dead: Iterable<MemberKey>, now: number): void {
    this.now = now;
    for (const key of dead) this.bury(key);
    this.missing = new Set(registered);
    for (const key of [...this.members.keys(), ...this.dead]) this.missing.delete(key);
    this.settleAll();
  }

  /**
   * All services with the limits of their pods. A pod that is not named has limit 0 (rule 4). `unknown`: of these pods, by service,
   * it is not known yet what else uses them: no slot of theirs is made.
   */
  configure(services: Limits, now: number, unknown: UnknownPods = new Map()): void {
    this.now = now;
    this.setServices(services, unknown);
    this.settleAll();
  }

  /** How much younger than the oldest elsewhere its own first may be at a member and still go; undefined: as when nobody sets it. */
  setSlack(name: string, slack: number = USUAL_SLACK): void {
    this.service(name).slack = slack;
  }

  private setServices(services: Limits, unknown: UnknownPods): void {
    this.configured = true;
    for (const [name, limits] of services) {
      const service = this.service(name);
      if (service.limits === limits) continue;
      service.limits = limits;
      service.mostOnTheirWay = Math.max(1, Math.floor(sum(limits.values()) / PARTS));
    }
    for (const service of this.services.values()) {
      if (!services.has(service.name)) service.limits = NO_LIMITS;
      service.unknown = unknown.get(service.name) ?? NO_PODS;
    }
  }

  /** The Envoy of a member has these endpoints of a service: it may be given slots of these pods (rule 4). */
  acknowledged(key: MemberKey, name: string, pods: ReadonlySet<string>, now: number): void {
    this.now = now;
    const services = this.endpoints.get(key) ?? new Map<string, ReadonlySet<string>>();
    this.endpoints.set(key, services.set(name, pods));
    const member = this.members.get(key);
    const share = member?.shares.get(name);
    if (share !== undefined) share.usable = pods;
    this.settle(this.service(name));
  }

  /**
   * The death of members is proven: their process is reaped, their container has ended, their Pod object is gone (rule 8).
   * `services`, `unknown`: as in `configure`, as they are without them.
   */
  died(keys: readonly MemberKey[], now: number, services?: Limits, unknown: UnknownPods = new Map()): void {
    this.now = now;
    for (const key of keys) if (!this.dead.has(key)) this.bury(key);
    if (services !== undefined && this.configured) this.setServices(services, unknown);
    this.settleAll();
  }

  /** The Lease was written: when that was asked for, this term was the newest. The slots that were missing then are made. */
  proved(number: number, now: number): void {
    this.now = now;
    const proof = this.proof;
    if (proof?.number !== number) return;
    this.proof = undefined;
    for (const [name, pods] of proof.slots) {
      const service = this.services.get(name);
      if (service === undefined) continue;
      // Those that are missing since then need a proof of their own.
      for (const [pod, slots] of pods) this.make(service, pod, Math.min(slots, this.lacks(service, pod)));
    }
    this.settleAll();
  }

  /** It is as late as `wake` said, or later. */
  passed(now: number): void {
    this.now = now;
    this.wakeAt = undefined;
    for (const service of this.asking) {
      const { asking } = service;
      if (asking === undefined) this.asking.delete(service);
      else if (asking.until > now) this.wake(asking.until);
      else {
        if (service.more > this.askFirst) service.askedAll = true;
        service.more += ASK_NEXT;
        service.asking = undefined;
        this.asking.delete(service);
        this.settle(service);
      }
    }
    for (const service of this.calming) {
      const { calmAt = now } = service;
      if (calmAt > now) {
        // Those that follow are later.
        this.wake(calmAt);
        break;
      }
      this.calm(service);
    }
  }

  // ---- Streams ----

  /** A member has opened a stream. The term comes first (rule 2). */
  opened(connection: number): void {
    this.send(connection, { kind: 'welcome', term: this.term });
  }

  /** A stream is over. The slots of its member stay with it. */
  closed(connection: number, now: number): void {
    this.now = now;
    const member = this.connections.get(connection);
    this.connections.delete(connection);
    if (member === undefined) return;
    member.connection = undefined;
    this.forgetWaiting(member);
    this.settleAll();
  }

  /** A message of a member. Where it is not from its newest stream, nothing follows (rule 1). */
  hear(connection: number, message: MemberMessage, now: number): void {
    this.now = now;
    if (message.kind === 'hello') {
      this.hello(connection, message);
      return;
    }
    const member = this.connections.get(connection);
    if (member === undefined) return;
    const service = this.service(message.service);
    if (message.kind === 'released') this.released(service, member, message.pod);
    else if (message.kind === 'waits') this.join(service, member, message);
    else this.leave(service, this.share(service, member), message.request);
    this.settle(service, member);
  }

  /** So many of the grants of this stream have arrived at its member. */
  received(connection: number, grants: number, now: number): void {
    this.now = now;
    const member = this.connections.get(connection);
    if (member?.onTheirWay === undefined) return;
    const arrived = member.onTheirWay.splice(0, Math.max(0, grants - member.received));
    member.received += arrived.length;
    for (const share of arrived) share.onTheirWay--;
    for (const name of new Set(arrived.map(({ service }) => service))) this.settle(this.service(name));
  }

  // ---- What is seen ----

  /** Registered members that have not said hello yet; undefined: the register has not been read. */
  missingMembers(): readonly MemberKey[] | undefined {
    return this.missing === undefined ? undefined : [...this.missing].sort();
  }

  /** All slots of a service that a member holds. */
  slotsOf(key: MemberKey, service: string): number {
    return this.members.get(key)?.shares.get(service)?.slots ?? 0;
  }

  /** The slots of a service that nobody holds. */
  inHand(service: string): ReadonlyMap<string, number> {
    return this.services.get(service)?.inHand ?? NO_LIMITS;
  }

  /** When the oldest request arrived that waits for a slot of a pod; Infinity: nobody does. */
  oldestFor(name: string, pod: string): number {
    const service = this.services.get(name);
    const first = service && this.firstFor(service, pod);
    return first?.waiter.arrived ?? Number.POSITIVE_INFINITY;
  }

  /** All slots of each service that exist, by pod: in hand, and those of all members. */
  totals(): Map<string, Map<string, number>> {
    return new Map([...this.services].map(([name, { totals }]) => [name, new Map(totals)]));
  }

  // ---- Members ----

  private hello(connection: number, hello: MemberMessage & { kind: 'hello' }): void {
    if (this.dead.has(hello.member)) {
      this.send(connection, { kind: 'dead' });
      return;
    }
    const member = this.members.get(hello.member) ?? this.addMember(hello.member);
    if (hello.stream <= member.stream) return;
    if (member.connection !== undefined) this.connections.delete(member.connection);
    this.forgetWaiting(member);
    member.stream = hello.stream;
    member.connection = connection;
    member.onTheirWay = hello.tellsReceived === true ? [] : undefined;
    member.received = 0;
    member.alone = false;
    this.connections.set(connection, member);
    this.replaceShares(member, hello.services);
    for (const { service, waiting } of hello.services) {
      for (const [request, age, pod] of waiting) this.join(this.service(service), member, { request, age, pod });
    }
    this.missing?.delete(member.key);
    this.settleAll();
  }

  private addMember(key: MemberKey): Member {
    const member: Member = {
      ...{ key, stream: 0, onTheirWay: undefined, received: 0 },
      ...{ connection: undefined, alone: false, shares: new Map() },
    };
    this.members.set(key, member);
    return member;
  }

  /** What a hello says is the truth: what was on its way when the stream before broke is void (rule 1). */
  private replaceShares(member: Member, services: readonly HeldService[]): void {
    this.dropShares(member);
    member.shares.clear();
    for (const { service: name, held } of services) {
      const service = this.service(name);
      const share = this.share(service, member);
      share.held = new Map(held);
      for (const [pod, slots] of held) {
        share.slots += slots;
        add(service.totals, pod, slots);
        // Told again, also that nothing is to be given back: the member remembers what an older stream said (rule 5).
        share.recalled.set(pod, -1);
      }
      service.isRecalling = true;
    }
  }

  /** Nothing of what a member had counts any more. */
  private dropShares(member: Member): void {
    for (const [name, { held }] of member.shares) {
      const service = this.service(name);
      service.shares.delete(member);
      for (const [pod, slots] of held) add(service.totals, pod, -slots);
    }
  }

  private bury(key: MemberKey): void {
    this.dead.add(key);
    this.endpoints.delete(key);
    this.missing?.delete(key);
    const member = this.members.get(key);
    if (member === undefined) return;
    this.members.delete(key);
    this.forgetWaiting(member);
    this.dropShares(member);
    if (member.connection === undefined) return;
    this.send(member.connection, { kind: 'dead' });
    this.connections.delete(member.connection);
  }

  private forgetWaiting(member: Member): void {
    for (const [name, share] of member.shares) {
      this.service(name).waiting -= share.line.length;
      share.waiting.clear();
      share.line.length = 0;
    }
  }

  /** Every member that may hold slots has said so to this term, or is proven dead (rule 3b). */
  private complete(): boolean {
    return this.configured && this.missing?.size === 0;
  }

  // ---- The queue ----

  private join(
    service: SharedService,
    member: Member,
    { request, age, pod }: { readonly request: number; readonly age: number; readonly pod?: string | undefined },
  ): void {
    const share = this.share(service, member);
    if (share.waiting.has(request)) return;
    const waiter: Waiter = { arrived: this.now - age, order: this.told++, request, pod };
    share.waiting.set(request, waiter);
    share.idle = 0;
    let at = share.line.length;
    while (at > 0 && isBefore(waiter, share.line[at - 1])) at--;
    share.line.splice(at, 0, waiter);
    if (service.waiting++ === 0) this.learn(service);
  }

  private leave(service: SharedService, share: Share, request: number): void {
    const waiter = share.waiting.get(request);
    if (waiter === undefined) return;
    share.waiting.delete(request);
    share.line.splice(share.line.indexOf(waiter), 1);
    service.waiting--;
  }

  /** The oldest that may have a slot of a pod, of the members that `isOpen` lets through. */
  private firstFor(
    service: SharedService,
    pod: string,
    isOpen: (share: Share) => boolean = () => true,
  ): { readonly share: Share; readonly waiter: Waiter } | undefined {
    let first: { readonly share: Share; readonly waiter: Waiter } | undefined;
    for (const share of service.shares.values()) {
      if (share.line.length === 0 || !mayUse(share, pod) || !isOpen(share)) continue;
      const waiter = share.line.find((each) => (each.pod ?? pod) === pod);
      if (waiter !== undefined && isBefore(waiter, first?.waiter)) first = { share, waiter };
    }
    return first;
  }

  // ---- Slots ----

  private released(service: SharedService, member: Member, pod: string): void {
    const share = this.share(service, member);
    add(share.held, pod, -1);
    share.slots--;
    share.idle = Math.max(0, share.idle - 1);
    share.recalled.set(pod, Math.max(0, (share.recalled.get(pod) ?? 0) - 1));
    add(service.inHand, pod, 1);
    if (share.held.get(pod) === 0 && share.recalled.get(pod) === 0) forget(share, pod);
    if (member.connection === undefined) return;
    this.send(member.connection, { kind: 'acknowledged', service: service.name, slots: 1 });
  }

  private give(service: SharedService, share: Share, pod: string, request: number): void {
    const { connection } = share.member;
    // Only connected members wait or are given idle slots.
    if (connection === undefined) return;
    // An idle one would come back where somebody seems to wait elsewhere.
    if (request === 0) this.tellOldest(service, share, Number.POSITIVE_INFINITY);
    add(service.inHand, pod, -1);
    add(share.held, pod, 1);
    share.slots++;
    if (request === 0) share.idle++;
    share.recalled.set(pod, 0);
    if (share.member.onTheirWay !== undefined) {
      share.member.onTheirWay.push(share);
      share.onTheirWay++;
    }
    this.send(connection, { kind: 'grant', service: service.name, pod, request });
  }

  private lacks(service: SharedService, pod: string): number {
    return Math.max(0, (service.limits.get(pod) ?? 0) - (service.totals.get(pod) ?? 0));
  }

  private make(service: SharedService, pod: string, slots: number): void {
    if (slots <= 0) return;
    add(service.inHand, pod, slots);
    add(service.totals, pod, slots);
  }

  private settleAll(): void {
    for (const service of this.services.values()) {
      service.isOdd = true;
      this.settle(service);
    }
    this.tellAlone();
  }

  /**
   * Brings one service in order: makes what is missing, gives what is in hand, calls back what is too much. `speaker`: who has just said
   * something, and hears of it anyway.
   */
  private settle(service: SharedService, speaker?: Member): void {
    if (!this.configured) return;
    const excess = service.isOdd ? this.balance(service) : NO_LIMITS;
    if (!this.lease && !this.complete()) return;
    this.giveToWaiting(service);
    this.spread(service, speaker);
    this.tellElsewhere(service, speaker);
    const toMove = this.toMove(service);
    if (excess.size > 0 || toMove !== undefined || service.isRecalling) this.recall(service, excess, toMove);
    for (const [pod, slots] of service.inHand) if (slots === 0) service.inHand.delete(pod);
  }

  /** Burns or asks for slots, by the one formula (rules 3 and 5). Returns by pod how many are too many with the members. */
  private balance(service: SharedService): ReadonlyMap<string, number> {
    const excess = new Map<string, number>();
    service.isOdd = false;
    for (const pod of new Set([...service.limits.keys(), ...service.totals.keys()])) {
      const surplus = (service.totals.get(pod) ?? 0) - (service.limits.get(pod) ?? 0);
      if (surplus < 0) {
        service.isOdd = true;
        if (this.complete() && !service.unknown.has(pod)) this.ask(service, pod, -surplus);
        continue;
      }
      const burnt = Math.min(service.inHand.get(pod) ?? 0, surplus);
      if (burnt > 0) {
        add(service.inHand, pod, -burnt);
        add(service.totals, pod, -burnt);
      }
      if (surplus > burnt) {
        service.isOdd = true;
        excess.set(pod, surplus - burnt);
      }
      if (service.totals.get(pod) === 0) service.totals.delete(pod);
    }
    return excess;
  }

  /** Wants slots to be made. With a Lease that waits for the proof that no newer coordinator has moved them (rule 3c). */
  private ask(service: SharedService, pod: string, slots: number): void {
    if (!this.lease) {
      this.make(service, pod, slots);
      return;
    }
    // One proof at a time: what it does not cover is asked for when it is there.
    if (this.proof !== undefined && !this.proofIsNew()) return;
    if (this.proof === undefined) {
      this.proof = { number: ++this.proofs, slots: new Map() };
      this.effects.push({ kind: 'prove', number: this.proof.number });
    }
    const pods = this.proof.slots.get(service.name) ?? new Map<string, number>();
    this.proof.slots.set(service.name, pods.set(pod, slots));
  }

  /** The proof has not been handed to the caller yet, so it may cover more. */
  private proofIsNew(): boolean {
    return this.effects.some((effect) => effect.kind === 'prove');
  }

  private giveToWaiting(service: SharedService): void {
    if (service.waiting === 0) return;
    for (const [pod] of service.inHand) {
      while ((service.inHand.get(pod) ?? 0) > 0) {
        const first = this.firstFor(service, pod, (share) => mayBeGiven(service, share));
        if (first === undefined) break;
        this.leave(service, first.share, first.waiter.request);
        this.give(service, first.share, pod, first.waiter.request);
      }
    }
  }

  /**
   * Tells members since when the oldest request waits at another one: those that have a slot, as the others have nothing to decide. One
   * that nobody waits at need not know exactly when, unless it is earlier: what comes there next is younger than all of them. Who is
   * told of somebody gives its idle slots back; so where many members have some, a few are told first.
   */
  private tellElsewhere(service: SharedService, speaker: Member | undefined): void {
    const heads = headsOf(service);
    const others: Share[] = [];
    for (const share of service.shares.values()) {
      if (share.slots === 0 || share.member.connection === undefined) continue;
      const oldest = oldestFor(share, heads);
      const isAsked = share.told !== Number.POSITIVE_INFINITY;
      if (share.line.length === 0 && oldest !== Number.POSITIVE_INFINITY && !isAsked && !service.askedAll) {
        others.push(share);
        continue;
      }
      if (share.member !== speaker && this.isEnough(service, share, oldest)) continue;
      this.tellOldest(service, share, oldest);
    }
    if (service.waiting === 0) {
      service.asking = undefined;
      service.asked = 0;
      service.more = this.askFirst;
    } else if (others.length > 0) this.askFew(service, others, heads);
  }

  /**
   * Whether it does the same with what it was told last. As long as that is not too late, what becomes free there comes here at worst, and
   * goes back.
   */
  private isEnough(service: SharedService, share: Share, oldest: number): boolean {
    if (share.told > oldest) return false;
    const [first] = share.line;
    if (first !== undefined) return first.arrived > oldest + service.slack;
    if (oldest === Number.POSITIVE_INFINITY && share.told < oldest) this.calmLater(service);
    return true;
  }

  private calmLater(service: SharedService): void {
    if (service.calmAt !== undefined) return;
    service.calmAt = this.now + CALM_AFTER_MS;
    this.calming.add(service);
    this.wake(service.calmAt);
  }

  /** If nobody waits any more, members may keep what becomes free. */
  private calm(service: SharedService): void {
    this.calming.delete(service);
    service.calmAt = undefined;
    if (service.waiting > 0) return;
    for (const share of service.shares.values())
      if (share.slots > 0) this.tellOldest(service, share, Number.POSITIVE_INFINITY);
  }

  /** Asks some of these members for idle slots, those first that probably have one; all of them if that does not leave many. */
  private askFew(service: SharedService, others: readonly Share[], heads: Heads): void {
    const most = Math.max(0, service.waiting + service.more - service.asked);
    const waiter = heads.share?.line[0];
    const first = this.turn++ % others.length;
    const inTurn = turned(others, first).toSorted((a, b) => b.idle - a.idle);
    const few = waiter === undefined || most >= others.length ? others : inTurn.slice(0, most);
    service.asked += few.length;
    for (const share of few) this.tellOldest(service, share, oldestFor(share, heads));
    if (few === others || waiter === undefined || waiter === service.asking?.waiter) return;
    service.asking = { waiter, until: this.now + this.patience };
    this.asking.add(service);
    this.wake(service.asking.until);
  }

  /** Somebody waits, and nobody did: whether many slots are idle is told by how many came back when all were asked last. */
  private learn(service: SharedService): void {
    if (service.askedAll) {
      const wasTooSoon = service.surplus > this.askFirst;
      const patience = wasTooSoon ? this.patience * 2 : this.patience / 2;
      if (service.asksFew) this.patience = Math.min(MOST_PATIENCE_MS, Math.max(LEAST_PATIENCE_MS, patience));
      service.asksFew = wasTooSoon;
    }
    service.askedAll = !service.asksFew && !hasIdle(service);
    service.surplus = 0;
  }

  private wake(at: number): void {
    if (this.wakeAt !== undefined && this.wakeAt <= at) return;
    this.wakeAt = at;
    this.effects.push({ kind: 'wake', at });
  }

  private tellOldest(service: SharedService, share: Share, oldest: number): void {
    const { connection } = share.member;
    if (connection === undefined || oldest === share.told) return;
    share.told = oldest;
    const age = oldest === Number.POSITIVE_INFINITY ? undefined : this.now - oldest;
    this.send(connection, { kind: 'oldest elsewhere', service: service.name, age });
  }

  /** Idle slots go where the fewest are; not while somebody waits, whose slot would come back at once (rule 6). */
  private spread(service: SharedService, speaker: Member | undefined): void {
    if (service.waiting > 0) return;
    for (const [pod] of service.inHand) {
      while ((service.inHand.get(pod) ?? 0) > 0) {
        const poorest = this.poorest(service, pod, speaker);
        if (poorest === undefined) break;
        this.give(service, poorest, pod, 0);
        service.surplus++;
      }
    }
  }

  /** The connected member with the fewest slots, of those that may have one of this pod; of several the one that spoke. */
  private poorest(service: SharedService, pod: string, speaker: Member | undefined): Share | undefined {
    let poorest: Share | undefined;
    for (const member of this.connections.values()) {
      const share = this.share(service, member);
      if (!mayUse(share, pod) || !mayBeGiven(service, share)) continue;
      const isPoorer = poorest === undefined || share.slots < poorest.slots;
      if (isPoorer || (member === speaker && share.slots === poorest?.slots)) poorest = share;
    }
    return poorest;
  }

  /**
   * One slot that goes to a member which has none, from the one that has the most: so that none is left without one when the coordinator
   * is away. Only while nobody waits, as else slots go to those that do.
   */
  private toMove(service: SharedService): { readonly from: Share; readonly pod: string } | undefined {
    if (service.waiting > 0 || this.connections.size < 2) return undefined;
    let from: Share | undefined;
    for (const share of service.shares.values()) {
      if (share.member.connection !== undefined && share.slots >= 2 && share.slots > (from?.slots ?? 0)) from = share;
    }
    if (from === undefined) return undefined;
    const poor = this.withoutSlots(service);
    if (poor === undefined) return undefined;
    for (const [pod, held] of from.held) {
      if (held > 0 && (service.limits.get(pod) ?? 0) > 0 && mayUse(poor, pod)) return { from, pod };
    }
    return undefined;
  }

  /** A connected member that has none of the slots, and may have some. */
  private withoutSlots(service: SharedService): Share | undefined {
    for (const member of this.connections.values()) {
      const share = this.share(service, member);
      if (share.slots > 0) continue;
      for (const [pod, limit] of service.limits) if (limit > 0 && mayUse(share, pod)) return share;
    }
    return undefined;
  }

  /** Calls slots back from every connected member: whoever has an idle one gives it first. What comes too much is given again. */
  private recall(
    service: SharedService,
    excess: ReadonlyMap<string, number>,
    toMove: { readonly from: Share; readonly pod: string } | undefined,
  ): void {
    service.isRecalling = false;
    for (const share of service.shares.values()) {
      const { connection } = share.member;
      if (connection === undefined) continue;
      for (const [pod, held] of share.held) {
        const moves = toMove?.from === share && toMove.pod === pod ? 1 : 0;
        const slots = Math.min(held, (excess.get(pod) ?? 0) + moves);
        const before = share.recalled.get(pod) ?? 0;
        // Not taken back while somebody waits: the slot that comes is for who does.
        if (slots < before && service.waiting > 0) service.isRecalling = true;
        else if (slots !== before) {
          share.recalled.set(pod, slots);
          this.send(connection, { kind: 'recall', service: service.name, pod, slots });
        }
        if (slots > 0) service.isRecalling = true;
        if (held === 0) forget(share, pod);
      }
    }
  }

  /** One member, and nobody is missing: it need not tell who waits (rule 10). */
  private tellAlone(): void {
    const alone = this.complete() && this.members.size === 1 && this.connections.size === 1;
    for (const [connection, member] of this.connections) {
      if (member.alone === alone) continue;
      member.alone = alone;
      this.send(connection, { kind: 'alone', alone });
    }
  }

  private send(connection: number, message: CoordinatorMessage): void {
    this.effects.push({ kind: 'send', connection, message });
  }

  private service(name: string): SharedService {
    const known = this.services.get(name);
    if (known !== undefined) return known;
    const service: SharedService = {
      ...{ name, limits: NO_LIMITS, mostOnTheirWay: 1, unknown: NO_PODS },
      ...{ inHand: new Map(), totals: new Map(), shares: new Map() },
      ...{ waiting: 0, isOdd: true, isRecalling: false },
      ...{ asksFew: true, askedAll: false, asking: undefined, surplus: 0, asked: 0, more: this.askFirst },
      ...{ slack: USUAL_SLACK, calmAt: undefined },
    };
    this.services.set(name, service);
    return service;
  }

  private share(service: SharedService, member: Member): Share {
    const known = service.shares.get(member);
    if (known !== undefined) return known;
    const share: Share = {
      ...{ member, service: service.name, held: new Map(), slots: 0, onTheirWay: 0, recalled: new Map() },
      usable: this.endpoints.get(member.key)?.get(service.name) ?? NO_PODS,
      ...{ waiting: new Map(), line: [], told: Number.POSITIVE_INFINITY, idle: 0 },
    };
    member.shares.set(service.name, share);
    service.shares.set(member, share);
    return share;
  }
}

function mayUse(share: Share, pod: string): boolean {
  return share.usable.has(pod);
}

function mayBeGiven(service: SharedService, share: Share): boolean {
  return share.onTheirWay < service.mostOnTheirWay;
}

function isBefore(waiter: Waiter, other: Waiter | undefined): boolean {
  if (other === undefined) return true;
  return waiter.arrived < other.arrived || (waiter.arrived === other.arrived && waiter.order < other.order);
}

/** The share whose first is the oldest of all, and when the oldest of the others arrived. */
interface Heads {
  readonly share: Share | undefined;
  readonly first: number;
  readonly second: number;
}

function headsOf(service: SharedService): Heads {
  let share: Share | undefined;
  let [first, second] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (service.waiting > 0) {
    for (const each of service.shares.values()) {
      const arrived = each.line[0]?.arrived ?? Number.POSITIVE_INFINITY;
      if (arrived < first || share === undefined) [share, second, first] = [each, first, arrived];
      else if (arrived < second) second = arrived;
    }
  }
  return { share, first, second };
}

/** When the oldest arrived that waits elsewhere; Infinity: nobody does. */
function oldestFor(share: Share, heads: Heads): number {
  return heads.share === share ? heads.second : heads.first;
}

/** The same ones, from this place on and round. */
function turned<T>(all: readonly T[], from: number): readonly T[] {
  return [...all.slice(from), ...all.slice(0, from)];
}

/** Whether some member has a slot that was idle when it was given. */
function hasIdle(service: SharedService): boolean {
  for (const share of service.shares.values()) if (share.idle > 0) return true;
  return false;
}

/** Nothing of a pod is held or called back any more. */
function forget(share: Share, pod: string): void {
  share.held.delete(pod);
  share.recalled.delete(pod);
}

/** Counts so many more under a key. */
export function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

/** All of them together. */
export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
