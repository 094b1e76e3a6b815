import type { Clock } from '../base/clock.ts';
import type { Millis } from '../base/duration.ts';
import type { Logger } from '../base/log.ts';
import type { Problem } from '../model/problem.ts';
import type { ServiceName } from '../model/service.ts';
import type { NodeIdentity } from '../snapshot/cache.ts';
import type { XdsEvent } from '../xds/protocol/event.ts';
import { type CarrierState, carrierProblems, withheld } from './carrier-problems.ts';
import { chosenServices } from './chosen-services.ts';
import { hasGate, heldServices } from './held-services.ts';
import {
  absentFrom,
  assignOwners,
  type Carrier,
  type NodeId,
  type Owned,
  type Ownership,
  sameServices,
} from './ownership.ts';
import { Seats, type SeatsOptions } from './seats.ts';

/** What `Carriers` works with. */
export interface CarriersOptions extends Pick<SeatsOptions, 'ask' | 'drop'> {
  readonly clock: Clock;
  readonly log: Logger;
  /** How long an Envoy without a stream keeps its services. */
  readonly graceMs: Millis;
  /** Told when some Envoy is to get other services than before, or other problems are to be told. */
  readonly changed: () => void;
}

/** What one Envoy is given: nothing yet, or all but these services. */
export type Given =
  | { readonly kind: 'waits' }
  | { readonly kind: 'without'; readonly absent: ReadonlySet<ServiceName> };

/**
 * How long after a start Envoys that had services are waited for: they come back within a second (see the bootstrap).
 * Until then an Envoy that returns gets no more than it had.
 */
const RETURN_MS = 3000;

/** The services that give clusters. */
const CLUSTERS = /\.(Aggregated|Cluster)DiscoveryService$/;

interface Known extends CarrierState {
  /** Another kind of client: it does not wait in line, so it gets no service with a limit. */
  readonly isProxy: boolean;
  readonly streams: Set<number>;
  readonly seats: Seats;
  /** It had a configuration when it came. */
  returning: boolean;
  /** Undefined: not said. */
  holds: ReadonlySet<ServiceName> | undefined;
  /** Ends the wait for its return. */
  cancel: () => void;
}

const NONE = new Set<ServiceName>();
const NO_OWNERS: Ownership = new Map();
const NOTHING: Owned = { services: [], retiring: [] };

/** Which Envoys are there, and which services each of them gets. */
export class Carriers {
  readonly #options: CarriersOptions;
  readonly #known = new Map<NodeId, Known>();
  readonly #given = new Map<NodeId, ReadonlySet<ServiceName>>();
  readonly #timers = new Set<() => void>();
  readonly #startedAt: number;
  #owned: Owned = NOTHING;
  #owners: Ownership = new Map();
  #changes = 0;
  #problems: readonly Problem[] | undefined;

  constructor(options: CarriersOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
  }

  /** How often what Envoys are given has changed. */
  get changes(): number {
    return this.#changes;
  }

  /** Takes note of an Envoy that comes or goes. */
  record(event: XdsEvent): void {
    // Whoever speaks for a node may use its name: the brand stands for no more.
    const id = event.node.id as NodeId;
    if (event.kind === 'connected') this.#connected(id, event);
    else if (event.kind === 'holds') this.#holds(id, event);
    else if (event.kind === 'disconnected') this.#disconnected(id, event.stream);
    else if (event.kind === 'acked' || event.kind === 'nacked') this.#known.get(id)?.seats.heard(event.stream);
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

