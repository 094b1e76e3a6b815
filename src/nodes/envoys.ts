import type { Clock } from '../base/clock.ts';
import type { Millis } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import { Timers } from '../base/timers.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import type { NodeIdentity } from '../snapshot/cache.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import type { XdsEvent } from '../xds/protocol/event.ts';
import { chosenServices } from './chosen-services.ts';
import {
  absentFrom,
  assignOwners,
  type Candidate,
  type NodeId,
  type Owned,
  type Ownership,
  sameServices,
  wants,
} from './ownership.ts';
import { type EnvoyState, envoyProblems, withheld } from './problems.ts';
import { tooOldRelease } from './release.ts';
import { SameNodeId, type SameNodeIdOptions } from './same-node-id.ts';

/** What `Envoys` works with. */
export interface EnvoysOptions extends Pick<SameNodeIdOptions, 'ask' | 'drop'> {
  readonly clock: Clock;
  readonly log: Logger;
  /** How long an Envoy without a stream keeps its services. */
  readonly graceMs: Millis;
  /** Told when some Envoy is to get other services than before, or other problems are to be told. */
  readonly changed: () => void;
}

/**
 * What the client of a stream is given: nothing, or all but these services. `visitor`: it is no Envoy that takes
 * requests, so nothing has to be kept in order with what it does.
 */
export type Given =
  | { readonly kind: 'waits' }
  | { readonly kind: 'envoy' | 'visitor'; readonly absent: ReadonlySet<ServiceName> };

/**
 * How long after a start Envoys that had services are waited for: they come back within a second (see the bootstrap).
 * Until then an Envoy that returns gets no more than it had.
 */
const RETURN_MS = 3000;

/** An Envoy that has clusters asks for its listeners in the same breath. */
const ASKS_MS = 1000;

/** Who asks for listeners and has not answered by then owns nothing: it is no Envoy. */
const PROOF_MS = 1000;

/** The services that give clusters. */
const CLUSTERS = /\.(Aggregated|Cluster)DiscoveryService$/;

interface Known extends EnvoyState {
  readonly userAgent: string;
  readonly streams: Set<number>;
  readonly sameId: SameNodeId;
  /** It had a configuration when it came. */
  returning: boolean;
  /** Undefined: not said. */
  holds: ReadonlySet<ServiceName> | undefined;
  /**
   * Whether it takes requests: whoever does asks for listeners, and answers. `asked`: it has not answered yet.
   * `silent`: it has not for so long that it is none.
   */
  listens: 'no' | 'asked' | 'silent' | 'yes';
  /** When it came, in monotonic milliseconds. */
  readonly since: number;
  /** Ends the wait for its return. */
  cancel: () => void;
}

const NONE = new Set<ServiceName>();
const NO_OWNERS: Ownership = new Map();
const NOTHING: Owned = [];

/** Which Envoys are there, and which services each of them gets. */
export class Envoys {
  readonly #options: EnvoysOptions;
  readonly #known = new Map<NodeId, Known>();
  readonly #given = new Map<NodeId, ReadonlySet<ServiceName>>();
  readonly #timers: Timers;
  readonly #startedAt: number;
  #owned: Owned = NOTHING;
  #owners: Ownership = NO_OWNERS;
  #problems: readonly Problem[] | undefined;

  constructor(options: EnvoysOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#startedAt = options.clock.monotonic();
  }

  /** Takes note of what happens between Envoys and the xDS server. */
  record(event: XdsEvent): void {
    // Whoever speaks for a node may use its name: the brand stands for no more.
    const id = event.node.id as NodeId;
    if (event.kind === 'connected') this.#connected(id, event);
    else if (event.kind === 'asked') this.#asked(id, event);
    else if (event.kind === 'holds') this.#holds(id, event);
    else if (event.kind === 'disconnected') this.#disconnected(id, event.stream);
    else if (event.kind === 'acked' || event.kind === 'nacked') this.#answered(id, event);
  }

