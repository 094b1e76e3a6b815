import { envoy } from '#xds';
import { assertNever } from '../base/assert-never.ts';
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
import type { Service, ServiceName } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { gateClusterOf, HEADERS, METADATA, PUBLIC, podsCluster } from './contract.ts';
import { resource, struct } from './encode.ts';
import { addedHeaders, header } from './header-changes.ts';
import { rewritePrefix } from './path-rewrite.ts';
import { parkedScriptOnRoute } from './pods-script.ts';
import { redirectAction } from './redirect.ts';
import { refusalMetadata } from './refusal-metadata.ts';
import { gateRetries, parkingRetries } from './retries.ts';
import { NO_ROUTE_TIMEOUT, workTimeout } from './work-timeout.ts';

const { RouteConfiguration } = envoy.config.route.v3;

type EnvoyRoute = envoy.config.route.v3.Route.$Properties;
type EnvoyRouteAction = envoy.config.route.v3.RouteAction.$Properties;
type EnvoyRouteMatch = envoy.config.route.v3.RouteMatch.$Properties;
type EnvoyHeader = envoy.config.core.v3.HeaderValueOption.$Properties;

/** Where new requests of some services line up instead of at their own gates. */
export type Lines = ReadonlyMap<ServiceName, ServiceName>;

/** After how many seconds those should come again who are refused, where it is not 1. */
export type RetryAfters = ReadonlyMap<ServiceName, number>;

/** Which request goes to which service. Throws when a route's service is not there: resolving never makes that. */
export function publicRoutes({ routes, services }: Routing, lines: Lines, after: RetryAfters): EncodedResource {
  const byName = new Map(services.map((service) => [service.name, service]));
  const gateOf = (service: Service) => lines.get(service.name) ?? service.name;
  // The first one: the route file has no other.
  const targetOf = ({ name, backends }: ForwardRoute): Service => {
    const [backend] = backends;
    const service = backend?.kind === 'service' ? byName.get(backend.service) : undefined;
    if (service === undefined) throw new Error(`route ${name} leads to no service that is there`);
    return service;
  };
  return resource(RouteConfiguration, PUBLIC, {
    name: PUBLIC,
    // `Host: infer.example:8080` is the host infer.example.
    ignorePortInHostMatching: true,
    virtualHosts: hostsOf(routes).map((host) => ({
      name: host,
      domains: [host],
      routes: routes
        .filter((route) => takesHost(route, host))
        .map((route) => {
          if (route.kind === 'redirect') return redirectRoute(route);
          if (route.kind === 'answer') return answerRoute(route);
          const service = targetOf(route);
          return serviceRoute(route, service, { gate: gateOf(service), after: after.get(service.name) });
        }),
    })),
  });
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

/** What of a service changes without the route file. */
interface Now {
  readonly gate: ServiceName;
  readonly after: number | undefined;
}

function serviceRoute(route: ForwardRoute, service: Service, { gate, after }: Now): EnvoyRoute {
  return {
    name: route.name,
    match: envoyMatch(route),
    metadata: { filterMetadata: { [METADATA]: struct(refusalMetadata(service, after)) } },
    typedPerFilterConfig: service.discipline.kind === 'limited' ? {} : parkedScriptOnRoute(),
    route: { ...action(service, gate), ...rewrite(route) },
    requestHeadersToAdd: [...addedHeaders(route.requestHeaders), ...ownHeaders(route, service, gate)],
    requestHeadersToRemove: [...(route.requestHeaders?.remove ?? [])],
    responseHeadersToRemove: [HEADERS.again, ...(route.responseHeaders?.remove ?? [])],
    responseHeadersToAdd: [
      ...(service.discipline.kind === 'limited'
        ? [header('server-timing', 'queue;dur=%UPSTREAM_CONNECTION_POOL_READY_DURATION%', 'append')]
        : []),
      ...addedHeaders(route.responseHeaders),
    ],
  };
}

function action(service: Service, gate: ServiceName): EnvoyRouteAction {
  switch (service.discipline.kind) {
    case 'limited':
      return {
        // No limit here: it would count the wait.
        ...NO_ROUTE_TIMEOUT,
        cluster: gateClusterOf(gate),
        retryPolicy: gateRetries(),
      };
    case 'balanced':
      return {
        ...NO_ROUTE_TIMEOUT,
        cluster: podsCluster(service),
        retryPolicy: parkingRetries(),
      };
    default:
      return assertNever(service.discipline);
  }
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

/** What the second hop has to know of this request; without one, what the router has to. */
function ownHeaders(route: ForwardRoute, { discipline, timeout }: Service, gate: ServiceName): EnvoyHeader[] {
  if (discipline.kind !== 'limited') return workTimeout(route.requestTimeout ?? timeout.request);
  return [
    // Of the gate: where new requests line up for a while at another's, its pods are theirs as well.
    header(HEADERS.service, gate, 'overwrite'),
    // %START_TIME% is the arrival; `%s%3f` prints it as milliseconds since the epoch.
    ...(discipline.queue.timeout > 0 ? [header(HEADERS.arrived, '%START_TIME(%s%3f)%', 'overwrite')] : []),
    ...(route.requestTimeout === undefined ? [] : [header(HEADERS.timeout, String(route.requestTimeout), 'overwrite')]),
    ...(discipline.queue.fullStatus === 429
      ? []
      : [header(HEADERS.fullStatus, String(discipline.queue.fullStatus), 'overwrite')]),
  ];
}
