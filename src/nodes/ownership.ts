import type { Brand } from '../base/brand.ts';
import { remember } from '../base/remember.ts';
import type { Service, ServiceName } from '../model/service.ts';

/** How an Envoy is called. */
export type NodeId = Brand<string, 'NodeId'>;

/** An Envoy that owns services, or may. */
export interface Candidate {
  readonly id: NodeId;
  /** The services it is there for; undefined: all. */
  readonly services: ReadonlySet<string> | undefined;
  /** Whether it has a stream. One without may still be at work, so it keeps what it has. */
  readonly connected: boolean;
  /** Services it said it has when it came: it was given them before the control plane was started. */
  readonly holds: ReadonlySet<ServiceName>;
  /** Whether it may only have what it holds, because others that hold the rest may be about to return. */
  readonly waits: boolean;
}

/**
 * Which Envoy owns each service with a limit. Every Envoy counts for itself, so two of them on one service would give
 * its pods twice the limit (run on 1.40): it has one owner, and the others do not get it.
 */
export type Ownership = ReadonlyMap<ServiceName, NodeId>;

/** What owners are found for. */
export type Owned = readonly { readonly service: Pick<Service, 'name' | 'discipline'> }[];

/**
 * Finds the owners. One stays an owner for as long as it is a candidate and wants the service; what nobody owns goes to an
 * Envoy that holds it, else to the first that may have it. A service without a limit has no owner: every Envoy may have it.
 *
 * What nobody owns nobody could have, so whoever comes or changes is the only one who may get it: the cost of that does not
 * grow with the number of Envoys.
 */
export class Owners {
  /** First come first. */
  readonly #candidates = new Map<NodeId, Candidate>();
  readonly #owners = new Map<ServiceName, NodeId>();
  readonly #byOwner = new Map<NodeId, Set<ServiceName>>();
  readonly #free = new Set<ServiceName>();

  /** By service; it goes on changing. */
  get all(): Ownership {
    return this.#owners;
  }

  /** What each Envoy owns, those left out that own nothing. */
  get byOwner(): ReadonlyMap<NodeId, ReadonlySet<ServiceName>> {
    return this.#byOwner;
  }

  /** Services with a limit that nobody owns. */
  get free(): ReadonlySet<ServiceName> {
    return this.#free;
  }

  /** What an Envoy owns. */
  of(id: NodeId): ReadonlySet<ServiceName> {
    return this.#byOwner.get(id) ?? NOTHING;
  }

  /** From now on these services have a limit. Returns whether one of them has another owner than before. */
  follow(limited: ReadonlySet<ServiceName>): boolean {
    const gone = [...this.#owners.keys()].filter((name) => !limited.has(name));
    for (const name of gone) this.#release(name);
    for (const name of this.#free) if (!limited.has(name)) this.#free.delete(name);
    const found = this.#find([...limited].filter((name) => !this.#owners.has(name)));
    return gone.length > 0 || found.length > 0;
  }

  /** An Envoy comes, or is otherwise than before. Returns who owns other services than before. */
  set(candidate: Candidate): ReadonlySet<NodeId> {
    const { id, holds, waits } = candidate;
    this.#candidates.set(id, candidate);
    const unwanted = [...this.of(id)].filter((name) => !wants(candidate, name));
    for (const name of unwanted) this.#release(name);
    const changed = new Set(this.#find(unwanted));
    if (unwanted.length > 0) changed.add(id);
    if (!candidate.connected || this.#free.size === 0) return changed;
    const mayHave = waits ? [...holds].filter((name) => this.#free.has(name)) : [...this.#free];
    for (const name of mayHave) {
      if (!wants(candidate, name)) continue;
      this.#give(name, id);
      changed.add(id);
    }
    return changed;
  }

  /** An Envoy is none any more. Returns who owns other services than before. */
  remove(id: NodeId): ReadonlySet<NodeId> {
    const names = [...this.of(id)];
    this.#candidates.delete(id);
    for (const name of names) this.#release(name);
    const changed = new Set(this.#find(names));
    return names.length > 0 ? changed.add(id) : changed;
  }

  /** Looks for an owner of each, among all; returns who got one. */
  #find(names: readonly ServiceName[]): readonly NodeId[] {
    if (names.length === 0) return [];
    const connected = [...this.#candidates.values()].filter((candidate) => candidate.connected);
    const holders = connected.filter(({ holds }) => holds.size > 0);
    const free = connected.filter(({ waits }) => !waits);
    return names.flatMap((name) => {
      const owner =
        holders.find((candidate) => candidate.holds.has(name) && wants(candidate, name)) ??
        free.find((candidate) => wants(candidate, name));
      if (owner !== undefined) this.#give(name, owner.id);
      else this.#free.add(name);
      return owner === undefined ? [] : [owner.id];
    });
  }

  #give(name: ServiceName, id: NodeId): void {
    this.#free.delete(name);
    this.#owners.set(name, id);
    remember(this.#byOwner, id, () => new Set<ServiceName>()).add(name);
  }

  #release(name: ServiceName): void {
    const id = this.#owners.get(name);
    if (id === undefined) return;
    this.#owners.delete(name);
    const own = this.#byOwner.get(id);
    own?.delete(name);
    if (own?.size === 0) this.#byOwner.delete(id);
  }
}

const NOTHING: ReadonlySet<ServiceName> = new Set();

/** Whether they are the very same services: mostly only pods have changed. */
export function sameServices(a: Owned, b: Owned): boolean {
  return a.length === b.length && a.every(({ service }, at) => service === b[at]?.service);
}

/** Whether an Envoy is there for the service. */
export function wants({ services }: Pick<Candidate, 'services'>, name: ServiceName): boolean {
  return services === undefined || services.has(name);
}
