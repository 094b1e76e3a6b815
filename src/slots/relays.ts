import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { reasonOf } from '../base/reason.ts';
import { sameSet } from '../base/same.ts';
import { Timers } from '../base/timers.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import type { MemberId } from './events.ts';
import type { Link, SharesAsTold } from './link.ts';
import type { ToldOrder } from './link-messages.ts';
import type { Peer, PeerEvent } from './peer.ts';
import type { RelayCall, RelayDial } from './relay-channel.ts';
import { silence } from './relay-faults.ts';
import {
  type FromCoordinator,
  type FromFollower,
  type RelayedJob,
  readFromCoordinator,
  type ServicePods,
  writeFromFollower,
} from './relay-messages.ts';
import { RELAY_PROTOCOL } from './relay-server.ts';
import { Rounds } from './rounds.ts';
import { DEFAULT_PACE } from './server.ts';

/** What `Relays` works with. */
export interface RelaysOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the coordinator is: `host:port`. */
  readonly address: string;
  readonly dial: RelayDial;
  /** A Lease names it; else an option does. */
  readonly isByLease?: boolean | undefined;
  /** The stream to it that is there without filters, and ends with these. */
  readonly link: Pick<Link, 'isOpen' | 'since' | 'fault' | 'coordinator' | 'shares' | 'tell' | 'stop'>;
  /** How this Sluice calls itself. */
  readonly name: string;
  /** The jobs that a filter has told. */
  readonly jobsOf: (member: MemberId) => readonly RelayedJob[];
  /** Told of a filter that the coordinator has given up: it is to come back as another one. */
  readonly givenUp: (member: MemberId) => void;
  /** Told when there is something else to see, or to mend. */
  readonly changed: () => void;
  /** From 0 to 1, to come back at another moment than others. */
  readonly random: () => number;
}

/** How the way to the coordinator is. */
export interface RelaysState {
  readonly address: string;
  /** How it calls itself; undefined: it has not been reached. */
  readonly name: string | undefined;
  /** Whether it has answered, and for each filter. */
  readonly isConnected: boolean;
  /** Since when it is so, in milliseconds since the epoch. */
  readonly since: number;
}

/** What is to be told of a coordinator that does not answer. */
interface Away {
  readonly since: number;
  reason: string;
  /** What is to be done. */
  fix: string;
}

/** The relayed stream of one filter. */
interface Relay {
  readonly peer: Peer;
  call: RelayCall | undefined;
  /** The coordinator's term was passed on: from here on both are one stream. */
  isShared: boolean;
  /** What the filter holds has been passed on. */
  isKnown: boolean;
  isWelcome: boolean;
  heartbeatMs: number;
  deadAfterMs: number;
  heardAt: number;
  saidAt: number;
  tries: number;
  cancelRetry: () => void;
  /** Slots that were given on this stream. */
  grants: number;
  /** What was told last. */
  readonly usable: Map<ServiceName, ReadonlySet<string>>;
  /** Services that the coordinator does not have. */
  lacks: readonly ServiceName[];
}

/** How long a coordinator may take to answer. */
const OPENING_MS = 3000;

/** The first wait after a failure, and the longest: an Envoy without slots is waiting. */
const FIRST_MS = 100;
const LONGEST_MS = 1000;

/** What lasts for a moment is no problem: an edit is not everywhere at once, and who was started again comes back. */
const TELL_MS = 3000;

/** Services whose pods are told in one message. */
const SERVICES_AT_ONCE = 500;

