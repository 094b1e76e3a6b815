import type { Millis } from '../base/duration.ts';
import type { ClientRanges } from './ip-range.ts';
import type { ListenerName } from './listener.ts';
import type { Origin } from './origin.ts';
import type { ServiceName } from './service.ts';

/** Which paths a route takes; the query is not part of the path. */
export type PathMatch =
  | { readonly kind: 'exact'; readonly path: string }
  /** On whole segments: `/v1` takes `/v1` and `/v1/x`, not `/v10`. */
  | { readonly kind: 'prefix'; readonly prefix: string }
  /** On characters: `/v1` takes `/v10` as well. */
  | { readonly kind: 'start'; readonly prefix: string }
  /** RE2, the whole path. */
  | { readonly kind: 'regex'; readonly regex: string };

/** A condition on one header or query parameter: its exact value, a regex for the whole of it, or only that it is there. */
export interface NamedMatch {
  readonly name: string;
  readonly value:
    | { readonly kind: 'exact'; readonly text: string }
    /** RE2, the whole value. */
    | { readonly kind: 'regex'; readonly regex: string }
    | { readonly kind: 'present' };
}

/** Everything must hold; an empty list asks nothing. */
export interface RouteMatch {
  readonly path: PathMatch;
  /** Host names without port, lower case; `*.x` takes any subdomain of x. */
  readonly hosts: readonly string[];
  /** Upper case. */
  readonly methods: readonly string[];
  readonly headers: readonly NamedMatch[];
  /** Names and values as the client sends them: percent-encoded. */
  readonly query: readonly NamedMatch[];
}

/** The match of every request, to begin with. */
export const EVERYTHING: RouteMatch = {
  path: { kind: 'prefix', prefix: '/' },
  hosts: [],
  methods: [],
  headers: [],
  query: [],
};

/** How a path is written anew. */
export type PathChange =
  /** In the place of the matched prefix, or of the whole matched exact path. */
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'whole'; readonly path: string }
  /** Of the whole path; `\1` in the substitution is the first group. */
  | { readonly kind: 'regex'; readonly regex: string; readonly substitution: string };

/** How path and host are changed before the pod sees them. */
export interface Rewrite {
  readonly path?: PathChange;
  readonly host?: string;
}

/** A header with the value it gets. */
export interface HeaderValue {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

/** How headers are changed; names are in lower case, and each is in one of the lists only. */
export interface HeaderChanges {
  /** In the place of headers of the same name. */
  readonly set: readonly HeaderValue[];
  /** Besides headers of the same name. */
  readonly add: readonly HeaderValue[];
  readonly remove: readonly string[];
}

/** The statuses with which a client is sent elsewhere. */
export const REDIRECT_STATUSES = [301, 302, 303, 307, 308] as const;

/** Where a client is sent; what is left out stays as the client asked for it. The query always stays. */
export interface Redirect {
  readonly scheme?: 'http' | 'https';
  readonly host?: string;
  readonly port?: number;
  readonly path?: PathChange;
  readonly status: (typeof REDIRECT_STATUSES)[number];
}

/** Which other sites' scripts may ask (CORS); answered by Envoy itself, before any queue. */
export interface Cors {
  /** Origins such as `https://app.example`; `*` for all, and `*.` for any depth of subdomains. */
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  readonly credentials: boolean;
  /** Seconds for which a browser may remember the answer. */
  readonly maxAge?: number;
}

/** A part of the requests is sent a second time, to a service whose answers nobody waits for. */
export interface Mirror {
  readonly service: ServiceName;
  /** Of a million requests. */
  readonly perMillion: number;
}

/** One of those to whom a route leads. */
export type Backend =
  | {
      readonly kind: 'service';
      readonly service: ServiceName;
      /** Its share is this in the sum of all weights of the route. */
      readonly weight: number;
      readonly requestHeaders?: HeaderChanges;
      readonly responseHeaders?: HeaderChanges;
    }
  /** Something that is not there, or may not be used: its share is answered with 500. */
  | { readonly kind: 'missing'; readonly weight: number };

/** Keeps routes of one object in its own order, where the first match wins. */
export interface RouteOrder {
  /** The same for routes that are tried in the order of `index`. */
  readonly group: string;
  readonly index: number;
}

interface CommonRoute {
  /** `routes[2]` in the route file, `HTTPRoute shop/checkout rules[0].matches[1]` of an object: for messages and for Envoy. */
  readonly name: string;
  /** Undefined: the route file. */
  readonly origin?: Origin;
  /** Where requests must come to. */
  readonly listeners: readonly ListenerName[];
  readonly match: RouteMatch;
  readonly order?: RouteOrder;
  readonly responseHeaders?: HeaderChanges;
  readonly cors?: Cors;
  /** Undefined: it takes every client. */
  readonly clients?: ClientRanges;
}

/** Leads the requests it matches to services. */
export interface ForwardRoute extends CommonRoute {
  readonly kind: 'forward';
  /** None, or none with a weight: there is nobody to answer, and the answer is 500. */
  readonly backends: readonly Backend[];
  readonly rewrite?: Rewrite;
  /** Overrides the service's `timeout.request`. */
  readonly requestTimeout?: Millis;
  /** The class of its requests, whatever their header says; of services that have it. */
  readonly priority?: string;
  readonly requestHeaders?: HeaderChanges;
  readonly mirrors?: readonly Mirror[];
}

/** Sends the clients whose requests it matches elsewhere. */
export interface RedirectRoute extends CommonRoute {
  readonly kind: 'redirect';
  readonly redirect: Redirect;
}

/** Answers the requests it matches itself. */
export interface AnswerRoute extends CommonRoute {
  readonly kind: 'answer';
  readonly status: number;
  readonly body: string;
}

/** What becomes of the requests it matches. */
export type Route = ForwardRoute | RedirectRoute | AnswerRoute;

/** The services that a route leads to, its mirrors included; each once. */
export function servicesOf(route: Route): readonly ServiceName[] {
  if (route.kind !== 'forward') return [];
  const backends = route.backends.flatMap((backend) => (backend.kind === 'service' ? [backend.service] : []));
  return [...new Set([...backends, ...(route.mirrors ?? []).map(({ service }) => service)])];
}
