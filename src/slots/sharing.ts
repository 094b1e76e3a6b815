import type { Clock } from '../base/clock.ts';
import { formatDuration, type Millis } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import { reasonOf } from '../base/reason.ts';
import { sameMap, sameSet } from '../base/same.ts';
import { Timers } from '../base/timers.ts';
import { formatAddress } from '../model/locator.ts';
import type { ServiceWithPods } from '../model/model.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import type { Coordination, Durable, Register, Unreadable } from './coordination.ts';
import { add, Coordinator, type CoordinatorMessage, type HeldService, type MemberMessage, sum } from './coordinator.ts';
import type { MemberId, SlotsEvent } from './events.ts';
import type { SharesAsTold } from './link.ts';
import type { ToldOrder } from './link-messages.ts';
import type { Member } from './member.ts';
import { localPeer, type Peer, type PeerEvent, type PeerHello, type Streams } from './peer.ts';
import { keyOf, type RegisteredMember } from './register.ts';
import type { Relays, RelaysState } from './relays.ts';

/** A service with a limit, as slots are counted. */
export interface SharedService {
  readonly name: ServiceName;
  /** Slots by pod, as `formatAddress` writes it. */
  readonly limits: ReadonlyMap<string, number>;
  /** Its `queue.slack`; undefined: as it is when nobody sets it. */
  readonly slack?: Millis | undefined;
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
    return [{ name, limits: new Map(limits), slack: discipline.queue.slack }];
  });
}

/** What `Sharing` works with. */
export interface SharingOptions extends Streams {
  readonly clock: Clock;
  readonly log: Logger;
  readonly register: Register;
  /** What this Sluice is at first. */
  readonly coordination: Coordination;
  /** The relayed streams to a coordinator at this address. */
  readonly relays: (address: string) => Relays;
  /** The slots of a member that has been away for so long are given to others, whatever still runs there; undefined: never. */
  readonly reclaimMs: Millis | undefined;
  /** Slots of a pod that are taken by jobs which no filter knows; undefined: that is not known yet. */
  readonly takenByJobs: (name: ServiceName, address: string) => number | undefined;
  /** Told of members that have ended for good, before their slots are given to others: jobs that they began may go on. */
  readonly ended: (members: readonly MemberId[]) => void;
  /** The members of an Envoy that have introduced themselves. */
  readonly members: (node: string) => readonly Member[];
  /** Told when other problems are to be told. */
  readonly changed: () => void;
}

/** A member as it is seen from outside. */
export interface SharingMember {
  readonly node: string;
  readonly epoch: string;
  /** Undefined: its stream is open. In milliseconds since the epoch. */
  readonly awaySince: number | undefined;
  /** It has said to the coordinator what it holds. */
  readonly isKnown: boolean;
  /** The Sluice that relays its stream, or did so last; undefined: it is connected here. */
  readonly via?: string | undefined;
}

/** How slots are shared now. */
export interface SharingState {
  /** Undefined: one Envoy has all of them, or this Sluice does not coordinate. */
  readonly term: number | undefined;
  /** Another Sluice coordinates, or is to; undefined: this one, or there is nothing to share. */
  readonly follows: RelaysState | 'nobody known' | undefined;
  /** Of a Sluice that does not coordinate: the filters that are connected to it. */
  readonly members: readonly SharingMember[];
  /** Of a Sluice that follows: who holds the slots of a service, as the coordinator has told last; undefined: it has not. */
  readonly told: (service: ServiceName) => SharesAsTold | undefined;
  /** Slots of a service by node. */
  readonly held: (service: ServiceName) => ReadonlyMap<string, number>;
  /** Whether the filters here have, or had, a part: each has told a coordinator what it holds, or shared before this start. */
  readonly takesPart: boolean;
  /** Slots of a service that nobody can use: those of members that are away, or that cannot be counted yet. */
  readonly missing: (service: ServiceName) => number;
  /** The slots of a member that has been away for so long are given to others; undefined: never. */
  readonly reclaimMs: Millis | undefined;
}

/** Without a register from before, those that had slots are waited for after a start: they come back within some 2 s. */
const RETURN_MS = 3000;

/** How often is looked whether somebody has been away for too long, and asked whether a VM has ended. */
const LOOK_MS = 1000;

/** A member that is away for a moment is no problem: it mostly comes back at once. */
export const TELL_MS = 3000;

/** How long after it was in vain a member is registered, and a term proved, once more. */
const AGAIN_MS = 1000;

/** Limits follow from who waits, and that from limits: what is not settled by then is with what happens next. */
const MOST_ROUNDS = 3;

/** What services have that are not here. */
interface Claims {
  /** Their limits by pod. */
  readonly found: ReadonlyMap<ServiceName, ReadonlyMap<string, number>>;
  /** Pods of which they are to get one slot more. */
  readonly claims: ReadonlyMap<ServiceName, readonly string[]>;
}

const NO_CLAIMS: Claims = { found: new Map(), claims: new Map() };

interface Connected {
  readonly connection: number;
  readonly peer: Peer;
  /** What it has said so far of what it holds. */
  holding: HeldService[];
  /** It has said all of that. */
  isComplete: boolean;
}

