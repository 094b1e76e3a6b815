import { envoy } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import { formatDuration } from '../base/duration.ts';
import { fittingHosts } from '../model/host.ts';
import type {
  AnswerRoute,
  ForwardRoute,
  NamedMatch,
  PathChange,
  PathMatch,
  RedirectRoute,
  Route,
} from '../model/route.ts';
import type { Routing } from '../model/routing.ts';
import type { Service } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { clusterName, HEADERS, METADATA, PUBLIC, ROUTE_KEYS } from './contract.ts';
import { resource, struct } from './encode.ts';
import { addedHeaders } from './header-changes.ts';
import type { FilterOptions } from './options.ts';
import { rewritePrefix } from './path-rewrite.ts';
import { queueOnRoute } from './queue-filter.ts';
import { redirectAction } from './redirect.ts';
import { retryPolicy } from './retries.ts';
import { NO_ROUTE_TIMEOUT, workTimeout } from './work-timeout.ts';

const { RouteConfiguration } = envoy.config.route.v3;

type EnvoyRoute = envoy.config.route.v3.Route.$Properties;
type EnvoyRouteAction = envoy.config.route.v3.RouteAction.$Properties;
type EnvoyRouteMatch = envoy.config.route.v3.RouteMatch.$Properties;

/** Which request goes to which service. Throws when a route's service is not there: resolving never makes that. */
export function publicRoutes({ routes, services }: Routing, filter: FilterOptions): EncodedResource {
  const byName = new Map(services.map((service) => [service.name, service]));
  // The first one: the route file has no other.
  const serviceOf = ({ name, backends }: ForwardRoute): Service => {
    const [backend] = backends;
    const service = backend?.kind === 'service' ? byName.get(backend.service) : undefined;
    if (service === undefined) throw new Error(`route ${name} leads to no service that is there`);
    return service;
  };
  const envoyRoute = (route: Route): EnvoyRoute => {
    switch (route.kind) {
      case 'redirect':
        return redirectRoute(route);
      case 'answer':
        return answerRoute(route);
      case 'forward':
        return forwardRoute(route, serviceOf(route), filter);
      default:
        return assertNever(route);
    }
  };
  return resource(RouteConfiguration, PUBLIC, {
    name: PUBLIC,
    // `Host: infer.example:8080` is the host infer.example.
    ignorePortInHostMatching: true,
    // A pod has no say in what Sluice's own headers tell.
    responseHeadersToRemove: Object.values(HEADERS),
    virtualHosts: hostsOf(routes).map((host) => ({
      name: host,
      domains: [host],
      routes: routes.filter((route) => takesHost(route, host)).map(envoyRoute),
    })),
  });
}

/** Every host that some route names, and `*` for all others if a route takes any host. */
function hostsOf(routes: readonly Route[]): readonly string[] {
  const hosts = new Set(routes.flatMap((route) => (route.match.hosts.length === 0 ? ['*'] : route.match.hosts)));
  return [...hosts].sort();
}

/** Envoy looks at one virtual host only, so each has all the routes that take requests for it. */
function takesHost({ match: { hosts } }: Route, host: string): boolean {
  return hosts.length === 0 || fittingHosts(hosts, host).length > 0;
}

function redirectRoute(route: RedirectRoute): EnvoyRoute {
  return {
    name: route.name,
    match: envoyMatch(route),
    redirect: redirectAction(route),
    responseHeadersToAdd: [...addedHeaders(route.responseHeaders)],
    responseHeadersToRemove: [...(route.responseHeaders?.remove ?? [])],
  };
}

/** Envoy's own answer. */
function answerRoute(route: AnswerRoute): EnvoyRoute {
  return {
    name: route.name,
    match: envoyMatch(route),
    directResponse: { status: route.status, body: { inlineString: route.body } },
    responseHeadersToAdd: [...addedHeaders(route.responseHeaders)],
    responseHeadersToRemove: [...(route.responseHeaders?.remove ?? [])],
  };
}

