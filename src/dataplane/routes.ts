import { envoy, type google } from '#xds';
import { assertNever } from '../base/assert-never.ts';
import { formatDuration } from '../base/duration.ts';
import { regexLiteral } from '../base/regex.ts';
import type { ClientRanges, IpRange } from '../model/ip-range.ts';
import type {
  Cors,
  ForwardRoute,
  HeaderChanges,
  Mirror,
  NamedMatch,
  PathChange,
  PathMatch,
  Route,
} from '../model/route.ts';
import { servicesOf } from '../model/route.ts';
import type { Routing } from '../model/routing.ts';
import type { Service, ServiceName } from '../model/service.ts';
import { routesByListener, type Socket, type VirtualHost, virtualHosts, virtualHostsOver } from '../model/sockets.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import {
  clusterName,
  HEADERS,
  JOB_TOKEN,
  METADATA,
  NO_CLUSTER,
  ROUTE_KEYS,
  routesName,
  WELL_KNOWN,
} from './contract.ts';
import { encodedResource, field, merged, pack, struct, wrap } from './encode.ts';
import { addedHeaders } from './header-changes.ts';
import { fullStatusOf } from './local-replies.ts';
import type { FilterOptions } from './options.ts';
import { rewritePrefix } from './path-rewrite.ts';
import { queueOnRoute } from './queue-filter.ts';
import { redirectAction } from './redirect.ts';
import { retryPolicy } from './retries.ts';
import { NO_ROUTE_TIMEOUT, workTimeout } from './work-timeout.ts';

const { Route: EnvoyRouteMessage, RouteConfiguration, VirtualHost: EnvoyVirtualHost } = envoy.config.route.v3;
const { CorsPolicy } = envoy.extensions.filters.http.cors.v3;
const { RBACPerRoute } = envoy.extensions.filters.http.rbac.v3;
const { RBAC } = envoy.config.rbac.v3;

type Principal = envoy.config.rbac.v3.Principal.$Properties;
type FilterConfigs = Readonly<Record<string, google.protobuf.Any.$Properties>>;

type EnvoyRoute = envoy.config.route.v3.Route.$Properties;
type EnvoyRouteAction = envoy.config.route.v3.RouteAction.$Properties;
type EnvoyRouteMatch = envoy.config.route.v3.RouteMatch.$Properties;

/** The services that routes lead to, by name. */
type Services = ReadonlyMap<ServiceName, Service>;

/** What a route is translated with. */
interface RouteTools {
  readonly services: Services;
  readonly filter: FilterOptions;
}

/** Routes as they were encoded, with the services that went into them. */
export type EncodedRoutes = ReadonlyMap<Route, EncodedRoute>;

interface EncodedRoute {
  readonly services: readonly (Service | undefined)[];
  readonly bytes: Uint8Array;
}

/** Route configurations, and what the next ones can take over. */
export interface RouteConfigurations {
  readonly resources: readonly EncodedResource[];
  readonly encoded: EncodedRoutes;
}

/** Numbers of fields in Envoy's `route_components.proto` and `route.proto`. */
const FIELDS = { routesOfHost: 3, hostsOfConfiguration: 2 };

/**
 * Which request goes to which service, at each socket; where TLS tells listeners apart, at each listener. Throws when a
 * route's service is not there: merging never makes that.
 */
export function routeConfigurations(
  sockets: readonly Socket[],
  { routes, services }: Routing,
  filter: FilterOptions,
  before: EncodedRoutes = new Map(),
): RouteConfigurations {
  const tools = { services: new Map(services.map((service) => [service.name, service])), filter };
  // Of a thousand routes that are at several hosts each, one that changes is encoded, once.
  const encoded = new Map(routes.map((route) => [route, encodeRoute(route, tools, before.get(route))]));
  const byListener = routesByListener(routes);
  const resources = sockets.flatMap((socket) => {
    if (!socket.tls) return [configuration(socket.name, virtualHosts(socket, byListener), { encoded, filter })];
    return socket.listeners.map((listener) => {
      const name = routesName(socket.name, listener.hostname);
      return configuration(name, virtualHostsOver(listener, socket, byListener), { encoded, filter });
    });
  });
  return { resources, encoded };
}