  /** Takes the services that are there from now on. */
  follow(owned: Owned): void {
    const before = this.#owners;
    if (sameServices(this.#owned, owned)) return;
    this.#owned = owned;
    this.#assign();
    // Whom a new service goes to, and from whom it is withheld, is known only now.
    if (before.size !== this.#owners.size || [...before].some(([name, owner]) => this.#owners.get(name) !== owner))
      this.#options.changed();
  }

  /** What a node is given now; one that is not known stands for an Envoy that has everything. */
  given({ id }: NodeIdentity, stream?: number): Given {
    const known = this.#known.get(id as NodeId);
    if (known === undefined) return { kind: 'visitor', absent: NONE };
    if (known.tooOld !== undefined || this.#mayBeAboutToSay(known)) return { kind: 'waits' };
    if (this.#waitsForOwners(known)) return { kind: 'waits' };
    if (!isCandidate(known)) return { kind: 'visitor', absent: this.#withoutLimited(known) };
    const whose = known.sameId.whose(stream);
    if (whose === 'unknown') return { kind: 'waits' };
    if (whose === 'another') return { kind: 'visitor', absent: this.#withoutLimited(known) };
    const absent = this.#given.get(known.id) ?? absentFrom(known, this.#owned, this.#owners);
    this.#given.set(known.id, absent);
    return { kind: 'envoy', absent };
  }

  /** Whether an Envoy had a configuration when it came. */
  isReturning(id: string): boolean {
    return this.#known.get(id as NodeId)?.returning ?? false;
  }

  /** By node, the services with a limit that it is there for and that it, or another of its id, does not get. */
  withheld(): ReadonlyMap<NodeId, readonly ServiceName[]> {
    return withheld(this.#listening(), this.#owners, ({ id, sameId }, owner) => owner !== id || sameId.others > 0);
  }

  /** How many Envoys get nothing because they are too old. */
  tooOld(): number {
    return [...this.#known.values()].filter(({ tooOld, streams }) => tooOld !== undefined && streams.size > 0).length;
  }

  /** Everything about Envoys that somebody has to mend. */
  problems(): readonly Problem[] {
    this.#problems ??= envoyProblems({
      envoys: [...this.#known.values()],
      withheld: withheld(this.#listening(), this.#owners, ({ id }, owner) => owner !== id),
      owners: this.#owners,
      existing: this.#owned === NOTHING ? undefined : new Set(this.#owned.map(({ service }) => service.name)),
      graceMs: this.#options.graceMs,
    });
    return this.#problems;
  }

  /** Ends all waiting. */
  stop(): void {
    for (const { cancel, sameId } of this.#known.values()) {
      cancel();
      sameId.stop();
    }
    this.#timers.stop();
  }

  #connected(id: NodeId, event: XdsEvent & { readonly kind: 'connected' }): void {
    const before = this.#known.get(id);
    before?.cancel();
    const { clock, ask, drop } = this.#options;
    const known: Known = {
      id,
      ...chosenServices(event.node.metadata),
      userAgent: event.userAgent,
      tooOld: tooOldRelease(event.userAgent),
      streams: before?.streams ?? new Set(),
      sameId: before?.sameId ?? new SameNodeId({ clock, ask, drop, changed: () => this.#tell() }),
      returning: (before?.returning ?? false) || event.returning,
      holds: before?.holds,
      listens: before?.listens ?? 'no',
      since: before !== undefined && before.streams.size > 0 ? before.since : clock.monotonic(),
      cancel: () => {},
    };
    known.streams.add(event.stream);
    this.#known.set(id, known);
    if (isProxy(known) && CLUSTERS.test(event.service)) known.sameId.opened(event.stream);
    if (known.returning) {
      if (this.#areReturning()) this.#timers.after(RETURN_MS, () => this.#tell());
      else this.#timers.after(ASKS_MS, () => this.#options.changed());
    }
    // A visitor changes nothing for anybody else.
    if (isCandidate(known) || hasProblem(known)) this.#tell();
  }

  /** Who asks for listeners takes requests: it may own services. */
  #asked(id: NodeId, { typeUrl }: XdsEvent & { readonly kind: 'asked' }): void {
    const known = this.#known.get(id);
    if (known === undefined || typeUrl !== TYPE_URLS.listener || !isProxy(known) || known.listens === 'yes') return;
    known.listens = known.returning ? 'yes' : 'asked';
    if (known.listens === 'asked') {
      this.#timers.after(PROOF_MS, () => {
        const now = this.#known.get(id);
        if (now?.listens !== 'asked') return;
        now.listens = 'silent';
        this.#tell();
      });
    }
    this.#tell();
  }

  #answered(id: NodeId, event: XdsEvent & { readonly kind: 'acked' | 'nacked' }): void {
    const known = this.#known.get(id);
    known?.sameId.heard(event.stream);
    if (known === undefined || event.typeUrl !== TYPE_URLS.listener) return;
    const before = known.listens;
    if (before === 'asked' || before === 'silent') known.listens = 'yes';
    if (before === 'silent') this.#tell();
  }

  #listening(): readonly Known[] {
    return [...this.#known.values()].filter((known) => isCandidate(known) && known.streams.size > 0);
  }

  #withoutLimited(known: Known): ReadonlySet<ServiceName> {
    return absentFrom(known, this.#owned, NO_OWNERS);
  }

  /**
   * Who has had a configuration says in its first messages what it has, and that it takes requests: before that it must
   * lose nothing.
   */
  #mayBeAboutToSay(known: Known): boolean {
    if (!known.returning || !isProxy(known)) return false;
    if (known.holds === undefined && this.#areReturning()) return true;
    return known.listens === 'no' && this.#options.clock.monotonic() - known.since < ASKS_MS;
  }

  /**
   * While others may be about to return, a service that nobody owns may be theirs. Until that is known an Envoy that has had a
   * configuration keeps it: with routes to a service that it does not get it would refuse what it can serve (a service was
   * renamed while the control plane was away).
   */
  #waitsForOwners(known: Known): boolean {
    if (!known.returning || !isCandidate(known) || !this.#areReturning()) return false;
    return this.#owned.some(({ service: { name, discipline } }) => {
      return discipline.kind === 'limited' && wants(known, name) && !this.#owners.has(name);
    });
  }

  #holds(id: NodeId, { names, stream }: XdsEvent & { readonly kind: 'holds' }): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    // A cluster is called as its service.
    known.holds = new Set(names as ServiceName[]);
    if (this.#areReturning() && (this.#owned === NOTHING || this.#owned.some((each) => isHeld(each, known))))
      known.sameId.claimed(stream);
    this.#tell();
  }

  #disconnected(id: NodeId, stream: number): void {
    const known = this.#known.get(id);
    if (known === undefined || !known.streams.delete(stream)) return;
    known.sameId.closed(stream);
    if (known.streams.size > 0) return;
    // Who never took a request may be forgotten at once.
    if (!isCandidate(known) || known.listens !== 'yes') {
      this.#forget(known);
      return;
    }
    known.cancel = this.#options.clock.after(this.#options.graceMs, () => this.#gone(known));
    this.#tell();
  }

  #forget(known: Known): void {
    this.#known.delete(known.id);
    this.#given.delete(known.id);
    known.sameId.stop();
    if (isCandidate(known) || hasProblem(known)) this.#tell();
  }

  #gone(known: Known): void {
    const { log, graceMs } = this.#options;
    const before = this.#owners;
    this.#known.delete(known.id);
    this.#tell();
    const moved = [...before].filter(([, owner]) => owner === known.id).map(([name]) => name);
    if (moved.length === 0) return;
    log.warn(
      { node: known.id, services: moved, graceMs },
      'this Envoy has been gone for so long that others may get its services; if it still runs, its pods may get more than their limit until it is back',
    );
  }

  /** Finds the owners anew, and tells of it. */
  #tell(): void {
    this.#assign();
    this.#options.changed();
  }

  #assign(): void {
    const areReturning = this.#areReturning();
    const candidates = [...this.#known.values()].filter(isCandidate).map(
      (known): Candidate => ({
        id: known.id,
        services: known.services,
        connected: known.streams.size > 0,
        holds: known.holds ?? NONE,
        waits: known.returning && areReturning,
      }),
    );
    this.#owners = assignOwners(this.#owned, candidates, this.#owners);
    this.#given.clear();
    this.#problems = undefined;
  }

  #areReturning(): boolean {
    return this.#options.clock.monotonic() - this.#startedAt < RETURN_MS;
  }
}

/** Another kind of client than a proxy does not queue, so it gets no service with a limit. */
function isProxy({ userAgent }: Known): boolean {
  return !/^grpc/i.test(userAgent);
}

function isCandidate(known: Known): boolean {
  return isProxy(known) && known.tooOld === undefined && (known.listens === 'asked' || known.listens === 'yes');
}

function hasProblem({ unreadable, tooOld }: Known): boolean {
  return unreadable || tooOld !== undefined;
}

function isHeld({ service }: Owned[number], { holds }: Known): boolean {
  return service.discipline.kind === 'limited' && (holds?.has(service.name) ?? false);
}
