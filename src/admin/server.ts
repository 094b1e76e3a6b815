import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { systemClock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { readAssets } from './assets.ts';
import { answerBurst } from './burst.ts';
import { boundConnections } from './connections.ts';
import { nameOfGiver, orderRefusal } from './doors.ts';
import { Live } from './live.ts';
import { type Orders, parseOrder } from './orders.ts';
import { jsonPage, type Page, textPage } from './page.ts';
import { makePage, NOT_FOUND, type PageInputs } from './pages.ts';
import { isTrustedRequest } from './trusted.ts';

/** Where the admin listens: an IP address or host name, IPv6 without brackets, and a port; 0: the system picks one. */
export interface AdminAddress {
  readonly host: string;
  readonly port: number;
}

/** How the admin is started. */
export interface AdminOptions extends PageInputs {
  readonly address: AdminAddress;
  /** Further names by which people ask, in small letters; see `isTrustedRequest`. */
  readonly hosts?: readonly string[] | undefined;
  /** Carries out what operators order. */
  readonly orders?: Orders;
  /** Sends so many requests at once; undefined: nobody may ask for that (everywhere but in the demo). */
  readonly burst?: ((count: number) => void) | undefined;
  /** Told of every page that could not be made: a bug, which its reader sees as a 500. Must not throw. */
  readonly onFault?: (error: unknown) => void;
}

/** A running admin. */
export interface Admin {
  /** With the real port. */
  readonly address: AdminAddress;
  /** Lets answers that are under way finish for a moment, then closes everything. Safe to call twice. */
  stop(): Promise<void>;
}

/** What a client may take up, in time and room. Probes and scrapes are small and quick. */
const LIMITS = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16 * 1024,
};
const MAX_CONNECTIONS = 100;
const STOP_GRACE_MS = 500;

/** A page of somebody else's in the browser cannot see what is answered here: there are no CORS headers. */
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
};

/**
 * Serves the dashboard, health, readiness, status and metrics over HTTP. Errors: why it cannot listen there, and what to do.
 * There is no authentication: bind it to loopback, or to a network whose users may read it. Orders are taken from this
 * machine alone, see `orderRefusal`.
 */
export async function startAdmin(options: AdminOptions): Promise<Result<Admin, string>> {
  const onFault = options.onFault ?? (() => {});
  const live = new Live({ status: options.status, burst: options.burst !== undefined, onFault });
  const site: Site = { options, onFault, live, assets: readAssets() };
  const server = createServer(LIMITS, (request, response) => void answer(site, request, response));
  boundConnections(server, MAX_CONNECTIONS);
  const listening = await listen(server, options.address);
  if (!listening.ok) return listening;
  server.on('error', onFault);
  let stopped: Promise<void> | undefined;
  return ok({
    address: listening.value,
    stop() {
      live.stop();
      stopped ??= close(server);
      return stopped;
    },
  });
}

function listen(server: Server, address: AdminAddress): Promise<Result<AdminAddress, string>> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(fail(whyNotListening(address, error)));
    server.once('error', failed);
    server.listen(address.port, address.host, () => {
      server.off('error', failed);
      const bound = server.address();
      resolve(ok({ host: address.host, port: typeof bound === 'object' && bound ? bound.port : address.port }));
    });
  });
}

function whyNotListening({ host, port }: AdminAddress, { code, message }: NodeJS.ErrnoException): string {
  const place = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return `the admin cannot listen on ${place}: something listens there already; choose another with --admin`;
    case 'EADDRNOTAVAIL':
      return `the admin cannot listen on ${place}: this machine has no such address; choose another with --admin`;
    case 'EACCES':
      return `the admin cannot listen on ${place}: not permitted; choose a port above 1023 with --admin`;
    default:
      return `the admin cannot listen on ${place}: ${message}`;
  }
}

/** Everything that answers. */
interface Site {
  readonly options: AdminOptions;
  readonly onFault: (error: unknown) => void;
  readonly live: Live;
  readonly assets: ReadonlyMap<string, Page>;
}

async function answer(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // A client that leaves in the middle is nobody's fault.
  response.on('error', () => {});
  if (!isTrustedRequest(request, site.options.hosts) && !OPEN_TO_ALL.has(pathOf(request))) {
    send(response, UNTRUSTED);
    return;
  }
  if (request.method === 'GET' && pathOf(request) === '/events') {
    if (!site.live.open(response, HEADERS)) send(response, TOO_MANY);
    return;
  }
  const page = await pageFor(site, request).catch((error: unknown) => {
    site.onFault(error);
    return textPage(500, 'This page could not be made, which is a bug in Sluice; its log says more.');
  });
  send(response, page);
}

/** Probes and load balancers ask by any name, and the answer gives nothing away. */
const OPEN_TO_ALL: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

const UNTRUSTED = textPage(
  403,
  'Refused: by the name or the page that this request comes from. Ask by IP address, as localhost, by a name inside the cluster, or by one that was listed with --admin-host.',
);

const TOO_MANY = textPage(503, 'Too many dashboards are open; close one, or wait.');

function send(response: ServerResponse, page: Page): void {
  response.writeHead(page.status, {
    ...HEADERS,
    'content-type': page.type,
    'content-length': Buffer.byteLength(page.body),
    ...(page.status === 405 && { allow: page.allow ?? 'GET, HEAD' }),
  });
  response.end(page.body);
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '';
}

async function pageFor({ options, assets }: Site, request: IncomingMessage): Promise<Page> {
  const { method, url = '' } = request;
  const path = pathOf(request);
  if (options.burst !== undefined && path === '/burst') return answerBurst(request, options.burst);
  const query = new URLSearchParams(url.slice(path.length + 1));
  const order = parseOrder(path, query);
  if (order !== undefined && options.orders !== undefined) return answerOrder(request, order, options.orders);
  if (method !== 'GET' && method !== 'HEAD') return textPage(405, 'This is only read: use GET or HEAD.');
  if (path === '/queue' && options.orders !== undefined) return queuePage(options.orders, query);
  return assets.get(path) ?? (await makePage(path, options, query)) ?? NOT_FOUND;
}

async function answerOrder(
  request: IncomingMessage,
  order: NonNullable<ReturnType<typeof parseOrder>>,
  orders: Orders,
): Promise<Page> {
  if (request.method !== 'POST') return { ...textPage(405, 'Orders are given with POST.'), allow: 'POST' };
  const refusal = orderRefusal({ headers: request.headers, peer: request.socket.remoteAddress });
  if (refusal !== undefined) return textPage(403, refusal);
  if (!order.ok) return textPage(400, order.errors.join(' '));
  const done = await orders.give(order.value, nameOfGiver(request.headers));
  return done.ok ? textPage(200, done.value) : textPage(404, done.errors.join(' '));
}

/** Enough for a person; programs may ask for more. */
const MOST_LISTED = 100;
const MOST_ASKED = 5000;

async function queuePage(orders: Orders, query: URLSearchParams): Promise<Page> {
  const most = Math.min(MOST_ASKED, Math.max(1, Number.parseInt(query.get('most') ?? '', 10) || MOST_LISTED));
  const listing = await orders.queue(query.get('service') ?? '', most);
  return listing.ok ? jsonPage(200, listing.value) : textPage(404, listing.errors.join(' '));
}

async function close(server: Server): Promise<void> {
  const cancel = systemClock.after(STOP_GRACE_MS, () => server.closeAllConnections());
  await new Promise((resolve) => server.close(resolve));
  cancel();
}