function encodeRoute(route: Route, tools: RouteTools, before: EncodedRoute | undefined): EncodedRoute {
  const services = servicesOf(route).map((name) => tools.services.get(name));
  if (before !== undefined && services.every((service, at) => service === before.services[at])) return before;
  // A copy of its own: see `resource`.
  return { services, bytes: new Uint8Array(EnvoyRouteMessage.encode(envoyRoute(route, tools)).finish(true)) };
}

function configuration(
  name: string,
  hosts: readonly VirtualHost[],
  { encoded, filter }: { readonly encoded: EncodedRoutes; readonly filter: FilterOptions },
): EncodedResource {
  const own = RouteConfiguration.encode({
    name,
    // `Host: infer.example:8080` is the host infer.example.
    ignorePortInHostMatching: true,
    // A pod has no say in what Sluice's own headers tell.
    responseHeadersToRemove: [...Object.values(HEADERS), JOB_TOKEN],
  }).finish(true);
  const parts = hosts.flatMap((host) => field(FIELDS.hostsOfConfiguration, virtualHost(host, encoded, filter)));
  return encodedResource(RouteConfiguration, name, merged([own, ...parts]));
}

function virtualHost({ host, routes }: VirtualHost, encoded: EncodedRoutes, filter: FilterOptions): Uint8Array {
  const own = EnvoyVirtualHost.encode({
    name: host,
    domains: [host],
    ...(routes === undefined ? { routes: [MISDIRECTED] } : {}),
    ...(routes?.some((route) => asksFilter(encoded.get(route))) ? { routes: [toFilter(filter)] } : {}),
  }).finish(true);
  const parts = (routes ?? []).flatMap((route) => {
    const bytes = encoded.get(route)?.bytes;
    return bytes === undefined ? [] : field(FIELDS.routesOfHost, bytes);
  });
  return merged([own, ...parts]);
}

function asksFilter(route: EncodedRoute | undefined): boolean {
  return (route?.services ?? []).some(
    (service) =>
      service?.discipline.kind === 'limited' && (service.discipline.queue.tellPlace || service.discipline.jobs),
  );
}

/** What the filter answers itself: it is before all routes of its host, and leads to no service. */
function toFilter(filter: FilterOptions): EnvoyRoute {
  return {
    name: 'sluice',
    match: { prefix: WELL_KNOWN },
    directResponse: { status: 404, body: { inlineString: 'There is nothing here.\n' } },
    typedPerFilterConfig: queueOnRoute(filter),
  };
}

/** RFC 9110, 15.5.20: the client is to open a connection for this host. */
const MISDIRECTED: EnvoyRoute = {
  name: 'misdirected',
  match: { prefix: '/' },
  directResponse: { status: 421, body: { inlineString: 'This connection is for another host.\n' } },
};

function envoyRoute(route: Route, tools: RouteTools): EnvoyRoute {
  switch (route.kind) {
    case 'redirect':
      return { ...common(route), redirect: redirectAction(route) };
    case 'answer':
      return { ...common(route), directResponse: { status: route.status, body: { inlineString: route.body } } };
    case 'forward':
      return forwardRoute(route, tools);
    default:
      return assertNever(route);
  }
}

function common(route: Route): EnvoyRoute {
  return {
    name: route.name,
    match: envoyMatch(route),
    typedPerFilterConfig: {
      ...(route.clients === undefined ? {} : clientsOnRoute(route.clients)),
      ...(route.cors === undefined ? {} : corsOnRoute(route.cors)),
    },
    responseHeadersToAdd: [...addedHeaders(route.responseHeaders)],
    responseHeadersToRemove: [...(route.responseHeaders?.remove ?? [])],
  };
}

