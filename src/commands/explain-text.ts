import { assertNever } from '../base/assert-never.ts';
import { formatDuration } from '../base/duration.ts';
import { clusterName, PLUGINS, PUBLIC } from '../dataplane/contract.ts';
import { fittingHosts } from '../model/host.ts';
import type { Locator } from '../model/locator.ts';
import { mismatches, type RequestHead, type WholeMatch } from '../model/match.ts';
import {
  type ForwardRoute,
  type HeaderChanges,
  type PathChange,
  type PathMatch,
  type RedirectRoute,
  type Rewrite,
  type Route,
  servicesOf,
} from '../model/route.ts';
import type { Routing } from '../model/routing.ts';
import type { Service, ServiceName } from '../model/service.ts';

/** Which route takes a request and why not the others, where it waits, and what carries it in Envoy. */
export function explainRequest(routing: Routing, request: RequestHead, wholeMatch: WholeMatch): string {
  const tried = routing.routes.map((route) => ({ route, why: mismatches(route.match, request, wholeMatch) }));
  const index = tried.findIndex(({ why }) => why.length === 0);
  const taken = tried[index]?.route;
  const others = tried
    .filter((_, other) => other !== index)
    .map(({ route, why }) => {
      const first = taken === undefined ? '' : `${taken.name} comes first`;
      return [route.name, `${pathText(route.match.path)}: ${why.length === 0 ? first : why.join('; ')}`] as const;
    });
  return [
    `${request.method} ${request.host}${request.path}`,
    ...(taken === undefined
      ? ['No route takes it: Envoy answers 404.']
      : [`${taken.name} takes it, ${pathText(taken.match.path)}.`, '', ...block(routeFacts(routing, taken))]),
    ...(others.length === 0 ? [] : ['', 'The other routes, in the order in which they are tried:', ...block(others)]),
    ...(taken === undefined ? [] : ['', 'In Envoy:', ...block(resources(routing, taken, request.host))]),
    '',
  ].join('\n');
}

function routeFacts(routing: Routing, route: Route): Lines {
  const answers = headerFacts('answer', route.responseHeaders);
  switch (route.kind) {
    case 'redirect':
      return [['redirect', redirectText(route)], ...answers];
    case 'answer':
      return [['answer', `${route.status}, from Envoy itself; no pod sees it`], ...answers];
    case 'forward':
      return [...forwardFacts(routing, route), ...headerFacts('request', route.requestHeaders), ...answers];
    default:
      return assertNever(route);
  }
}

function forwardFacts(routing: Routing, route: ForwardRoute): Lines {
  const sum = route.backends.reduce((total, { weight }) => total + weight, 0);
  if (sum === 0) return [['answer', '500: no backend of the route is there']];
  return [
    ...(route.rewrite === undefined ? [] : rewriteFacts(route.rewrite)),
    ...route.backends.flatMap((backend): Lines => {
      const share = `${Math.round((backend.weight / sum) * 1000) / 10} % of the requests`;
      if (backend.kind === 'missing') return [['answer', `500 for ${share}: a backend that is not there`]];
      const shared: Lines = route.backends.length === 1 ? [] : [['share', share]];
      return [...shared, ...facts(route, serviceOf(routing, backend.service))];
    }),
  ];
}

function rewriteFacts({ path, host }: Rewrite): Lines {
  return [
    ...(path === undefined ? [] : [['path', `rewritten to ${pathChangeText(path)}`] as const]),
    ...(host === undefined ? [] : [['host', `rewritten to ${host}`] as const]),
  ];
}

function pathChangeText(path: PathChange): string {
  switch (path.kind) {
    case 'prefix':
      return `prefix ${path.prefix}`;
    case 'whole':
      return `path ${path.path}`;
    case 'regex':
      return `path ${path.substitution} of ${path.regex}`;
    default:
      return assertNever(path);
  }
}

/** A routing is not made when a route leads nowhere. */
function serviceOf({ services }: Routing, name: ServiceName): Service {
  const service = services.find((one) => one.name === name);
  if (service === undefined) throw new Error(`a route leads to ${name}, which is not there`);
  return service;
}

