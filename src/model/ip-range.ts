import { isIPv4, isIPv6 } from 'node:net';

/** Addresses whose first bits are the same: `10.0.0.0/8`. */
export interface IpRange {
  readonly address: string;
  readonly bits: number;
}

/** Which clients a route takes, by the address that they come from; the others are answered with 403. */
export interface ClientRanges {
  /** Undefined: all that are not denied. */
  readonly allowed?: readonly IpRange[];
  /** They go before those that are allowed. */
  readonly denied: readonly IpRange[];
}

/** Reads `10.0.0.0/8`, or one address; undefined: it is neither. */
export function parseIpRange(text: string): IpRange | undefined {
  const [, address = '', digits] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : undefined;
  const bits = digits === undefined ? most : Number(digits);
  return most === undefined || bits === undefined || bits > most ? undefined : { address, bits };
}

/** Whether every address, IPv4 and IPv6, is in one of the ranges. */
export function isEverybody(ranges: readonly IpRange[]): boolean {
  const whole = ranges.filter(({ bits }) => bits === 0);
  return whole.some(({ address }) => isIPv4(address)) && whole.some(({ address }) => isIPv6(address));
}

/** `only 10.0.0.0/8, but not 10.1.0.0/16`, for people. */
export function describeClients({ allowed, denied }: ClientRanges): string {
  const list = (ranges: readonly IpRange[]) => ranges.map(({ address, bits }) => `${address}/${bits}`).join(', ');
  if (allowed === undefined) return `all but ${list(denied)}`;
  return `only ${list(allowed)}${denied.length === 0 ? '' : `, but not ${list(denied)}`}`;
}
