import type { Brand } from '../base/brand.ts';
import type { Retiring } from '../model/model.ts';
import type { Service, ServiceName } from '../model/service.ts';

/** How an Envoy is called. */
export type NodeId = Brand<string, 'NodeId'>;

/** An Envoy that carries services, or did a moment ago. */
export interface Carrier {
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
export interface Owned {
  readonly services: readonly { readonly service: Pick<Service, 'name' | 'discipline'> }[];
  readonly retiring: readonly Pick<Retiring, 'service' | 'heir'>[];
}

/**
 * The owners now. An owner stays one for as long as it is among `carriers` (first come first) and wants the service;
 * a service under a new name stays with the owner of its old one; what nobody owns goes to an Envoy that holds it, else
 * to the first that may have it. A service without a limit has no owner: every Envoy may carry it.
 */
export function assignOwners(
  { services, retiring }: Owned,
  carriers: readonly Carrier[],
  before: Ownership,
): Ownership {
  const byId = new Map(carriers.map((carrier) => [carrier.id, carrier]));
  const connected = carriers.filter((carrier) => carrier.connected);
  const stays = (name: ServiceName, id: NodeId | undefined): id is NodeId => {
    const carrier = id === undefined ? undefined : byId.get(id);
    return carrier !== undefined && wants(carrier, name);
  };
  const ownerOf = (name: ServiceName): NodeId | undefined => {
    const last = before.get(name);
    if (stays(name, last)) return last;
    const old = retiring.find(({ heir, service }) => heir === name && service.name !== name)?.service.name;
    const inherited = old && before.get(old);
    if (stays(name, inherited)) return inherited;
    const able = connected.filter((carrier) => wants(carrier, name));
    return (able.find(({ holds }) => holds.has(name)) ?? able.find(({ waits }) => !waits))?.id;
  };
  const limited = [...services, ...retiring].filter(({ service }) => service.discipline.kind === 'limited');
  const owners = new Map<ServiceName, NodeId>();
  for (const { service } of limited) {
    const owner = ownerOf(service.name);
    if (owner !== undefined) owners.set(service.name, owner);
  }
  return owners;
}

/** Whether they are the very same services: mostly only pods have changed. */
export function sameServices(a: Owned, b: Owned): boolean {
  return (
    a.retiring.length === 0 &&
    b.retiring.length === 0 &&
    a.services.length === b.services.length &&
    a.services.every(({ service }, at) => service === b.services[at]?.service)
  );
}

/** Whether an Envoy is there for the service. */
export function wants({ services }: Pick<Carrier, 'services'>, name: ServiceName): boolean {
  return services === undefined || services.has(name);
}

/** The services an Envoy does not get: those it is not there for, and those with a limit that it does not own. */
export function absentFrom(
  carrier: Pick<Carrier, 'id' | 'services'>,
  { services, retiring }: Owned,
  owners: Ownership,
): ReadonlySet<ServiceName> {
  const absent = [...services, ...retiring].filter(({ service: { name, discipline } }) => {
    return !wants(carrier, name) || (discipline.kind === 'limited' && owners.get(name) !== carrier.id);
  });
  return new Set(absent.map(({ service }) => service.name));
}
