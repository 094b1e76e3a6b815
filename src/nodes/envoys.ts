import type { Clock } from '../base/clock.ts';
import type { Millis } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import { remember } from '../base/remember.ts';
import { Timers } from '../base/timers.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import type { NodeIdentity } from '../snapshot/cache.ts';
import { TYPE_URLS } from '../snapshot/resource.ts';
import type { XdsEvent } from '../xds/protocol/event.ts';
import { chosenServices } from './chosen-services.ts';
import { type NodeId, type Owned, Owners, sameServices, wants } from './ownership.ts';
import { type EnvoyState, envoyProblems } from './problems.ts';
import { tooOldRelease } from './release.ts';
import { SameNodeId, type SameNodeIdOptions } from './same-node-id.ts';

/** What `Envoys` works with. */
export interface EnvoysOptions extends Pick<SameNodeIdOptions, 'ask' | 'drop'> {
  readonly clock: Clock;
  readonly log: Logger;
  /** How long an Envoy without a stream keeps its services. */
  readonly graceMs: Millis;
  /** Told when these Envoys may be to get something else than before (or none, but other problems are to be told). */
  readonly changed: (nodes: ReadonlySet<string>) => void;
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

const NONE: ReadonlySet<ServiceName> = new Set();
const NOBODY: ReadonlySet<string> = new Set();
const NOTHING: Owned = [];

/** Which Envoys are there, and which services each of them gets. */
export class Envoys {
  readonly #options: EnvoysOptions;
  readonly #known = new Map<NodeId, Known>();
  readonly #owners = new Owners();
  /** What each Envoy does not get, as it owns now; the same object as long as it is the same. */
  readonly #given = new Map<NodeId, ReadonlySet<ServiceName>>();
  readonly #timers: Timers;
  readonly #startedAt: number;
  #owned: Owned = NOTHING;
  /** The services with a limit: what those do not get that own nothing. */
  #limited: ReadonlySet<ServiceName> = NONE;
  #problems: readonly Problem[] | undefined;
  /** `over`: whoever comes now may have what nobody has. */
  #returns: 'none' | 'awaited' | 'over' = 'none';

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
    else if (event.kind === 'alive') this.#known.get(id)?.sameId.heard(event.stream);
    else if (event.kind === 'acked' || event.kind === 'nacked') this.#answered(id, event);
  }