function forwardRoute(route: ForwardRoute, service: Service, filter: FilterOptions): EnvoyRoute {
  return {
    name: route.name,
    match: envoyMatch(route),
    metadata: { filterMetadata: { [METADATA]: struct(replyFacts(service)) } },
    typedPerFilterConfig: service.discipline.kind === 'limited' ? queueOnRoute(filter) : {},
    route: {
      ...NO_ROUTE_TIMEOUT,
      cluster: clusterName(service),
      retryPolicy: retryPolicy(),
      ...rewrite(route),
    },
    requestHeadersToAdd: [
      ...addedHeaders(route.requestHeaders),
      ...workTimeout(route.requestTimeout ?? service.timeout.request),
    ],
    requestHeadersToRemove: [...(route.requestHeaders?.remove ?? [])],
    responseHeadersToAdd: [...addedHeaders(route.responseHeaders)],
    responseHeadersToRemove: [...(route.responseHeaders?.remove ?? [])],
  };
}

/** What the texts of local replies tell of a service. */
function replyFacts({ name, discipline }: Service): Readonly<Record<string, string | number>> {
  switch (discipline.kind) {
    case 'limited': {
      const { limit, queue } = discipline;
      return {
        [ROUTE_KEYS.service]: name,
        [ROUTE_KEYS.full]: `The queue of ${name} is full: ${queue.max} requests are waiting (queue.max), each pod works on at most ${limit} at a time (limit). Try again later.`,
        ...(queue.timeout === 0
          ? {}
          : {
              [ROUTE_KEYS.waitTimeout]: `No pod of ${name} was free for this request within ${formatDuration(queue.timeout)} (queue.timeout). No pod has seen it.`,
            }),
        ...statusFact(queue.fullStatus),
      };
    }
    case 'balanced':
      return {
        [ROUTE_KEYS.service]: name,
        [ROUTE_KEYS.full]: `${name} is full: ${discipline.maxRequests} requests are in flight (max_requests). Try again later.`,
        ...statusFact(discipline.fullStatus),
      };
    default:
      return assertNever(discipline);
  }
}

function statusFact(status: number): Readonly<Record<string, number>> {
  return status === 429 ? {} : { [ROUTE_KEYS.fullStatus]: status };
}

function rewrite({ match: { path }, rewrite }: ForwardRoute): Partial<EnvoyRouteAction> {
  return {
    ...(rewrite?.path === undefined ? {} : pathRewrite(path, rewrite.path)),
    ...(rewrite?.host === undefined ? {} : { hostRewriteLiteral: rewrite.host }),
  };
}

function pathRewrite(path: PathMatch, change: PathChange): Partial<EnvoyRouteAction> {
  switch (change.kind) {
    case 'prefix':
      return path.kind === 'prefix' ? rewritePrefix(path.prefix, change.prefix) : { prefixRewrite: change.prefix };
    case 'whole':
      return { regexRewrite: { pattern: { regex: '^.*$' }, substitution: change.path.replaceAll('\\', '\\\\') } };
    case 'regex':
      return { regexRewrite: { pattern: { regex: change.regex }, substitution: change.substitution } };
    default:
      return assertNever(change);
  }
}

function envoyMatch({ match }: Route): EnvoyRouteMatch {
  const methods = match.methods.length === 0 ? [] : [oneOf(':method', match.methods)];
  return {
    ...pathMatch(match.path),
    headers: [...methods, ...match.headers.map(namedMatch)],
    queryParameters: match.query.map(namedMatch),
  };
}

function pathMatch(path: PathMatch): EnvoyRouteMatch {
  switch (path.kind) {
    case 'exact':
      return { path: path.path };
    case 'prefix':
      return path.prefix.endsWith('/') ? { prefix: path.prefix } : { pathSeparatedPrefix: path.prefix };
    case 'start':
      return { prefix: path.prefix };
    case 'regex':
      return { safeRegex: { regex: path.regex } };
    default:
      return assertNever(path);
  }
}

/** Of a header or of a query parameter: Envoy has the same fields for both. */
function namedMatch({ name, value }: NamedMatch) {
  switch (value.kind) {
    case 'exact':
      return { name, stringMatch: { exact: value.text } };
    case 'regex':
      return { name, stringMatch: { safeRegex: { regex: value.regex } } };
    case 'present':
      return { name, presentMatch: true };
    default:
      return assertNever(value);
  }
}

function oneOf(name: string, values: readonly string[]): envoy.config.route.v3.HeaderMatcher.$Properties {
  const [first = '', ...others] = values;
  if (others.length === 0) return { name, stringMatch: { exact: first } };
  return { name, stringMatch: { safeRegex: { regex: values.join('|') } } };
}