function redirectText({ redirect: { scheme, host, port, path, status } }: RedirectRoute): string {
  const parts = [
    ...(scheme === undefined ? [] : [`scheme ${scheme}`]),
    ...(host === undefined ? [] : [`host ${host}`]),
    ...(port === undefined ? [] : [`port ${port}`]),
    ...(path === undefined ? [] : [pathChangeText(path)]),
  ];
  return `${status}, to the same with ${parts.join(', ')}; no pod sees it`;
}

function headerFacts(of: string, changes: HeaderChanges | undefined): Lines {
  if (changes === undefined) return [];
  const { set, add, remove } = changes;
  const texts = [
    ...set.map(({ name, value }) => `${name} set to ${value}`),
    ...add.map(({ name, value }) => `${name}: ${value} added`),
    ...remove.map((name) => `${name} removed`),
  ];
  return texts.length === 0 ? [] : [[of, texts.join('; ')]];
}

type Lines = readonly (readonly [string, string])[];

function block(lines: Lines): readonly string[] {
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `  ${name.padEnd(width)}   ${text}`);
}

function pathText(path: PathMatch): string {
  switch (path.kind) {
    case 'exact':
      return `path ${path.path}`;
    case 'prefix':
      return `prefix ${path.prefix}`;
    case 'start':
      return `beginning ${path.prefix}`;
    case 'regex':
      return `regex ${path.regex}`;
    default:
      return assertNever(path);
  }
}

function facts(route: ForwardRoute, service: Service): Lines {
  const { discipline, timeout, protocol, locator } = service;
  const work = route.requestTimeout ?? timeout.request;
  const whose = route.requestTimeout === undefined ? "the service's" : "the route's own";
  const limit = work === 0 ? 'no limit' : `at most ${formatDuration(work)} (timeout.request, ${whose})`;
  return [
    ['service', `${service.name}, ${protocol}`],
    ...disciplineFacts(discipline),
    ['work', limit],
    ['connect', `at most ${formatDuration(timeout.connect)} to reach a pod (timeout.connect)`],
    ['pods', podsText(locator)],
  ];
}

function disciplineFacts(discipline: Service['discipline']): Lines {
  switch (discipline.kind) {
    case 'limited': {
      const { max, timeout, fullStatus } = discipline.queue;
      const longest = timeout === 0 ? 'as long as it takes' : `for at most ${formatDuration(timeout)} (queue.timeout)`;
      return [
        ['limit', `each pod works on at most ${discipline.limit} at a time`],
        ['queue', `first in, first out: at most ${max} wait (queue.max), ${longest}; above it ${fullStatus}`],
      ];
    }
    case 'balanced': {
      const { balance, maxRequests, fullStatus } = discipline;
      return [['limit', `none, so no queue: ${balance}, at most ${maxRequests} in flight; above it ${fullStatus}`]];
    }
    default:
      return assertNever(discipline);
  }
}

function podsText(locator: Locator): string {
  switch (locator.kind) {
    case 'kubernetes': {
      const namespace = locator.namespace === undefined ? '' : `${locator.namespace}/`;
      return `Kubernetes Service ${namespace}${locator.service}, ${locator.port.kind} port ${locator.port.port}`;
    }
    case 'dns':
      return `what DNS says of ${locator.host}, port ${locator.port}`;
    case 'static':
      return locator.addresses
        .map(({ ip, port }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`))
        .join(', ');
    default:
      return assertNever(locator);
  }
}

function resources(routing: Routing, route: Route, host: string): Lines {
  const first = [
    ['Listener', PUBLIC],
    ['RouteConfiguration', `${PUBLIC}, virtual host ${virtualHost(routing, host)}, route ${route.name}`],
  ] as const;
  return [...first, ...servicesOf(route).flatMap((name) => ofService(serviceOf(routing, name)))];
}

function ofService(service: Service): Lines {
  const cluster = clusterName(service);
  const queue: Lines =
    service.discipline.kind === 'limited' ? [['Filter', `${PLUGINS.queue}: where it waits for a slot of a pod`]] : [];
  return [...queue, ['Cluster', cluster], ['ClusterLoadAssignment', `${cluster}: the pods`]];
}

/** Envoy looks at one only: the very name, else the longest `*.` that fits, else `*`. */
function virtualHost({ routes }: Routing, host: string): string {
  const hosts = routes.flatMap(({ match }) => match.hosts);
  const fitting = fittingHosts(hosts, host);
  const longest = fitting.toSorted((a, b) => Number(b === host) - Number(a === host) || b.length - a.length);
  return longest[0] ?? '*';
}