  /** Takes the services that are there from now on. */
  follow(owned: Owned): void {
    const before = this.#owned;
    if (sameServices(before, owned)) return;
    this.#owned = owned;
    this.#problems = undefined;
    const limited = owned.flatMap(({ service }) => (service.discipline.kind === 'limited' ? [service.name] : []));
    const isSame = limited.length === this.#limited.size && limited.every((name) => this.#limited.has(name));
    // With the same names everybody goes on with what he has.
    if (isSame && sameNames(before, owned)) return;
    if (!isSame) this.#limited = new Set(limited);
    this.#given.clear();
    // Whom a new service goes to, and from whom it is withheld, is known only now.
    if (this.#owners.follow(this.#limited)) this.#options.changed(NOBODY);
  }

  /** What a node is given now; one that is not known stands for an Envoy that has everything. */
  given({ id }: NodeIdentity, stream?: number): Given {
    const known = this.#known.get(id as NodeId);
    if (known === undefined) return { kind: 'visitor', absent: NONE };
    if (known.tooOld !== undefined || this.#mayBeAboutToSay(known)) return { kind: 'waits' };
    if (this.#waitsForOwners(known)) return { kind: 'waits' };
    const whose = isCandidate(known) ? known.sameId.whose(stream) : 'another';
    if (whose === 'unknown') return { kind: 'waits' };
    if (whose === 'another') return { kind: 'visitor', absent: this.#absentFrom(known, NONE) };
    const absent = remember(this.#given, known.id, () => this.#absentFrom(known, this.#owners.of(known.id)));
    return { kind: 'envoy', absent };
  }

  /** The services with a limit that others have, so that no filter in this Envoy may use them, whether it has come yet or not. */
  ownedByOthers(id: string): ReadonlySet<ServiceName> {
    return new Set([...this.#owners.all].flatMap(([name, owner]) => (owner === id ? [] : [name])));
  }

  /** Whether an Envoy had a configuration when it came. */
  isReturning(id: string): boolean {
    return this.#known.get(id as NodeId)?.returning ?? false;
  }

  /** By node, how many services with a limit it is there for that it, or another of its id, does not get. */
  withheld(): ReadonlyMap<NodeId, number> {
    const owned = this.#owners.all;
    return new Map(
      this.#listening().map((known): readonly [NodeId, number] => {
        const own = known.sameId.others > 0 ? NONE : this.#owners.of(known.id);
        if (known.services === undefined) return [known.id, owned.size - own.size];
        // A name that somebody owns is the name of a service.
        const names = [...known.services] as ServiceName[];
        return [known.id, names.filter((name) => owned.has(name) && !own.has(name)).length];
      }),
    );
  }

  /** How many Envoys get nothing because they are too old. */
  tooOld(): number {
    return [...this.#known.values()].filter(({ tooOld, streams }) => tooOld !== undefined && streams.size > 0).length;
  }

  /** Everything about Envoys that somebody has to mend. */
  problems(): readonly Problem[] {
    this.#problems ??= envoyProblems({
      envoys: [...this.#known.values()],
      listening: this.#listening(),
      byOwner: this.#owners.byOwner,
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
      sameId: before?.sameId ?? new SameNodeId({ clock, ask, drop, changed: () => this.#tell([id]) }),
      returning: (before?.returning ?? false) || event.returning,
      holds: before?.holds,
      listens: before?.listens ?? 'no',
      since: before !== undefined && before.streams.size > 0 ? before.since : clock.monotonic(),
      cancel: () => {},
    };
    known.streams.add(event.stream);
    this.#known.set(id, known);
    // It may be there for other services than before.
    this.#given.delete(id);
    if (known.returning) {
      // A timer may be a fraction of a millisecond early.
      this.#timers.after(ASKS_MS + 1, () => this.#options.changed(new Set([id])));
      if (this.#areReturning()) this.#waitForReturns();
    }
    // A visitor changes nothing for anybody else.
    if (isCandidate(known) || hasProblem(known)) this.#change(known);
  }

  /** After a start: once all that come back are there, what they do not hold may go to anybody. */
  #waitForReturns(): void {
    if (this.#returns !== 'none') return;
    this.#returns = 'awaited';
    this.#timers.after(this.#startedAt + RETURN_MS - this.#options.clock.monotonic(), () => {
      // Whatever the clock says: a timer may be a fraction of a millisecond early.
      this.#returns = 'over';
      const returned = [...this.#known.values()].filter(({ returning }) => returning);
      this.#tell(returned.flatMap((known) => [known.id, ...this.#assign(known)]));
    });
  }

  /** Who asks for listeners takes requests: it may own services. */
  #asked(id: NodeId, { typeUrl, stream }: XdsEvent & { readonly kind: 'asked' }): void {
    const known = this.#known.get(id);
    if (known === undefined || !isProxy(known)) return;
    if (typeUrl === TYPE_URLS.cluster) known.sameId.opened(stream);
    if (typeUrl !== TYPE_URLS.listener || known.listens === 'yes') return;
    known.listens = known.returning ? 'yes' : 'asked';
    if (known.listens === 'asked') this.#awaitProof(id);
    this.#change(known);
  }

  #awaitProof(id: NodeId): void {
    this.#timers.after(PROOF_MS, () => {
      const known = this.#known.get(id);
      if (known?.listens !== 'asked') return;
      // An Envoy that starts with thousands of services is busy: nobody is to lose them who alone may have them.
      if (this.#listening().length < 2) {
        this.#awaitProof(id);
        return;
      }
      known.listens = 'silent';
      this.#change(known);
    });
  }

  #answered(id: NodeId, event: XdsEvent & { readonly kind: 'acked' | 'nacked' }): void {
    const known = this.#known.get(id);
    if (known === undefined || event.typeUrl !== TYPE_URLS.listener) return;
    const before = known.listens;
    if (before === 'asked' || before === 'silent') known.listens = 'yes';
    if (before === 'silent') this.#change(known);
  }

  #listening(): readonly Known[] {
    return [...this.#known.values()].filter((known) => isCandidate(known) && known.streams.size > 0);
  }

  /** The services an Envoy does not get: those it is not there for, and those with a limit that are not its `own`. */
  #absentFrom({ services }: Known, own: ReadonlySet<ServiceName>): ReadonlySet<ServiceName> {
    if (services === undefined) {
      // Thousands of Envoys that own nothing share one set.
      if (own.size === 0) return this.#limited;
      return own.size === this.#limited.size ? NONE : new Set([...this.#limited].filter((name) => !own.has(name)));
    }
    const absent = this.#owned.filter(({ service: { name } }) => {
      return !wants({ services }, name) || (this.#limited.has(name) && !own.has(name));
    });
    return new Set(absent.map(({ service }) => service.name));
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
    // Not by the clock: those that wait are looked at a moment after the others are no longer waited for.
    if (!known.returning || !isCandidate(known)) return false;
    return [...this.#owners.free].some((name) => wants(known, name));
  }

  #holds(id: NodeId, { names, stream }: XdsEvent & { readonly kind: 'holds' }): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    // A cluster is called as its service.
    known.holds = new Set(names as ServiceName[]);
    const isClaim = this.#owned === NOTHING || [...known.holds].some((name) => this.#limited.has(name));
    if (isClaim && this.#areReturning()) known.sameId.claimed(stream);
    this.#change(known);
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
    this.#change(known);
  }

  #forget(known: Known): void {
    known.sameId.stop();
    const isOfInterest = isCandidate(known) || hasProblem(known);
    const changed = this.#remove(known);
    if (isOfInterest) this.#tell(changed);
  }

  #gone(known: Known): void {
    const { log, graceMs } = this.#options;
    const services = [...this.#owners.of(known.id)];
    this.#tell(this.#remove(known));
    if (services.length === 0) return;
    log.warn(
      { node: known.id, services, graceMs },
      'this Envoy has been gone for so long that others may get its services; if it still runs, its pods may get more than their limit until it is back',
    );
  }

  #remove(known: Known): ReadonlySet<NodeId> {
    this.#known.delete(known.id);
    const changed = this.#owners.remove(known.id);
    for (const id of [known.id, ...changed]) this.#given.delete(id);
    return changed;
  }

