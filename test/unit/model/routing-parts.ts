import { millis } from '../../../src/base/duration.ts';
import type { Listener, ListenerName } from '../../../src/model/listener.ts';
import type { Locator } from '../../../src/model/locator.ts';
import type { Origin } from '../../../src/model/origin.ts';
import type { ForwardRoute, RouteMatch } from '../../../src/model/route.ts';
import type { RoutingPart } from '../../../src/model/routing.ts';
import type { Service, ServiceName, Slots } from '../../../src/model/service.ts';

/** A part with nothing in it but what is given. */
export function partOf(source: string, what: Partial<RoutingPart> = {}): RoutingPart {
  return { source, listeners: [], services: [], routes: [], implied: new Set(), problems: [], ...what };
}

/** A match of every request but for what is given. */
export function matchOf(what: Partial<RouteMatch> = {}): RouteMatch {
  return { path: { kind: 'prefix', prefix: '/' }, hosts: [], methods: [], headers: [], query: [], ...what };
}

/** A listener's name. */
export function listenerName(name: string): ListenerName {
  // Tests may call listeners what they like.
  return name as ListenerName;
}

/** A plain listener for every host at 127.0.0.1:80, but for what is given. */
export function listenerOf(name: string, what: Partial<Listener> = {}): Listener {
  return { name: listenerName(name), address: '127.0.0.1', port: 80, ...what };
}

/** An object's identity. */
export function originOf(name: string, created = 0): Origin {
  return { kind: 'HTTPRoute', namespace: 'shop', name, created };
}

/** A route at listener `l` to the service `s`, but for what is given. */
export function routeOf(name: string, what: Partial<ForwardRoute> = {}): ForwardRoute {
  return {
    kind: 'forward',
    name,
    listeners: [listenerName('l')],
    match: matchOf(),
    backends: [{ kind: 'service', service: serviceName('s'), weight: 1 }],
    ...what,
  };
}

/** A service's name. */
export function serviceName(name: string): ServiceName {
  // Tests may call services what they like.
  return name as ServiceName;
}

/** Port `port` of the Kubernetes Service `service` in namespace `ai`. */
export function kubernetes(service: string, port: number | string = 80): Locator {
  return { kind: 'kubernetes', namespace: 'ai', service, port: { kind: 'service', port } };
}

/** A service with the limit, or without one. */
export function serviceOf(name: string, locator: Locator, limit?: number): Service {
  return {
    name: serviceName(name),
    locator,
    protocol: 'http1',
    discipline:
      limit === undefined
        ? { kind: 'balanced', balance: 'least_request', maxRequests: 1024, queueMax: 1024, fullStatus: 429 }
        : // Tests give whole numbers above 0.
          { kind: 'limited', limit: limit as Slots, queue: { max: 1000, timeout: millis(0), fullStatus: 429 } },
    timeout: { request: millis(0), connect: millis(2000) },
    outlier: { consecutive5xx: 0, eject: millis(2000) },
  };
}
