import { narrowerHost, takesHost } from './host.ts';
import { FILE_LISTENER, type Listener, type ListenerName } from './listener.ts';
import { formatAddress } from './locator.ts';
import { byPrecedenceAt } from './precedence.ts';
import type { Route } from './route.ts';

/** An address and port, with all listeners that are there. */
export interface Socket {
  /** `public` where the route file's listener is, `10.0.0.1:80` elsewhere. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly tls: boolean;
  readonly listeners: readonly Listener[];
}

/** What becomes of requests for one host. */
export interface VirtualHost {
  /** A host name, `*.example`, or `*` for all others. */
  readonly host: string;
  /** In the order in which they are tried; undefined: the request has come over a connection for another listener. */
  readonly routes: readonly Route[] | undefined;
}

/** Listeners by address and port, in the order of the listeners. */
export function socketsOf(listeners: readonly Listener[]): readonly Socket[] {
  const byKey = new Map<string, Listener[]>();
  for (const listener of listeners) {
    const key = formatAddress({ ip: listener.address, port: listener.port });
    const others = byKey.get(key);
    if (others === undefined) byKey.set(key, [listener]);
    else others.push(listener);
  }
  return [...byKey].flatMap(([key, there]): readonly Socket[] => {
    const [first] = there;
    if (first === undefined) return [];
    const isFiles = there.some(({ name }) => name === FILE_LISTENER);
    const { address, port, tls } = first;
    return [{ name: isFiles ? FILE_LISTENER : key, address, port, tls: tls !== undefined, listeners: there }];
  });
}

/** The routes of each listener by the hosts that they name, and under `ANY_HOST` those that name none. */
export type RoutesByListener = ReadonlyMap<ListenerName, ReadonlyMap<string, readonly Route[]>>;

const ANY_HOST = '';

/** See `RoutesByListener`: with a thousand routes, not all of them are looked at for each host. */
export function routesByListener(routes: readonly Route[]): RoutesByListener {
  const byName = new Map<ListenerName, Map<string, Route[]>>();
  for (const route of routes) {
    const { hosts } = route.match;
    for (const name of route.listeners) {
      const byHost = byName.get(name) ?? new Map<string, Route[]>();
      byName.set(name, byHost);
      for (const host of hosts.length === 0 ? [ANY_HOST] : hosts) {
        const others = byHost.get(host);
        if (others === undefined) byHost.set(host, [route]);
        else others.push(route);
      }
    }
  }
  return byName;
}

/** The routes at a listener that take requests for a host. */
function routesTaking(host: string, listener: ListenerName, routes: RoutesByListener): readonly Route[] {
  const byHost = routes.get(listener);
  if (byHost === undefined) return [];
  const labels = host.replace(/^\*\./, '').split('.');
  const wildcards = labels.map((_, at) => `*.${labels.slice(at).join('.')}`).filter((own) => takesHost(own, host));
  const keys = new Set([host, ...wildcards, ANY_HOST]);
  return [...new Set([...keys].flatMap((key) => byHost.get(key) ?? []))];
}

/**
 * What becomes of each host at a socket of plain HTTP. A request belongs to the listener with the most specific host name
 * that takes its host, and meets the routes of that one only.
 */
export function virtualHosts({ listeners }: Socket, routes: RoutesByListener): readonly VirtualHost[] {
  const hosts = new Set(listeners.flatMap((listener) => hostsAt(listener, routes)));
  return [...hosts].sort().flatMap((host) => {
    const listener = listenerFor(listeners, host);
    return listener === undefined ? [] : [virtualHost(host, listener, routes)];
  });
}

/**
 * The same over a connection whose client has asked for one listener by name (SNI). A host that is another listener's is
 * misdirected: clients may send such a request where the certificates of both are the same.
 */
export function virtualHostsOver(
  own: Listener,
  { listeners }: Socket,
  routes: RoutesByListener,
): readonly VirtualHost[] {
  const others = listeners.filter((listener) => listener !== own).map(({ hostname }) => hostname ?? '*');
  const hosts = new Set([...hostsAt(own, routes), ...others]);
  return [...hosts].sort().flatMap((host) => {
    const listener = listenerFor(listeners, host);
    if (listener === undefined) return [];
    return [listener === own ? virtualHost(host, own, routes) : { host, routes: undefined }];
  });
}

/** Hosts to which something at this listener applies. */
function hostsAt({ name, hostname }: Listener, routes: RoutesByListener): readonly string[] {
  const named = [...(routes.get(name)?.keys() ?? [])];
  const own = named.flatMap((host) =>
    host === ANY_HOST ? [hostname ?? '*'] : (narrowerHost(host, hostname)?.host ?? []),
  );
  // Also without a route: what is meant for it must not go to a less specific one.
  return hostname === undefined ? own : [hostname, ...own];
}

/** The one with the most specific host name that takes the host. */
export function listenerFor(listeners: readonly Listener[], host: string): Listener | undefined {
  const fitting = listeners.filter(({ hostname }) => hostname === undefined || takesHost(hostname, host));
  const length = ({ hostname }: Listener) => (hostname === host ? Number.POSITIVE_INFINITY : (hostname?.length ?? 0));
  return fitting.toSorted((a, b) => length(b) - length(a))[0];
}

function virtualHost(host: string, { name }: Listener, routes: RoutesByListener): VirtualHost {
  return { host, routes: routesTaking(host, name, routes).toSorted(byPrecedenceAt(host)) };
}