const NOBODY_KNOWN: Problem = {
  severity: 'error',
  subject: 'slots',
  message:
    'it is not known which Sluice coordinates: Envoys go on with the slots that they have, none of them moves, and an Envoy that starts has none',
  fix: 'this Sluice has to reach the API server, and needs the rights of k8s/base/peers-role.yaml: its log says what is missing',
};

/** One Envoy has all slots. */
export const NOT_SHARED: SharingState = {
  term: undefined,
  follows: undefined,
  members: [],
  takesPart: true,
  told: () => undefined,
  held: () => new Map(),
  missing: () => 0,
  reclaimMs: undefined,
};

const NONE: ReadonlySet<string> = new Set();
const NO_LIMITS: ReadonlyMap<string, number> = new Map();

/**
 * Several Envoys, one limit: decides whether slots are shared, and runs the coordinator over the filters that are connected here, and
 * those whose streams other Sluices relay. As long as one Envoy is there, and no other Sluice, nothing is said, and its slots are its
 * own. Where another Sluice coordinates, the streams of the filters are relayed there.
 */
export class Sharing {
  readonly #options: SharingOptions;
  readonly #timers: Timers;
  /** Calls off the one timer of the coordinator: each that is left over would ask for another. */
  #cancelWake = (): void => {};
  readonly #startedAt: number;
  /** The filters with an open stream, each with its newest, by key. */
  readonly #peers = new Map<string, Peer>();
  /** Those of them to whom the coordinator here has spoken, and those that were told to share without one, on these streams. */
  readonly #told = new WeakSet<Peer>();
  readonly #shares = new WeakSet<Peer>();
  /** Which Sluice relayed the stream of a member last. */
  readonly #vias = new Map<string, string>();
  /** Filters that were connected here, and whether they have told a coordinator what they hold. They go on while it is away. */
  readonly #parts = new Map<string, boolean>();
  /** Members that are about to be dead for good. */
  readonly #dying = new Set<string>();
  #coordination: Coordination;
  /** Since when, in monotonic milliseconds. */
  #coordinatedAt: number;
  /** The streams to the coordinator, where another Sluice is that. */
  #relays: Relays | undefined;
  /** Those of them that the coordinator here knows. */
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
  /** Services that Envoys of other Sluices have, and that are not here: since when, and which Sluices have them. */
  readonly #lacking = new Map<ServiceName, { readonly since: number; readonly vias: ReadonlySet<string> }>();
  /** Of these services the pods that are known here from others. */
  #foreign: ReadonlyMap<ServiceName, ReadonlyMap<string, SharedService>> = new Map();
  readonly #saidLacking = new WeakMap<Peer, string>();
  #isLooking = false;

  constructor(options: SharingOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#startedAt = options.clock.monotonic();
    this.#coordination = options.coordination;
    this.#coordinatedAt = this.#startedAt;
    this.#noteRegistered();
    this.#begin();
  }