  /** An Envoy is otherwise than before: finds what it owns now, and tells of it. */
  #change(known: Known): void {
    const { free } = this.#owners;
    const before = free.size;
    const changed = this.#assign(known);
    const waiting = free.size < before && this.#areReturning() ? this.#waitingForOwners() : [];
    this.#tell([known.id, ...changed, ...waiting]);
  }

  /** Envoys that wait no more, perhaps, as something has an owner now. */
  #waitingForOwners(): readonly NodeId[] {
    const isOver = this.#owners.free.size === 0;
    return [...this.#known.values()].flatMap(({ id, returning, services }) =>
      returning && (isOver || services !== undefined) ? [id] : [],
    );
  }

  /** Returns who owns other services than before. */
  #assign(known: Known): ReadonlySet<NodeId> {
    const { id, services, streams, holds = NONE, returning } = known;
    const waits = returning && this.#areReturning();
    const changed = isCandidate(known)
      ? this.#owners.set({ id, services, connected: streams.size > 0, holds, waits })
      : this.#owners.remove(id);
    for (const other of changed) this.#given.delete(other);
    return changed;
  }

  #tell(nodes: Iterable<NodeId>): void {
    this.#problems = undefined;
    this.#options.changed(new Set(nodes));
  }

  #areReturning(): boolean {
    return this.#returns !== 'over' && this.#options.clock.monotonic() - this.#startedAt < RETURN_MS;
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

function sameNames(a: Owned, b: Owned): boolean {
  return a.length === b.length && a.every(({ service }, at) => service.name === b[at]?.service.name);
}