  /** What a node is given now; one that is not known stands for an Envoy that carries everything. */
  given({ id }: NodeIdentity, stream?: number): Given {
    const known = this.#known.get(id as NodeId);
    if (known === undefined) return { kind: 'without', absent: NONE };
    if (known.isProxy && known.returning && known.holds === undefined && this.#areReturning()) return { kind: 'waits' };
    const seat = known.isProxy ? known.seats.seat(stream) : 'holds';
    if (seat === 'waits') return { kind: 'waits' };
    if (seat === 'second') return { kind: 'without', absent: absentFrom(known, this.#owned, NO_OWNERS) };
    const absent = this.#given.get(known.id) ?? absentFrom(known, this.#owned, this.#owners);
    this.#given.set(known.id, absent);
    return { kind: 'without', absent };
  }

  /** By node, the services with a limit that it is there for and that it, or another of its id, does not get. */
  withheld(): ReadonlyMap<NodeId, readonly ServiceName[]> {
    return withheld(this.#proxies(), this.#owners, ({ id, seats }, owner) => owner !== id || seats.seconds > 0);
  }

  /** Whether these clusters are of the Envoy that carries the services: others with its node id have no gates. */
  isCarriers(id: string, clusters: readonly string[]): boolean {
    const seconds = this.#known.get(id as NodeId)?.seats.seconds ?? 0;
    return seconds === 0 || hasGate(clusters);
  }

  /** Everything about Envoys that somebody has to mend. */
  problems(): readonly Problem[] {
    this.#problems ??= carrierProblems({
      carriers: [...this.#known.values()],
      withheld: withheld(this.#proxies(), this.#owners, ({ id }, owner) => owner !== id),
      owners: this.#owners,
      existing: this.#owned === NOTHING ? undefined : new Set(this.#owned.services.map(({ service }) => service.name)),
      graceMs: this.#options.graceMs,
    });
    return this.#problems;
  }

  /** Ends all waiting. */
  stop(): void {
    for (const { cancel, seats } of this.#known.values()) {
      cancel();
      seats.stop();
    }
    for (const cancel of this.#timers) cancel();
  }

  #connected(id: NodeId, event: XdsEvent & { readonly kind: 'connected' }): void {
    const before = this.#known.get(id);
    before?.cancel();
    const known: Known = {
      id,
      ...chosenServices(event.node.metadata),
      isProxy: !/^grpc/i.test(event.userAgent),
      streams: before?.streams ?? new Set(),
      seats: before?.seats ?? this.#newSeats(),
      returning: (before?.returning ?? false) || event.returning,
      holds: before?.holds,
      cancel: () => {},
    };
    known.streams.add(event.stream);
    this.#known.set(id, known);
    if (known.isProxy && CLUSTERS.test(event.service)) known.seats.opened(event.stream);
    if (known.returning && this.#areReturning())
      this.#timers.add(this.#options.clock.after(RETURN_MS, () => this.#waitEnded()));
    this.#tell(id);
  }

  /** Those who waited get something now. */
  #waitEnded(): void {
    this.#changes++;
    this.#tell();
  }

  #proxies(): readonly Known[] {
    return [...this.#known.values()].filter(({ isProxy, streams }) => isProxy && streams.size > 0);
  }

  #newSeats(): Seats {
    const { clock, ask, drop } = this.#options;
    return new Seats({ clock, ask, drop, changed: () => this.#waitEnded() });
  }

  #holds(id: NodeId, { names, stream }: XdsEvent & { readonly kind: 'holds' }): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    known.holds = heldServices(names);
    if (hasGate(names) && this.#areReturning()) known.seats.claimed(stream);
    this.#tell(id);
  }

  #disconnected(id: NodeId, stream: number): void {
    const known = this.#known.get(id);
    if (known === undefined || !known.streams.delete(stream)) return;
    known.seats.closed(stream);
    if (known.streams.size === 0) {
      known.cancel = this.#options.clock.after(this.#options.graceMs, () => this.#gone(known));
    }
    this.#tell();
  }

  #gone({ id }: Known): void {
    const { log, graceMs } = this.#options;
    const before = this.#owners;
    this.#known.delete(id);
    this.#given.delete(id);
    this.#tell();
    const moved = [...before].filter(([, owner]) => owner === id).map(([name]) => name);
    if (moved.length === 0) return;
    log.warn(
      { node: id, services: moved, graceMs },
      'this Envoy has been gone for so long that others may get its services; if it still runs, its pods may get more than their limit until it is back',
    );
  }

  /** Finds the owners anew, because of `by` if it was one Envoy, and tells of it. */
  #tell(by?: NodeId): void {
    this.#assign(by);
    this.#options.changed();
  }

  #assign(by?: NodeId): void {
    const areReturning = this.#areReturning();
    const carriers = [...this.#known.values()].map(
      (known): Carrier => ({
        id: known.id,
        services: known.services,
        connected: known.streams.size > 0,
        holds: known.isProxy ? (known.holds ?? NONE) : NONE,
        waits: !known.isProxy || (known.returning && areReturning),
      }),
    );
    const before = this.#owners;
    this.#owners = assignOwners(this.#owned, carriers, before);
    this.#given.clear();
    this.#problems = undefined;
    // What comes to the Envoy that is just asking needs no publication.
    const others = [...this.#owners].some(([name, owner]) => owner !== by && before.get(name) !== owner);
    if (others) this.#changes++;
  }

  #areReturning(): boolean {
    return this.#options.clock.monotonic() - this.#startedAt < RETURN_MS;
  }
}
