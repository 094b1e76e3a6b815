import type { Millis } from '../base/duration.ts';
import type { ServiceName } from './service.ts';

/** Which paths a route takes; the query is not part of the path. */
export type PathMatch =
  | { readonly kind: 'exact'; readonly path: string }
  /** On whole segments: `/v1` takes `/v1` and `/v1/x`, not `/v10`. */
  | { readonly kind: 'prefix'; readonly prefix: string }
  /** RE2, the whole path. */
  | { readonly kind: 'regex'; readonly regex: string };

/** A condition on one header or query parameter: its exact value, or only that it is there. */
export interface NamedMatch {
  readonly name: string;
  readonly value: { readonly kind: 'exact'; readonly text: string } | { readonly kind: 'present' };
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

/** How the path is changed before the pod sees it. */
export interface Rewrite {
  /** What stands in place of the matched prefix, or of the whole matched exact path. */
  readonly prefix: string;
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
  readonly path?:
    | { readonly kind: 'whole'; readonly path: string }
    /** In the place of the matched prefix. */
    | { readonly kind: 'prefix'; readonly prefix: string };
  readonly status: (typeof REDIRECT_STATUSES)[number];
}

interface CommonRoute {
  /** The key path in the route file (`routes[2]`), for messages and for Envoy's route name. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly responseHeaders?: HeaderChanges;
}

/** Leads the requests it matches to a service. */
export interface ServiceRoute extends CommonRoute {
  readonly kind: 'service';
  readonly service: ServiceName;
  readonly rewrite?: Rewrite;
  /** Overrides the service's `timeout.request`. */
  readonly requestTimeout?: Millis;
  readonly requestHeaders?: HeaderChanges;
}

/** Sends the clients whose requests it matches elsewhere. */
export interface RedirectRoute extends CommonRoute {
  readonly kind: 'redirect';
  readonly redirect: Redirect;
}

/** What becomes of the requests it matches. */
export type Route = ServiceRoute | RedirectRoute;
