import { isIP } from 'node:net';
import type { Objects } from '../objects/object.ts';
import { type Published, publishedAddresses } from '../objects/published.ts';
import type { Gateway, GatewayAddress } from './objects.ts';

/** Where Gateways may listen, and under which addresses they are reached. */
export interface AddressOptions {
  /** Addresses of the machines that Envoy runs on, one for each Gateway; empty: all Gateways share every address. */
  readonly pool: readonly string[];
  /** What is told as the address of Gateways that share every address. */
  readonly published: Published;
}

/** The same with the addresses that are known now. */
interface KnownAddresses {
  readonly pool: readonly string[];
  readonly published: readonly string[];
}

/** Where one Gateway listens. */
export interface AssignedAddresses {
  /** What Envoy binds; empty: nothing could be assigned. */
  readonly bind: readonly string[];
  /** What its status tells. */
  readonly published: readonly GatewayAddress[];
  /** Undefined: all that it asked for. */
  readonly fault?: {
    readonly condition: 'Accepted' | 'Programmed';
    readonly reason: 'UnsupportedAddress' | 'AddressNotUsable' | 'AddressNotAssigned';
    readonly message: string;
  };
}

/** Where every Gateway listens. */
export type GatewayAddresses = ReadonlyMap<Gateway, AssignedAddresses>;

const NOTHING: AssignedAddresses = { bind: [], published: [] };

/** What was assigned to a Gateway. */
export function addressesOf(gateway: Gateway, addresses: GatewayAddresses): AssignedAddresses {
  return addresses.get(gateway) ?? NOTHING;
}

/**
 * Assigns addresses to Gateways (oldest first): those that are asked for by name; else the one that a Gateway has had
 * before, as its status tells; else one that nobody has; and when there is none left, one that others have as well.
 */
export function assignAddresses(
  gateways: readonly Gateway[],
  options: AddressOptions,
  objects: Objects,
): GatewayAddresses {
  const { pool } = options;
  const published = publishedAddresses(objects, options.published);
  const assigned = new Map<Gateway, AssignedAddresses>();
  const taken = new Set<string>();
  const take = (gateway: Gateway, address: string) => {
    taken.add(address);
    assigned.set(gateway, { bind: [address], published: [toAddress(address)] });
  };
  const others: Gateway[] = [];
  for (const gateway of gateways) {
    const asked = (gateway.spec.addresses ?? []).filter(({ value }) => value !== undefined && value !== '');
    if (asked.length === 0) {
      others.push(gateway);
      continue;
    }
    const result = assignAsked(asked, { pool, published });
    for (const address of result.bind) taken.add(address);
    assigned.set(gateway, result);
  }
  const left: Gateway[] = [];
  for (const gateway of others) {
    const before = (gateway.status?.addresses ?? []).map(({ value = '' }) => value).find((one) => pool.includes(one));
    if (before !== undefined && !taken.has(before)) take(gateway, before);
    else left.push(gateway);
  }
  for (const [at, gateway] of left.entries()) {
    const address = pool.find((one) => !taken.has(one)) ?? pool[at % Math.max(1, pool.length)];
    if (address !== undefined) take(gateway, address);
    else assigned.set(gateway, shared(published));
  }
  return assigned;
}

function shared(published: readonly string[]): AssignedAddresses {
  return { bind: [EVERY_ADDRESS], published: published.map(toAddress) };
}

const EVERY_ADDRESS = '0.0.0.0';

function assignAsked(asked: readonly GatewayAddress[], { pool, published }: KnownAddresses): AssignedAddresses {
  const unknown = asked.filter(({ type = 'IPAddress' }) => type !== 'IPAddress');
  if (unknown.length > 0) {
    const types = unknown.map(({ type }) => type).join(', ');
    const message = `addresses of type ${types} are not supported; IPAddress is`;
    return { ...NOTHING, fault: { condition: 'Accepted', reason: 'UnsupportedAddress', message } };
  }
  const values = asked.map(({ value = '' }) => value);
  const known = pool.length > 0 ? pool : published;
  const unusable = values.filter((value) => !known.includes(value));
  const usable = values.filter((value) => known.includes(value));
  const bind = pool.length > 0 ? usable : usable.slice(0, 1).map(() => EVERY_ADDRESS);
  const result = { bind, published: usable.map(toAddress) };
  if (unusable.length === 0) return result;
  const message = `Envoy does not have ${unusable.join(', ')}; it has ${known.join(', ') || 'no address that is known'}`;
  return { ...result, fault: { condition: 'Programmed', reason: 'AddressNotUsable', message } };
}

function toAddress(value: string): GatewayAddress {
  return { type: isIP(value) === 0 ? 'Hostname' : 'IPAddress', value };
}
