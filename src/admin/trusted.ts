import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** What of a request tells whether it is trusted. */
export interface AskedRequest {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** Endings that no public DNS server answers for: names under them cannot be made to lead here by a stranger. */
const PRIVATE_ENDINGS = ['localhost', 'svc', 'local', 'internal', 'home.arpa', 'test'];

/**
 * Whether a request may be answered: not one that a page of another site has the browser send. Such a page may have a name
 * of its own lead to this machine (DNS rebinding), so the name that is asked for must be one that no stranger decides on: an
 * IP address, a name without a dot, a private ending, or one of `names`, which the user has listed. And a browser says
 * where a request comes from: that must be the same place.
 */
export function isTrustedRequest({ method, headers }: AskedRequest, names: readonly string[] = []): boolean {
  const { host, origin } = headers;
  if (host !== undefined && !isTrustedHost(host, names)) return false;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) return false;
  const site = headers['sec-fetch-site'];
  // To follow a link from elsewhere is no harm: only its reader sees the page.
  const isReading = method === 'GET' || method === 'HEAD';
  const isNavigation = isReading && headers['sec-fetch-mode'] === 'navigate';
  return site === undefined || site === 'same-origin' || site === 'none' || isNavigation;
}

function isTrustedHost(host: string, names: readonly string[]): boolean {
  const name = host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
  if (isIP(name) !== 0 || !name.includes('.') || names.includes(name)) return true;
  return PRIVATE_ENDINGS.some((ending) => name.endsWith(`.${ending}`));
}
