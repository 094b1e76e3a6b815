import type { Brand } from '../base/brand.ts';
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
 * The owners now. An owner stays one for as long as it is among `candidates` (first come first) and wants the service;
 * what nobody owns goes to an Envoy that holds it, else to the first that may have it. A service without a limit has no
 * owner: every Envoy may have it.
 */
export function assignOwners(owned: Owned, candidates: readonly Candidate[], before: Ownership): Ownership {
  const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]));
  const connected = candidates.filter((candidate) => candidate.connected);
  const ownerOf = (name: ServiceName): NodeId | undefined => {
    const last = byId.get(before.get(name) ?? NOBODY);
    if (last !== undefined && wants(last, name)) return last.id;
    const able = connected.filter((candidate) => wants(candidate, name));
    return (able.find(({ holds }) => holds.has(name)) ?? able.find(({ waits }) => !waits))?.id;
  };
  const owners = new Map<ServiceName, NodeId>();
  for (const { service } of owned) {
    const owner = service.discipline.kind === 'limited' ? ownerOf(service.name) : undefined;
    if (owner !== undefined) owners.set(service.name, owner);
  }
  return owners;
}

/** No Envoy is called so. */
const NOBODY = '\0' as NodeId;

/** Whether they are the very same services: mostly only pods have changed. */
export function sameServices(a: Owned, b: Owned): boolean {
  return a.length === b.length && a.every(({ service }, at) => service === b[at]?.service);
}

/** Whether an Envoy is there for the service. */
export function wants({ services }: Pick<Candidate, 'services'>, name: ServiceName): boolean {
  return services === undefined || services.has(name);
}

/** The services an Envoy does not get: those it is not there for, and those with a limit that it does not own. */
export function absentFrom(
  candidate: Pick<Candidate, 'id' | 'services'>,
  owned: Owned,
  owners: Ownership,
): ReadonlySet<ServiceName> {
  const absent = owned.filter(({ service: { name, discipline } }) => {
    return !wants(candidate, name) || (discipline.kind === 'limited' && owners.get(name) !== candidate.id);
  });
  return new Set(absent.map(({ service }) => service.name));
}