  /** From now on this Sluice is something else for the slots that several share, or the same with another term or address. */
  coordinate(next: Coordination): void {
    this.#relays?.stop();
    this.#relays = undefined;
    this.#coordinator = undefined;
    this.#limits = new Map();
    this.#isContested = false;
    this.#leaving.clear();
    this.#usable.clear();
    this.#connected.clear();
    this.#byConnection.clear();
    this.#coordination = next;
    this.#coordinatedAt = this.#options.clock.monotonic();
    this.#timers.after(TELL_MS, () => this.#options.changed());
    this.#options.log.info(wordsFor(next), 'who coordinates the slots that Envoys share');
    // Their own Sluice finds out who coordinates now; a stream with a term comes back without.
    for (const peer of [...this.#peers.values()])
      if (peer.via !== undefined || this.#told.has(peer)) peer.end('another Sluice coordinates the slots');
    this.#begin();
    for (const peer of this.#peers.values()) this.#welcome(peer);
    this.#options.changed();
  }

  #begin(): void {
    const { kind } = this.#coordination;
    if (kind === 'follows') this.#relays = this.#options.relays(this.#coordination.address);
    if (kind !== 'coordinates') return;
    this.#coordinator = new Coordinator({ term: this.#coordination.term, lease: true });
    this.#configure();
    this.#read();
  }

  /** Who is registered, and not here, may hold slots. */
  #noteRegistered(): void {
    const { register, clock } = this.#options;
    for (const key of this.#away.keys()) if (!register.has(key)) this.#away.delete(key);
    for (const key of register.members.map(keyOf)) {
      if (this.#peers.has(key) || this.#away.has(key)) continue;
      this.#away.set(key, clock.monotonic());
      this.#unseen.add(key);
    }
    this.#look();
  }

  /** Why a filter is not welcome; undefined: it is. */
  refusal({ node, process, epoch }: PeerHello): string | undefined {
    const { register } = this.#options;
    const other = [...this.#peers.values()].find(
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
    const isAlone = this.#coordination.kind === 'alone' && !this.#isSharing;
    return isAlone && register.isDead(keyOf({ node, epoch })) ? 'this filter has ended' : undefined;
  }

  /** Why no other Sluice may follow this one; undefined: it may. */
  refusalOfLink(): string | undefined {
    const { kind } = this.#coordination;
    if (kind === 'follows') return `this Sluice does not coordinate, it follows ${this.#coordination.address}`;
    return kind === 'unknown' ? 'this Sluice does not coordinate' : undefined;
  }

  /** Why the stream of a filter may not be relayed to here; undefined: it may. */
  refusalOfRelayed(hello: PeerHello): string | undefined {
    const refused = this.refusalOfLink();
    if (refused !== undefined) return refused;
    const newer = this.#peers.get(keyOf(hello));
    if (newer !== undefined && newer.hello.stream > hello.stream) return 'the filter has a newer stream';
    return this.refusal(hello);
  }

  /** Whether an Envoy has a queue filter: one that is connected now, or `registered` one that may come back. */
  hasFilter(node: string, registered: boolean): boolean {
    if (registered && this.#options.register.members.some((each) => each.node === node)) return true;
    return [...this.#peers.values()].some(({ hello, via }) => via === undefined && hello.node === node);
  }

  /** Whether filters of other Envoys may use slots. */
  hasOthers(node: string): boolean {
    // There is another Sluice, with Envoys of its own.
    if (this.isElsewhere) return true;
    return this.#options.register.members.some((each) => each.node !== node);
  }

  /** Takes what happens at the filters that are connected here. */
  record(event: SlotsEvent): void {
    if (event.kind === 'hello') {
      const member = this.#options.members(event.node).find(({ id }) => id.epoch === event.epoch);
      if (member !== undefined) this.enter(localPeer(member, this.#options));
      return;
    }
    const peer = this.#peers.get(keyOf(event));
    // It has moved to another Sluice: that one tells of it.
    if (peer === undefined || peer.via !== undefined) return;
    if (event.kind === 'gone') this.left(peer);
    const told = peerEvent(event);
    if (told !== undefined) this.tell(peer, told);
  }

  /** A filter has come, with its newest stream. */
  enter(peer: Peer): void {
    const { hello } = peer;
    const key = keyOf(hello);
    const before = this.#peers.get(key);
    this.#drop(key);
    if (this.#coordination.kind === 'unknown' && this.#hasAll(peer)) this.#beginAnew();
    this.#peers.set(key, peer);
    if (before !== undefined && before !== peer) before.end('the filter has opened another stream');
    this.#buryBefore(hello);
    this.#away.delete(key);
    this.#unseen.delete(key);
    this.#usable.delete(key);
    // What it shares before it was here it was told by an earlier start.
    if (peer.via === undefined && !this.#parts.has(key)) this.#parts.set(key, hello.shares);
    if (peer.via === undefined) this.#vias.delete(key);
    else this.#vias.set(key, peer.via);
    this.#welcome(peer);
    this.#look();
    this.#options.changed();
  }

  /** Whether a filter that comes had all slots of its pods from an earlier start: nobody else has any then. */
  #hasAll(peer: Peer): boolean {
    if (peer.via !== undefined || peer.hello.shares || this.#shares.has(peer)) return false;
    return [...peer.services].some((name) => peer.usable(name).size > 0);
  }

  #beginAnew(): void {
    const { unreadable } = this.#coordination.kind === 'unknown' ? this.#coordination : {};
    if (unreadable === undefined) return;
    this.#options.log.warn(
      { file: unreadable.what, reason: unreadable.reason },
      'who may hold slots could not be read, but an Envoy has come that has them all: it begins anew',
    );
    this.coordinate(unreadable.begin());
  }

  /** The stream of a filter is over. False: another one has taken its place. */
  left(peer: Peer): boolean {
    const key = keyOf(peer.hello);
    if (this.#peers.get(key) !== peer) return false;
    this.#peers.delete(key);
    this.#relays?.close(peer);
    this.#drop(key);
    this.#away.set(key, this.#options.clock.monotonic());
    this.#timers.after(TELL_MS, () => this.#options.changed());
    this.#look();
    this.#noteLacking();
    this.#options.changed();
    return true;
  }

  /** Whether the newest stream of a filter is one that is connected here. */
  isHere(member: MemberId): boolean {
    const peer = this.#peers.get(keyOf(member));
    return peer !== undefined && peer.via === undefined;
  }

  /** A filter tells something. */
  tell(peer: Peer, event: PeerEvent): void {
    const key = keyOf(peer.hello);
    if (this.#peers.get(key) !== peer) return;
    if (event.kind === 'ended') this.#buryEnded(peer, event.ended);
    if (this.#relays !== undefined) {
      this.#relays.tell(peer, event);
      if (this.#relays.isKnown(peer)) this.#parts.set(key, true);
    } else if (event.kind === 'holding') this.#holding(key, event);
    else if (event.kind === 'changes') this.#changes(key, event);
    else if (event.kind === 'received') this.#received(key, event.grants);
    else if (event.kind === 'usable') {
      this.#acknowledge(key, event.services);
      this.#noteLacking();
    }
  }

  /** Members have ended for good: it is proven, as `why` says. */
  died(keys: readonly string[], why: string): void {
    const dead = new Set(keys);
    this.#bury(
      this.#options.register.members.filter((each) => dead.has(keyOf(each))),
      why,
    );
  }

  /** From now on these are the services with a limit, and their slots. */
  follow(services: readonly SharedService[]): void {
    const before = this.#services;
    this.#services = services;
    const names = new Set(services.map(({ name }) => name));
    for (const { name, limits } of before ?? []) if (!names.has(name)) this.#leaving.set(name, limits);
    for (const name of names) this.#leaving.delete(name);
    this.#configure();
    this.#noteLacking();
  }

  /** Jobs that no filter knows take other slots than before. */
  recordJobs(): void {
    this.#configure();
  }

  /** What an operator has ordered here is told to the coordinator. Where it holds then, as a sentence; undefined: there is no other. */
  order(orders: readonly ToldOrder[]): string | undefined {
    if (this.#coordination.kind === 'unknown')
      return 'It holds for the Envoys of this Sluice alone until it is known who coordinates.';
    if (this.#relays === undefined) return undefined;
    if (this.#relays.order(orders)) return 'It holds for the Envoys of all Sluices that share.';
    return `The coordinator ${this.#relays.state().address} is away: it holds for the Envoys of this Sluice alone until that is back.`;
  }

  /** Somebody knows that an Envoy which is away has ended for good. */
  forget(node: string): 'forgotten' | 'connected' | 'unknown' | 'not here' {
    if (this.isElsewhere) return 'not here';
    if ([...this.#peers.values()].some(({ hello }) => hello.node === node)) return 'connected';
    const found = this.#options.register.members.filter((each) => each.node === node);
    if (found.length === 0) return 'unknown';
    this.#bury(found, 'an operator has said that it has ended');
    return 'forgotten';
  }

  /** How slots are shared now. */
  state(): SharingState {
    const coordinator = this.#coordinator;
    const { clock } = this.#options;
    const { kind } = this.#coordination;
    const missing = new Set(coordinator?.missingMembers() ?? []);
    const { isElsewhere } = this;
    const members = this.#options.register.members.flatMap((each): readonly SharingMember[] => {
      const key = keyOf(each);
      const peer = this.#peers.get(key);
      const since = this.#away.get(key);
      if (isElsewhere && peer === undefined) return [];
      return [
        {
          node: each.node,
          epoch: each.epoch,
          awaySince: since === undefined ? undefined : clock.now() - (clock.monotonic() - since),
          isKnown:
            peer !== undefined && this.#relays !== undefined
              ? this.#relays.isKnown(peer)
              : coordinator !== undefined && !missing.has(key),
          via: this.#vias.get(key),
        },
      ];
    });
    return {
      term: coordinator?.term,
      follows: this.#relays?.state() ?? (kind === 'unknown' ? 'nobody known' : undefined),
      members,
      takesPart: this.#takesPart(),
      told: (service) => this.#relays?.shares(service),
      held: (service) => {
        const held = new Map<string, number>();
        for (const each of members) add(held, each.node, this.#heldBy(keyOf(each), service));
        return held;
      },
      missing: (service) => this.#missingSlots(service),
      reclaimMs: this.#options.reclaimMs,
    };
  }

  #takesPart(): boolean {
    if (this.#coordination.kind === 'alone') return true;
    const here = [...this.#peers].flatMap(([key, { via }]) =>
      via === undefined ? [this.#parts.get(key) === true] : [],
    );
    // With the stream to a coordinator that of the filter ends: it is back at once.
    return here.length > 0 ? !here.includes(false) : [...this.#parts.values()].includes(true);
  }

  /** What somebody has to mend. */
  problems(): readonly Problem[] {
    if (this.#relays !== undefined) return this.#relays.problems();
    const now = this.#options.clock.monotonic();
    if (this.#coordination.kind === 'unknown') {
      const { followed, unreadable } = this.#coordination;
      if (followed !== undefined) return [followedProblem(followed)];
      if (unreadable !== undefined) return [unreadableProblem(unreadable)];
      return now - this.#coordinatedAt < TELL_MS ? [] : [NOBODY_KNOWN];
    }
    if (this.#coordinator === undefined) return [];
    const away = new Map<string, number>();
    for (const each of this.#options.register.members) {
      const since = this.#away.get(keyOf(each));
      if (since !== undefined && now - since >= TELL_MS)
        away.set(each.node, Math.min(since, away.get(each.node) ?? since));
    }
    const lacking = [...this.#lacking].filter(([, { since }]) => now - since >= TELL_MS);
    return [
      ...[...away].map(([node]) => this.#awayProblem(node)),
      ...lacking.map(([service, { vias }]) => lackingProblem(service, vias)),
    ];
  }

  /** Ends all waiting. */
  stop(): void {
    this.#relays?.stop();
    this.#timers.stop();
  }

  /** Whether another Sluice coordinates the slots, or is to. */
  get isElsewhere(): boolean {
    return this.#coordination.kind === 'follows' || this.#coordination.kind === 'unknown';
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
    const via = this.#viaOf(node);
    const until =
      reclaimMs === undefined
        ? 'until it is back'
        : `until it is back, or has been away for ${formatDuration(reclaimMs)} (--slots-reclaim)`;
    return {
      severity: 'error',
      subject: `Envoy ${node}`,
      message: `has lost its connection${via === undefined ? '' : ` (it came by ${via})`}, and may still use its pods: ${what}, ${until}`,
      fix: `${via === undefined ? '' : `look first whether the Sluice on ${via}, by which it came, is running and reaches this one; if it does: `}start it again under the same node id, which tells that the one before has ended; or, if it is gone for good: sluice forget ${node}`,
    };
  }

  /** Which Sluice it was connected to, where that was another one. */
  #viaOf(node: string): string | undefined {
    return this.#options.register.members.flatMap((each) =>
      each.node === node ? (this.#vias.get(keyOf(each)) ?? []) : [],
    )[0];
  }

  #heldAway(node: string, service: ServiceName): number {
    return this.#options.register.members
      .filter((each) => each.node === node && this.#away.has(keyOf(each)))
      .reduce((total, each) => total + this.#heldBy(keyOf(each), service), 0);
  }

  #heldBy(key: string, service: ServiceName): number {
    return this.#coordinator?.slotsOf(key, service) ?? 0;
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

  /** A filter is told what it has to know of slots before anything else, and is counted. */
  #welcome(peer: Peer): void {
    const { kind } = this.#coordination;
    const { node, epoch, process, shares } = peer.hello;
    // Before it knows any pod: none of their slots is its own.
    if (kind !== 'alone' && peer.via === undefined && !shares && !this.#shares.has(peer)) {
      this.#shares.add(peer);
      peer.say([{ kind: 'welcome', term: 0 }]);
    }
    if (kind === 'unknown') return;
    const admit = () => (this.#relays === undefined ? this.#connect(peer) : this.#relays.open(peer));
    const { register, log } = this.#options;
    // One that was given up is told so once it says what it holds.
    if (register.isDead(keyOf(peer.hello))) {
      admit();
      return;
    }
    const coordination = this.#coordination;
    this.#whenDurable(() => register.add({ node, process, epoch, via: peer.via }), {
      next: admit,
      isWanted: () => this.#coordination === coordination && this.#peers.get(keyOf(peer.hello)) === peer,
      failed: (reason) => log.warn({ node, reason }, 'this filter cannot be registered, and gets no slot until it is'),
    });
  }

  #connect(peer: Peer): void {
    const { hello, via } = peer;
    const key = keyOf(hello);
    const connected: Connected = { connection: ++this.#connections, peer, holding: [], isComplete: false };
    this.#connected.set(key, connected);
    this.#byConnection.set(connected.connection, connected);
    if (this.#isSharing) this.#open(connected);
    else if (hello.shares || via !== undefined || this.#envoys() > 1) this.#share();
    this.#acknowledge(key, peer.services);
    this.#options.changed();
  }

  /** Does something that has to be durable before anything follows from it, as often as it takes. */
  #whenDurable(
    durable: () => Durable,
    {
      next,
      isWanted,
      failed,
    }: { readonly next: () => void; readonly isWanted: () => boolean; readonly failed: (reason: string) => void },
    told?: string,
  ): void {
    const done = durable();
    if (done === undefined) {
      next();
      return;
    }
    done.then(
      () => {
        if (isWanted()) next();
      },
      (error: unknown) => {
        if (!isWanted()) return;
        const reason = reasonOf(error);
        if (reason !== told) failed(reason);
        this.#timers.after(AGAIN_MS, () => {
          if (isWanted()) this.#whenDurable(durable, { next, isWanted, failed }, reason);
        });
      },
    );
  }

  /** Another start of an Envoy under the same node id: the one before has ended, as a node id is that of one Envoy at a time. */
  #buryBefore({ node, process }: PeerHello): void {
    const before = this.#options.register.members.filter(
      (each) => each.node === node && isOtherProcess(each.process, process),
    );
    this.#bury(before, 'Envoy was started again');
  }

  #buryEnded({ hello: { node } }: Peer, ended: string): void {
    const found = this.#options.register.members.filter((each) => each.node === node && each.epoch === ended);
    this.#bury(
      found.filter((each) => this.#away.has(keyOf(each))),
      'this filter was replaced in its Envoy, and has ended',
    );
  }

  #bury(found: readonly RegisteredMember[], why: string): void {
    const dead = found.filter((each) => !this.#dying.has(keyOf(each)));
    if (dead.length === 0) return;
    const { register, log } = this.#options;
    const keys = dead.map(keyOf);
    for (const key of keys) this.#dying.add(key);
    this.#options.ended(dead);
    this.#whenDurable(() => register.bury(keys), {
      next: () => this.#buried(keys, why),
      isWanted: () => true,
      failed: (reason) =>
        log.warn({ members: keys, reason }, 'that these filters have ended cannot be kept: their slots wait'),
    });
  }

  #buried(keys: readonly string[], why: string): void {
    const { log, clock } = this.#options;
    for (const key of keys) {
      this.#dying.delete(key);
      this.#away.delete(key);
      this.#usable.delete(key);
      this.#vias.delete(key);
      this.#parts.delete(key);
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
      const beside = [...this.#connected.values()].find(
        ({ peer: { hello } }) => hello.node === away.node && hello.process === away.process,
      );
      beside?.peer.askEnded(away.epoch);
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

  #share(): void {
    const { clock, register, log } = this.#options;
    if (this.#coordination.kind !== 'alone') return;
    const term = this.#coordination.takeTerm(clock.now());
    this.#coordinator = new Coordinator({ term, lease: false });
    log.info({ term, members: register.members.map(keyOf) }, 'several Envoys share the slots of the services');
    this.#configure();
    for (const connected of this.#connected.values()) this.#open(connected);
    for (const [key, { peer }] of this.#connected) this.#acknowledge(key, peer.services);
    // Without a register those that came before this start are not known. Where one is begun, nobody did who is not back by now.
    const isReturning = [...this.#connected.values()].some(({ peer: { hello } }) => hello.stream > 1 || hello.shares);
    const mayMiss = !register.wasKept && (isReturning || !register.isKept);
    const wait = mayMiss ? RETURN_MS - (clock.monotonic() - this.#startedAt) : 0;
    if (wait > 0) this.#timers.after(wait, () => this.#expect());
    else this.#expect();
  }

  /** The register is read after the term was won (rules 2 and 3a). */
  #read(): void {
    const { register, log } = this.#options;
    const coordinator = this.#coordinator;
    this.#whenDurable(() => register.read(), {
      next: () => {
        this.#noteRegistered();
        this.#expect();
      },
      isWanted: () => this.#coordinator === coordinator,
      failed: (reason) => log.warn({ reason }, 'who may hold slots cannot be read, so none that are missing are made'),
    });
  }

  #expect(): void {
    const { register, clock } = this.#options;
    this.#coordinator?.expect(register.members.map(keyOf), register.dead, clock.monotonic());
    this.#send();
  }

  /** Asks whether this term is still the newest, until it is known (rule 3c). */
  #prove(number: number): void {
    const { clock, log } = this.#options;
    const coordinator = this.#coordinator;
    if (coordinator === undefined || this.#coordination.kind !== 'coordinates') return;
    const { prove } = this.#coordination;
    const ask = () =>
      prove().then((isNewest) => {
        // Whoever has it now coordinates, so that this is not wanted any more.
        if (!isNewest) throw new Error('the Lease is not ours');
      });
    this.#whenDurable(ask, {
      next: () => {
        coordinator.proved(number, clock.monotonic());
        this.#settle();
      },
      isWanted: () => this.#coordinator === coordinator,
      failed: (reason) =>
        log.warn(
          { reason },
          'whether this Sluice still coordinates is not known, so slots that are missing are not made',
        ),
    });
  }

  #open({ connection }: Connected): void {
    this.#coordinator?.opened(connection);
    this.#send();
  }

  #holding(key: string, { services, isComplete }: PeerEvent & { readonly kind: 'holding' }): void {
    const connected = this.#connected.get(key);
    if (connected === undefined) return;
    connected.holding.push(...services);
    if (!isComplete) return;
    const held = connected.holding;
    connected.holding = [];
    connected.isComplete = true;
    if (connected.peer.via === undefined) this.#parts.set(key, true);
    this.#foresee(held);
    this.#hear(connected, {
      kind: 'hello',
      member: key,
      stream: connected.peer.hello.stream,
      services: held,
      // An end of one that is connected here is noticed at once.
      tellsReceived: connected.peer.via !== undefined,
    });
    this.#settle();
    this.#options.changed();
  }

  #received(key: string, grants: number): void {
    const connected = this.#connected.get(key);
    if (connected === undefined) return;
    this.#coordinator?.received(connected.connection, grants, this.#options.clock.monotonic());
    this.#send();
  }

  #changes(key: string, { changes }: PeerEvent & { readonly kind: 'changes' }): void {
    const connected = this.#connected.get(key);
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
    const peer = this.#connected.get(key)?.peer;
    if (coordinator === undefined || peer === undefined) return;
    const known = this.#usable.get(key) ?? new Map<ServiceName, ReadonlySet<string>>();
    this.#usable.set(key, known);
    for (const name of names) {
      const pods = peer.usable(name);
      if (sameSet(known.get(name) ?? NONE, pods)) continue;
      known.set(name, pods);
      coordinator.acknowledged(key, name, pods, this.#options.clock.monotonic());
    }
    this.#settle();
  }

  /**
   * Of services that only other Sluices have: the pods that are known here from other services, and that somebody who waits may get
   * slots of.
   */
  #foreignPods(): ReadonlyMap<ServiceName, ReadonlyMap<string, SharedService>> {
    const found = new Map<ServiceName, ReadonlyMap<string, SharedService>>();
    if (this.#lacking.size === 0) return found;
    const owners = new Map(this.#slots.flatMap((service) => [...service.limits.keys()].map((pod) => [pod, service])));
    for (const name of this.#lacking.keys()) {
      const peers = [...this.#connected.values()].flatMap(({ peer }) => [...peer.usable(name)]);
      const pods = peers.flatMap((pod) => {
        const owner = owners.get(pod);
        return owner === undefined ? [] : [[pod, owner] as const];
      });
      if (pods.length > 0) found.set(name, new Map(pods));
    }
    return found;
  }

  /** Tells other Sluices which services of their Envoys are not here, and notes since when. */
  #noteLacking(): void {
    if (this.#services === undefined || this.#coordinator === undefined) return;
    const relayed = [...this.#connected.values()].flatMap(({ peer }) =>
      peer.via === undefined ? [] : [{ peer, via: peer.via }],
    );
    if (relayed.length === 0 && this.#lacking.size === 0 && this.#foreign.size === 0) return;
    const here = new Set<ServiceName>(this.#services.map(({ name }) => name));
    const found = new Map<ServiceName, Set<string>>();
    for (const { peer, via } of relayed) {
      const lacking = [...peer.services].filter((name) => !here.has(name));
      for (const name of lacking) found.set(name, (found.get(name) ?? new Set()).add(via));
      const said = lacking.join();
      if (said === (this.#saidLacking.get(peer) ?? '')) continue;
      this.#saidLacking.set(peer, said);
      peer.tellLacking?.(lacking);
    }
    for (const name of this.#lacking.keys()) {
      if (found.has(name)) continue;
      this.#lacking.delete(name);
      this.#options.changed();
    }
    if (found.size === 0 && this.#foreign.size === 0) return;
    const since = this.#options.clock.monotonic();
    for (const [name, vias] of found) {
      const known = this.#lacking.get(name);
      if (known === undefined) this.#timers.after(TELL_MS, () => this.#options.changed());
      this.#lacking.set(name, { since: known?.since ?? since, vias });
    }
    this.#foreign = this.#foreignPods();
    this.#reconsider();
    this.#send();
  }

  /** `more`: slots that a member is about to tell of. */
  #configure(more: readonly HeldService[] = []): void {
    if (this.#coordinator === undefined || this.#services === undefined) return;
    this.#countSlots();
    for (const { name, slack } of this.#services) this.#coordinator.setSlack(name, slack);
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
      return {
        ...service,
        limits: new Map(counted.map(({ pod, limit, jobs = 0 }) => [pod, Math.max(0, limit - jobs)])),
      };
    });
    this.#unasked = unasked;
    this.#foreign = this.#foreignPods();
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
    if (this.#services === undefined || this.#coordinator === undefined) return;
    if (!this.#isContested && this.#leaving.size === 0 && this.#foreign.size === 0) return;
    for (const name of [...this.#leaving.keys()]) if (!this.#isUsed(name)) this.#leaving.delete(name);
    // Who has been given a slot by that waits no more, which may be the turn of another service.
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const limits = this.#limitsNow([]);
      const isSame =
        limits.size === this.#limits.size &&
        [...limits].every(([name, pods]) => sameMap(pods, this.#limits.get(name) ?? NO_LIMITS));
      if (isSame) return;
      this.#setLimits(limits);
    }
  }

  /** Whether a filter that is connected here may still choose a pod of a service that has left. */
  #isUsed(name: ServiceName): boolean {
    return [...this.#usable].some(([key, services]) => !this.#vias.has(key) && (services.get(name)?.size ?? 0) > 0);
  }

  #limitsNow(more: readonly HeldService[]): Map<string, ReadonlyMap<string, number>> {
    const found = this.#limitsOfLeaving(more);
    // What a member is about to tell of is not counted there.
    const { claims, found: foreign } = more.length === 0 ? this.#claims() : NO_CLAIMS;
    for (const [name, limits] of foreign) found.set(name, limits);
    const taken = this.#taken(more, claims);
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

  /** Services that have left keep what they had, but for what others hold of their pods: those give it up to them. */
  #limitsOfLeaving(more: readonly HeldService[]): Map<string, ReadonlyMap<string, number>> {
    const found = new Map<string, ReadonlyMap<string, number>>();
    if (this.#leaving.size === 0) return found;
    const all = new Map<string, number>();
    const own = this.#totals(more);
    for (const pods of own.values()) for (const [pod, slots] of pods) add(all, pod, slots);
    for (const [name, limits] of this.#leaving) {
      const others = (pod: string) => (all.get(pod) ?? 0) - (own.get(name)?.get(pod) ?? 0);
      const most = (pod: string, limit: number) =>
        Math.max(limit, ...this.#slots.map((service) => service.limits.get(pod) ?? 0));
      found.set(
        name,
        new Map([...limits].map(([pod, limit]) => [pod, Math.max(0, Math.min(limit, most(pod, limit) - others(pod)))])),
      );
    }
    return found;
  }

  /** All slots by service and pod, with those that a member is about to tell of. */
  #totals(more: readonly HeldService[]): Map<string, Map<string, number>> {
    const totals = this.#coordinator?.totals() ?? new Map<string, Map<string, number>>();
    for (const { service, held } of more) {
      const pods = totals.get(service) ?? new Map<string, number>();
      totals.set(service, pods);
      for (const [pod, slots] of held) add(pods, pod, slots);
    }
    return totals;
  }

  /**
   * Services that only other Sluices have: while the oldest that waits for one is older than those that wait for the service which has
   * its pod here, the one gets the next slot that the other gives up. `claims`: pods of which it wants one more.
   */
  #claims(): Claims {
    const found = new Map<ServiceName, Map<string, number>>();
    const claims = new Map<ServiceName, string[]>();
    const coordinator = this.#coordinator;
    if (coordinator === undefined || this.#foreign.size === 0) return { found, claims };
    const totals = coordinator.totals();
    const free = new Map<string, number>();
    for (const [service, pods] of this.#foreign) {
      if (this.#leaving.has(service)) continue;
      for (const [pod, owner] of pods) {
        if (this.#unasked.get(owner.name)?.has(pod)) continue;
        const oldest = coordinator.oldestFor(service, pod);
        const isFirst = oldest < coordinator.oldestFor(owner.name, pod);
        if (oldest === Number.POSITIVE_INFINITY || !isFirst) continue;
        claims.set(service, [...(claims.get(service) ?? []), pod]);
        const all = sum([...totals.values()].map((each) => each.get(pod) ?? 0));
        const left = free.get(pod) ?? Math.max(0, (owner.limits.get(pod) ?? 0) - all);
        free.set(pod, Math.max(0, left - 1));
        const limits = found.get(service) ?? new Map<string, number>();
        found.set(service, limits.set(pod, (totals.get(service)?.get(pod) ?? 0) + Math.min(1, left)));
      }
    }
    return { found, claims };
  }

  /** By pod, the slots that services have which are to lose them: those go first. */
  #taken(
    more: readonly HeldService[],
    claims: ReadonlyMap<ServiceName, readonly string[]>,
  ): ReadonlyMap<string, readonly { readonly service: string; readonly slots: number }[]> {
    const wanted = new Map<string, ReadonlyMap<string, number>>(this.#slots.map(({ name, limits }) => [name, limits]));
    const totals = this.#totals(more);
    for (const [service, pods] of this.#leaving) {
      const all = totals.get(service) ?? new Map<string, number>();
      totals.set(service, all);
      for (const [pod, slots] of pods) all.set(pod, Math.max(slots, all.get(pod) ?? 0));
    }
    for (const [service, claimed] of claims) {
      const pods = totals.get(service) ?? new Map<string, number>();
      totals.set(service, pods);
      for (const pod of claimed) add(pods, pod, 1);
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

  /** Tells the coordinator when this time has come. What it asked for before is later, or has been. */
  #wake(at: number): void {
    const { clock } = this.#options;
    const coordinator = this.#coordinator;
    this.#cancelWake();
    this.#cancelWake = this.#timers.after(Math.max(0, at - clock.monotonic()), () => {
      if (coordinator !== this.#coordinator) return;
      coordinator?.passed(clock.monotonic());
      this.#settle();
    });
  }

  #send(): void {
    const said = new Map<Connected, CoordinatorMessage[]>();
    for (const effect of this.#coordinator?.take() ?? []) {
      if (effect.kind === 'prove') {
        this.#prove(effect.number);
        continue;
      }
      if (effect.kind === 'wake') {
        this.#wake(effect.at);
        continue;
      }
      const connected = this.#byConnection.get(effect.connection);
      if (connected === undefined) continue;
      const messages = said.get(connected);
      if (messages === undefined) said.set(connected, [effect.message]);
      else messages.push(effect.message);
    }
    for (const [{ peer }, messages] of said) {
      this.#told.add(peer);
      peer.say(messages);
    }
  }
}

/** What is told to others of what happens at a filter that is connected here; undefined: nothing. */
function peerEvent(event: SlotsEvent): PeerEvent | undefined {
  switch (event.kind) {
    case 'holding':
    case 'changes':
    case 'job':
      return event;
    case 'acked':
      return { kind: 'usable', services: event.services };
    case 'pod':
      return { kind: 'usable', services: [event.event.service] };
    case 'ended':
      return { kind: 'ended', ended: event.ended };
    default:
      return undefined;
  }
}

function followedProblem(address: string): Problem {
  return {
    severity: 'error',
    subject: 'slots',
    message: `this Sluice followed the coordinator ${address}, and was started without --coordinator: Envoys of other Sluices may have slots of the same pods, so it makes none; its Envoys go on with those that they have, and one that starts has none`,
    fix: `start it with --coordinator ${address} again; or, if no other Sluice shares these pods any more, once with --coordinator none, which forgets that`,
  };
}

function unreadableProblem({ what, reason }: Unreadable): Problem {
  return {
    severity: 'error',
    subject: 'slots',
    message: `who may have slots is not known, as ${what} cannot be read (${reason}): this Sluice makes none, so that no pod gets more than its limit; Envoys go on with those that they have, and one that starts has none`,
    fix: `make that file readable, or put its last copy back, and start Sluice again; or end all Envoys that share these pods, and start it once with --coordinator none, which keeps the file as ${what}.unreadable and begins anew; or, if it is to follow another Sluice, start it with --coordinator ADDRESS`,
  };
}

function lackingProblem(service: ServiceName, vias: ReadonlySet<string>): Problem {
  return {
    severity: 'warning',
    subject: `service ${service}`,
    message: `Envoys that come by ${[...vias].join(', ')} have it, and this Sluice, which coordinates, has no service of this name with a limit: they get slots of it only while somebody waits, and only of pods that another service has here`,
    fix: 'give both Sluices the same services',
  };
}

function wordsFor(coordination: Coordination): object {
  const { kind } = coordination;
  if (kind === 'follows') return { kind, address: coordination.address };
  return kind === 'coordinates' ? { kind, term: coordination.term } : { kind };
}

/** Whether two numbers are those of two starts of Envoy, as far as both are known. */
function isOtherProcess(a: string, b: string): boolean {
  return a !== '0' && b !== '0' && a !== b;
}