/**
 * The streams of a following Sluice to its coordinator, one for each filter that is connected here. What the coordinator says of slots is
 * passed on to the filter, and what the filter says of them to the coordinator. While it is away filters are told nothing of slots.
 */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #timers: Timers;
  readonly #rounds: Rounds;
  readonly #relays = new Map<Peer, Relay>();
  /** Why the coordinator does not want the filters of an Envoy, by node, and since when. */
  readonly #refused = new Map<string, Away>();
  /** Since when the coordinator does not have a service. */
  readonly #lacks = new Map<ServiceName, number>();
  #away: Away | undefined;
  #since: number;

  constructor(options: RelaysOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#since = options.clock.now();
    this.#rounds = new Rounds({
      clock: options.clock,
      timers: this.#timers,
      pace: DEFAULT_PACE,
      isNeeded: () => this.#relays.size > 0,
      look: (now, isLate) => this.#look(now, isLate),
    });
  }

  /** A filter has come, and is to share. */
  open(peer: Peer): void {
    const now = this.#options.clock.monotonic();
    const relay: Relay = {
      peer,
      call: undefined,
      isShared: false,
      isKnown: false,
      isWelcome: false,
      heartbeatMs: DEFAULT_PACE.heartbeatMs,
      deadAfterMs: DEFAULT_PACE.deadAfterMs,
      heardAt: now,
      saidAt: now,
      tries: 0,
      grants: 0,
      cancelRetry: () => {},
      usable: new Map(),
      lacks: [],
    };
    this.close(peer);
    this.#relays.set(peer, relay);
    this.#dial(relay);
    this.#rounds.begin();
  }

  /** The stream of a filter is over. */
  close(peer: Peer): void {
    const relay = this.#relays.get(peer);
    if (relay === undefined) return;
    this.#relays.delete(peer);
    relay.cancelRetry();
    relay.call?.end();
    this.#countLacks();
  }

  /** A filter tells something. */
  tell(peer: Peer, event: PeerEvent): void {
    const relay = this.#relays.get(peer);
    if (relay === undefined) return;
    if (event.kind === 'usable') {
      this.#tellUsable(relay, event.services);
      return;
    }
    const isOfSlots = event.kind === 'holding' || event.kind === 'changes';
    // What it said before the coordinator has asked is not for the coordinator.
    if (isOfSlots && !relay.isShared) return;
    this.#write(relay, event);
    if (event.kind !== 'holding' || !event.isComplete) return;
    relay.isKnown = true;
    this.#options.changed();
  }

  /** Whether the coordinator knows what a filter holds. */
  isKnown(peer: Peer): boolean {
    return this.#relays.get(peer)?.isKnown === true;
  }

  /** How the way to the coordinator is. */
  state(): RelaysState {
    const { address, link } = this.#options;
    const all = [...this.#relays.values()];
    // One that shares slots and wants no link is there.
    const isThere = link.isOpen || (all.length > 0 && link.fault?.isRefusal === true);
    const isConnected = isThere && all.every(({ isShared }) => isShared);
    const from = this.#away?.since ?? this.#since;
    const since = isConnected || link.isOpen ? Math.max(link.since, from) : Math.min(link.since, from);
    return { address, name: link.coordinator, isConnected, since };
  }

  /** Tells the coordinator what was ordered here. False: it is away, and is told when it is back. */
  order(orders: readonly ToldOrder[]): boolean {
    return this.#options.link.tell(orders);
  }

  /** Who holds the slots of a service, as the coordinator has told last; undefined: it has not. */
  shares(service: ServiceName): SharesAsTold | undefined {
    return this.#options.link.shares(service);
  }

  /** What somebody has to mend. */
  problems(): readonly Problem[] {
    const { address, clock } = this.#options;
    const isOld = (since: number) => clock.now() - since >= TELL_MS;
    const refused = [...this.#refused].flatMap(([node, { since, reason }]): readonly Problem[] => {
      if (!isOld(since)) return [];
      return [
        {
          severity: 'error',
          subject: `Envoy ${node}`,
          message: `the coordinator ${address} does not share slots with it: ${reason}; it goes on with those that it holds, and gets no others`,
        },
      ];
    });
    const lacks = [...this.#lacks].flatMap(([service, since]): readonly Problem[] => {
      if (!isOld(since)) return [];
      return [
        {
          severity: 'warning',
          subject: `service ${service}`,
          message: `the coordinator ${address} has no service of this name with a limit: it gives slots only while somebody waits, and only of pods that it knows from another service`,
          fix: 'give both Sluices the same services',
        },
      ];
    });
    return [...this.#awayProblem(isOld), ...this.#linkProblem(isOld), ...refused, ...lacks];
  }

  /** Ends all streams. */
  stop(): void {
    for (const peer of [...this.#relays.keys()]) this.close(peer);
    this.#options.link.stop();
    this.#timers.stop();
  }

  #awayProblem(isOld: (since: number) => boolean): readonly Problem[] {
    const away = this.#awayNow();
    if (away === undefined || !isOld(away.since)) return [];
    const since = new Date(away.since).toISOString().slice(11, 19);
    return [
      {
        severity: 'error',
        subject: `coordinator ${this.#options.address}`,
        message: `does not answer since ${since} UTC (${away.reason}): each Envoy goes on with the slots that it holds, in its own order; no slot moves, requests of a service of which an Envoy holds none wait there, and what is ordered here (sluice pause, drain) holds for the Envoys of this Sluice alone`,
        fix: away.fix,
      },
    ];
  }

  /** Without a filter it is the link that finds out. */
  #awayNow(): Away | undefined {
    const { fault } = this.#options.link;
    if (this.#away !== undefined || fault === undefined || fault.isRefusal) return this.#away;
    return this.#relays.size === 0 ? fault : undefined;
  }

  /** The coordinator does not want the link, or it alone is broken. */
  #linkProblem(isOld: (since: number) => boolean): readonly Problem[] {
    const { link, address } = this.#options;
    if (link.fault === undefined || !isOld(link.fault.since) || this.#awayNow() !== undefined) return [];
    const message = `does not exchange orders with this Sluice: ${link.fault.reason}; what is ordered here (sluice pause, drain) holds for its own Envoys alone, and who holds which slots is not told`;
    return [{ severity: 'warning', subject: `coordinator ${address}`, message }];
  }

  #dial(relay: Relay): void {
    const { clock, address, dial, name, jobsOf } = this.#options;
    const { peer } = relay;
    relay.cancelRetry();
    relay.isWelcome = false;
    relay.grants = 0;
    relay.heardAt = clock.monotonic();
    const call: RelayCall = dial(address, {
      message: (bytes) => {
        if (relay.call === call) this.#receive(relay, bytes);
      },
      closed: (reason, isRefusal, fix) => {
        if (relay.call === call) this.#lost(relay, reason, isRefusal, fix);
      },
    });
    relay.call = call;
    const { node, epoch, process, stream, shares } = peer.hello;
    this.#write(relay, {
      kind: 'hello',
      protocol: RELAY_PROTOCOL,
      ...{ node, epoch, process, stream, shares },
      sluice: name,
      jobs: jobsOf(peer.hello),
    });
    relay.usable.clear();
    this.#tellUsable(relay, peer.services);
  }

  #receive(relay: Relay, bytes: Buffer): void {
    relay.heardAt = this.#options.clock.monotonic();
    let message: FromCoordinator;
    try {
      message = readFromCoordinator(bytes);
    } catch (error) {
      const reason = reasonOf(error);
      this.#lost(relay, `not a CoordinatorMessage: ${reason}`, false);
      return;
    }
    switch (message.kind) {
      case 'welcome':
        relay.isWelcome = true;
        relay.heartbeatMs = message.heartbeatMs;
        relay.deadAfterMs = message.deadAfterMs;
        return;
      case 'say':
        this.#say(relay, message);
        return;
      case 'ask ended':
        relay.peer.askEnded(message.epoch);
        return;
      case 'lacks':
        relay.lacks = message.services;
        this.#countLacks();
        return;
      case 'heartbeat':
      case 'unknown':
        return;
    }
  }

  #say(relay: Relay, { messages }: FromCoordinator & { readonly kind: 'say' }): void {
    if (messages.some(({ kind }) => kind === 'welcome')) {
      relay.isShared = true;
      relay.tries = 0;
      this.#refused.delete(relay.peer.hello.node);
      this.#noteBack();
    }
    relay.peer.say(messages);
    const grants = messages.filter(({ kind }) => kind === 'grant').length;
    relay.grants += grants;
    if (grants > 0) this.#write(relay, { kind: 'received', grants: relay.grants });
    if (messages.some(({ kind }) => kind === 'dead')) this.#options.givenUp(relay.peer.hello);
  }

  #lost(relay: Relay, reason: string, isRefusal: boolean, fix = silence(this.#options).fix): void {
    const { clock, log, address } = this.#options;
    const { peer } = relay;
    relay.call?.end();
    relay.call = undefined;
    log.debug({ node: peer.hello.node, address, reason }, 'the stream to the coordinator is over');
    const now = clock.now();
    if (isRefusal) {
      const known = this.#refused.get(peer.hello.node);
      if (known === undefined) this.#refused.set(peer.hello.node, { since: now, reason, fix });
      else known.reason = reason;
      this.#noteBack();
    } else if (this.#away === undefined) this.#away = { since: now, reason, fix };
    else Object.assign(this.#away, { reason, fix });
    this.#tellLater();
    if (relay.isShared) {
      // What was on its way is void: the next hello of the filter says what is so.
      peer.end(`the stream to the coordinator is over: ${reason}`);
      return;
    }
    const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(relay.tries++, 10));
    relay.cancelRetry = this.#timers.after(full * (0.5 + this.#options.random() / 2), () => this.#dial(relay));
  }

  #noteBack(): void {
    if (this.#away === undefined) return;
    this.#away = undefined;
    this.#since = this.#options.clock.now();
    this.#options.changed();
  }

  #tellLater(): void {
    this.#options.changed();
    this.#timers.after(TELL_MS, () => this.#options.changed());
  }

  #countLacks(): void {
    const lacked = new Set([...this.#relays.values()].flatMap(({ lacks }) => lacks));
    for (const service of this.#lacks.keys()) if (!lacked.has(service)) this.#lacks.delete(service);
    for (const service of lacked) if (!this.#lacks.has(service)) this.#lacks.set(service, this.#options.clock.now());
    this.#tellLater();
  }

  #tellUsable(relay: Relay, names: Iterable<ServiceName>): void {
    if (relay.call === undefined) return;
    const changed: ServicePods[] = [];
    for (const name of names) {
      const pods = relay.peer.usable(name);
      if (sameSet(relay.usable.get(name) ?? NO_PODS, pods)) continue;
      relay.usable.set(name, pods);
      changed.push([name, pods]);
    }
    for (let at = 0; at < changed.length; at += SERVICES_AT_ONCE)
      this.#write(relay, { kind: 'usable', services: changed.slice(at, at + SERVICES_AT_ONCE) });
  }

  #write(relay: Relay, message: FromFollower): void {
    if (relay.call === undefined) return;
    relay.saidAt = this.#options.clock.monotonic();
    relay.call.write(writeFromFollower(message));
  }

  /** Speaks where nothing was said, and gives up streams on which nothing was heard. */
  #look(now: number, isLate: boolean): void {
    for (const relay of [...this.#relays.values()]) {
      if (relay.call === undefined) continue;
      if (isLate) relay.heardAt = now;
      const patience = relay.isWelcome ? relay.deadAfterMs : OPENING_MS;
      if (now - relay.heardAt >= patience) this.#lost(relay, silence(this.#options).reason, false);
      else if (now - relay.saidAt >= relay.heartbeatMs) this.#write(relay, { kind: 'heartbeat' });
    }
  }
}

const NO_PODS: ReadonlySet<string> = new Set();
