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
}

/** How the path is changed before the pod sees it. */
export interface Rewrite {
  /** What stands in place of the matched prefix, or of the whole matched exact path. */
  readonly prefix: string;
}

/** Leads the requests it matches to a service. */
export interface Route {
  /** The key path in the route file (`routes[2]`), for messages and for Envoy's route name. */
  readonly name: string;
  readonly match: RouteMatch;
  readonly service: ServiceName;
  readonly rewrite?: Rewrite;
  /** Overrides the service's `timeout.request`. */
  readonly requestTimeout?: Millis;
}