/** A backend with its service; undefined: it is not there. */
interface Share {
  readonly weight: number;
  readonly service: Service | undefined;
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

function sharesOf({ name, backends }: ForwardRoute, services: Services): readonly Share[] {
  // Nobody gets a share of 0, so it does not matter whether it is there.
  return backends
    .filter(({ weight }) => weight > 0)
    .map((backend): Share => {
      if (backend.kind === 'missing') return { weight: backend.weight, service: undefined };
      const service = services.get(backend.service);
      if (service === undefined) throw new Error(`route ${name} leads to ${backend.service}, which is not there`);
      return { ...backend, service };
    });
}

function forwardRoute(route: ForwardRoute, { services, filter }: RouteTools): EnvoyRoute {
  const shares = sharesOf(route, services);
  const there = shares.flatMap(({ service }) => service ?? []);
  if (there.length === 0) return { ...common(route), directResponse: NOBODY };
  const isLimited = there.some(({ discipline }) => discipline.kind === 'limited');
  const { typedPerFilterConfig, ...rest } = common(route);
  const [only] = shares;
  const isOne = shares.length === 1 && only !== undefined;
  return {
    ...rest,
    metadata: { filterMetadata: { [METADATA]: struct({ ...routeFacts(shares), ...classFact(route) }) } },
    typedPerFilterConfig: { ...typedPerFilterConfig, ...(isOne && isLimited ? queueOnRoute(filter) : {}) },
    route: {
      ...NO_ROUTE_TIMEOUT,
      ...(isOne ? { cluster: clusterOf(only) } : { weightedClusters: { clusters: shares.map(toWeighted) } }),
      ...(there.length === shares.length ? {} : { clusterNotFoundResponseCode: INTERNAL_SERVER_ERROR }),
      retryPolicy: retryPolicy(there),
      requestMirrorPolicies: (route.mirrors ?? []).map(mirrorPolicy),
      ...rewrite(route),
    },
    requestHeadersToAdd: [
      ...addedHeaders(route.requestHeaders),
      ...(isOne ? [...addedHeaders(only.requestHeaders), ...workHeader(only)] : []),
    ],
    requestHeadersToRemove: [
      ...(route.requestHeaders?.remove ?? []),
      ...(isOne ? (only.requestHeaders?.remove ?? []) : []),
    ],
    responseHeadersToAdd: [
      ...addedHeaders(route.responseHeaders),
      ...(isOne ? addedHeaders(only.responseHeaders) : []),
    ],
    responseHeadersToRemove: [
      ...(route.responseHeaders?.remove ?? []),
      ...(isOne ? (only.responseHeaders?.remove ?? []) : []),
    ],
  };

  function workHeader({ service }: Share) {
    return service === undefined ? [] : workTimeout(route.requestTimeout ?? service.timeout.request);
  }

  function toWeighted(share: Share): WeightedCluster {
    const queued = share.service?.discipline.kind === 'limited';
    return {
      name: clusterOf(share),
      weight: wrap(share.weight),
      ...(queued ? { typedPerFilterConfig: queueOnRoute(filter) } : {}),
      requestHeadersToAdd: [...addedHeaders(share.requestHeaders), ...workHeader(share)],
      requestHeadersToRemove: [...(share.requestHeaders?.remove ?? [])],
      responseHeadersToAdd: [...addedHeaders(share.responseHeaders)],
      responseHeadersToRemove: [...(share.responseHeaders?.remove ?? [])],
    };
  }
}

type WeightedCluster = envoy.config.route.v3.WeightedCluster.ClusterWeight.$Properties;

const { INTERNAL_SERVER_ERROR } = envoy.config.route.v3.RouteAction.ClusterNotFoundResponseCode;

const NOBODY: envoy.config.route.v3.DirectResponseAction.$Properties = {
  status: 500,
  body: { inlineString: 'This route leads to nobody: no backend of it is there.\n' },
};

function clusterOf({ service }: Share): string {
  return service === undefined ? NO_CLUSTER : clusterName(service);
}

/** Of what is mirrored nobody waits for an answer, and no pod with a limit gets any. */
function mirrorPolicy({
  service,
  perMillion,
}: Mirror): envoy.config.route.v3.RouteAction.RequestMirrorPolicy.$Properties {
  return {
    cluster: clusterName({ name: service }),
    runtimeFraction: {
      defaultValue: { numerator: perMillion, denominator: envoy.type.v3.FractionalPercent.DenominatorType.MILLION },
    },
    // The copy is what the original is.
    disableShadowHostSuffixAppend: true,
  };
}

function clientsOnRoute({ allowed, denied }: ClientRanges): FilterConfigs {
  const from = (ranges: readonly IpRange[]): Principal => ({
    orIds: {
      ids: ranges.map(({ address, bits }) => ({ remoteIp: { addressPrefix: address, prefixLen: wrap(bits) } })),
    },
  });
  const ids = [
    ...(allowed === undefined ? [] : [from(allowed)]),
    ...(denied.length === 0 ? [] : [{ notId: from(denied) }]),
  ];
  const policies = { clients: { permissions: [{ any: true }], principals: [{ andIds: { ids } }] } };
  const rules = { action: RBAC.Action.ALLOW, policies };
  return { 'envoy.filters.http.rbac': pack(RBACPerRoute, { rbac: { rules } }) };
}

function corsOnRoute(cors: Cors): FilterConfigs {
  const origins = cors.origins.map((origin): envoy.type.matcher.v3.StringMatcher.$Properties => {
    if (origin === '*') return { safeRegex: { regex: '.*' } };
    if (!origin.includes('*')) return { exact: origin };
    return { safeRegex: { regex: origin.split('*').map(regexLiteral).join('.*') } };
  });
  const policy = pack(CorsPolicy, {
    allowOriginStringMatch: origins,
    allowMethods: cors.methods.join(','),
    allowHeaders: cors.headers.join(','),
    exposeHeaders: cors.exposed.join(','),
    allowCredentials: wrap(cors.credentials),
    // Who may not ask is told so without a pod: a browser's question before the request takes no slot.
    forwardNotMatchingPreflights: wrap(false),
    ...(cors.maxAge === undefined ? {} : { maxAge: String(cors.maxAge) }),
  });
  return { 'envoy.filters.http.cors': policy };
}

function classFact({ priority }: ForwardRoute): Readonly<Record<string, string>> {
  return priority === undefined ? {} : { [ROUTE_KEYS.class]: priority };
}

/** What the texts of local replies tell of those who share a route. */
function routeFacts(shares: readonly Share[]): Readonly<Record<string, string | number>> {
  const there = shares.flatMap(({ service }) => service ?? []);
  const [first] = there;
  const missing = there.length === shares.length ? {} : { [ROUTE_KEYS.missing]: 1 };
  if (there.length === 1 && first !== undefined) return { ...replyFacts(first), ...missing };
  const names = there.map(({ name }) => name).join(' or ');
  const statuses = new Set(there.map(({ discipline }) => fullStatusOf(discipline)));
  const [status = 429] = statuses;
  return {
    [ROUTE_KEYS.service]: names,
    [ROUTE_KEYS.full]: `The one of ${names} that this request was for is full. Try again later.`,
    [ROUTE_KEYS.waitTimeout]: `No pod of the one of ${names} that this request was for was free for it within queue.timeout. No pod has seen it.`,
    ...(statuses.size === 1 ? statusFact(status) : {}),
    ...missing,
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
      return path.kind === 'prefix' || path.kind === 'start'
        ? rewritePrefix(path.prefix, change.prefix)
        : { prefixRewrite: change.prefix };
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
