import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type Page, textPage } from './page.ts';

/** How many requests a burst has. */
const REQUESTS = 12;

/** The header that the dashboard sends along: no form and no link of another page can. */
const MARK = 'x-sluice-burst';

/**
 * Sends a burst for the dashboard of the demo, and for nobody else: a page of another site has another origin, and a
 * name that was made to lead to this machine (DNS rebinding) is not an address.
 */
export function answerBurst(request: Pick<IncomingMessage, 'method' | 'headers'>, send: (count: number) => void): Page {
  if (request.method !== 'POST') return textPage(405, 'A burst is sent with POST.');
  const { host = '', origin, [MARK]: mark } = request.headers;
  if (!isThisMachine(host))
    return textPage(403, 'Open the dashboard by its IP address, or as localhost, to send a burst.');
  if (origin !== `http://${host}` || mark === undefined)
    return textPage(403, 'Only the dashboard itself sends bursts.');
  send(REQUESTS);
  return textPage(202, `${REQUESTS} requests are on their way.`);
}

/** `127.0.0.1:18001`, `[::1]:18001`, `localhost:18001`: what no DNS server decides. */
function isThisMachine(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}
