import { isIPv4 } from 'node:net';
import { formatAddress, type PodAddress } from '../../model/locator.ts';

/** Where Envoy takes requests. */
export interface OwnAddress {
  readonly address: string;
  readonly port: number;
}

/** Whether Envoy takes requests at this very address itself: one that it sends there waits for itself. */
export function isOwnAddress({ address, port }: OwnAddress, pod: PodAddress): boolean {
  if (pod.port !== port) return false;
  if (formatAddress({ ip: address, port }) === formatAddress(pod)) return true;
  // Of the machine's other addresses nothing is known here.
  const isHere = isLoopback(pod.ip) || pod.ip === '0.0.0.0' || pod.ip === '::';
  return isHere && (address === '::' || (address === '0.0.0.0' && isIPv4(pod.ip)));
}

function isLoopback(ip: string): boolean {
  return ip === '::1' || (isIPv4(ip) && ip.startsWith('127.'));
}
