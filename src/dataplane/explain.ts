import { assertNever } from '../base/assert-never.ts';
import { formatDuration, type Millis } from '../base/duration.ts';
import { fail, ok, type Result } from '../base/result.ts';
import {
  describeFair,
  describeLocator,
  describePath,
  describePathChange,
  describePriority,
} from '../model/describe.ts';
import { fittingHosts } from '../model/host.ts';
import { describeClients } from '../model/ip-range.ts';
import type { Listener } from '../model/listener.ts';
import { mismatches, type RequestHead, type WholeMatch } from '../model/match.ts';
import { type Asked, changedPath, redirectTarget } from '../model/path-change.ts';
import { byPrecedenceAt } from '../model/precedence.ts';
import {
  type ForwardRoute,
  type HeaderChanges,
  type PathMatch,
  type RedirectRoute,
  type Rewrite,
  type Route,
  servicesOf,
} from '../model/route.ts';
import type { Routing } from '../model/routing.ts';
import type { Idempotency, Jobs, Priority, Service, ServiceName } from '../model/service.ts';
import {
  listenerFor,
  routesByListener,
  socketsOf,
  type VirtualHost,
  virtualHosts,
  virtualHostsOver,
} from '../model/sockets.ts';
import { clusterName, PLUGINS, routesName, WELL_KNOWN } from './contract.ts';

/** What is asked, of which routing. */
export interface ExplainInput {
  readonly routing: Routing;
  readonly request: RequestHead;
  /** The same, as the client wrote it. */
  readonly asked: Asked;
  /** The port that the client named. */
  readonly port?: number;
  readonly wholeMatch: WholeMatch;
  /** Where a route is written: `routes.yaml:12`. */
  readonly placeOf: (route: Route) => string | undefined;
  /** Which Envoys hold the slots of a service, where several share them and that is known. */
  readonly heldBy?: (service: ServiceName) => string | undefined;
}

/** Stands for no host in a URL that is only a path. */
const NO_HOST = 'no-host.invalid';

/** Reads a URL, or a path alone. Errors: what to write. */
export function readUrl(text: string): Result<URL, string> {
  const whole = text.startsWith('/') ? `http://${NO_HOST}${text}` : text;
  if (/^https?:\/\//.test(whole) && URL.canParse(whole)) return ok(new URL(whole));
  return fail('Write one like http://host/path, or only /path.');
}

/** Reads a header: its name in small letters, and its value. Errors: what to write. */
export function readHeader(text: string): Result<readonly [name: string, value: string], string> {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(text);
  if (match === null) return fail("Write one like 'x-tier: gold'.");
  const [, name = '', value = ''] = match;
  return ok([name.toLowerCase(), value.trimEnd()]);
}

/** What is asked for. A `host` header goes before the URL's, as with curl. */
export function askedOf(
  url: URL,
  method: string,
  headers: ReadonlyMap<string, string>,
): Pick<ExplainInput, 'request' | 'asked' | 'port'> {
  const named = url.hostname === NO_HOST ? '' : url.host;
  const authority = (headers.get('host') ?? named).toLowerCase();
  const host = authority.replace(/:\d+$/, '');
  // The URL class resolves `.` and `..` as Envoy does.
  const { pathname: path, search, port } = url;
  return {
    request: { method: method.toUpperCase(), host, path, headers, query: queryOf(search) },
    asked: { scheme: url.protocol === 'https:' ? 'https' : 'http', authority, path, query: search },
    ...(port === '' ? {} : { port: Number(port) }),
  };
}

/** Not decoded, as Envoy compares it; the first of several values counts. */
function queryOf(search: string): ReadonlyMap<string, string> {
  const parts = search.slice(1).split('&').filter(Boolean);
  const pairs = parts.map((part) => {
    const [name = '', ...value] = part.split('=');
    return [name, value.join('=')] as const;
  });
  return new Map(pairs.reverse());
}

/** Which route takes a request and why not the others, where it waits, and what carries it in Envoy. */
export function explainRequest(input: ExplainInput): { readonly taken: boolean; readonly text: string } {
  const { routing, request, asked, wholeMatch } = input;
  const here = arrivedAt(input);
  const ordered = routing.routes.toSorted(byPrecedenceAt(request.host));
  const tried = ordered.map((route) => ({
    route,
    why: here.some(({ name }) => route.listeners.includes(name))
      ? mismatches(route.match, request, wholeMatch)
      : [elsewhere(route, routing)],
  }));
  const index = tried.findIndex(({ why }) => why.length === 0);
  const taken = tried[index]?.route;
  const others = tried
    .filter((_, other) => other !== index)
    .map(({ route, why }) => {
      const first = taken === undefined ? '' : `${taken.name} comes first`;
      const reason = why.length === 0 ? first : why.join('; ');
      return [titleOf(route, input), `${describePath(route.match.path)}: ${reason}`] as const;
    });
  const lines = [
    `${request.method} ${asked.authority === '' ? '' : `${asked.scheme}://${asked.authority}`}${asked.path}${asked.query}`,
    ...arrivalNotes(input),
    ...(taken === undefined
      ? ['No route takes it: Envoy answers 404.']
      : [
          `${titleOf(taken, input)} takes it, ${describePath(taken.match.path)}.`,
          '',
          ...block(routeFacts(input, taken, asked)),
        ]),
    ...(others.length === 0
      ? []
      : ['', 'The other routes, in the order in which they are tried (host before path):', ...block(others)]),
    ...(taken === undefined
      ? []
      : ['', 'In Envoy:', ...block(resources(routing, taken, { here, host: request.host }))]),
    '',
  ];
  return { taken: taken !== undefined, text: lines.join('\n') };
}

function titleOf(route: Route, { placeOf }: ExplainInput): string {
  const place = placeOf(route);
  return place === undefined ? route.name : `${route.name} (${place})`;
}

/**
 * The listeners that the request comes to: by its port (or the usual one of its scheme, where Envoy has that), its scheme and its
 * host. What no listener has is left open, for something in front may see to it.
 */
function arrivedAt({ routing: { listeners }, request: { host }, asked, port }: ExplainInput): readonly Listener[] {
  const secure = asked.scheme === 'https';
  const narrowed = (all: readonly Listener[], fits: (one: Listener) => boolean) => {
    const some = all.filter(fits);
    return some.length === 0 ? all : some;
  };
  const byPort = narrowed(listeners, (one) => one.port === (port ?? (secure ? 443 : 80)));
  const byScheme = narrowed(byPort, ({ tls }) => (tls !== undefined) === secure);
  return socketsOf(byScheme).flatMap((socket) => listenerFor(socket.listeners, host) ?? []);
}

/** Where a route takes requests that does not take this one. */
function elsewhere(route: Route, { listeners }: Routing): string {
  const own = listeners.filter(({ name }) => route.listeners.includes(name));
  const places = own.map(({ port, tls, hostname }) => {
    const what = `port ${port}${tls === undefined ? '' : ' over TLS'}`;
    return hostname === undefined ? what : `${what} for ${hostname}`;
  });
  return `only at ${[...new Set(places)].join(' and ')}`;
}

/** What keeps the request from arriving as it was written: routes are looked at only by what does. */
function arrivalNotes({ routing: { listeners }, asked, port }: ExplainInput): readonly string[] {
  const ports = [...new Set(listeners.map((listener) => listener.port))];
  if (port !== undefined && !ports.includes(port)) {
    const here = ports.join(' and ');
    return [
      `Note: Envoy listens on port ${here}, not on ${port}: something else must lead it here, such as a Service.`,
    ];
  }
  const there = listeners.filter((listener) => port === undefined || listener.port === port);
  const secure = asked.scheme === 'https';
  if (there.length === 0 || there.some(({ tls }) => (tls !== undefined) === secure)) return [];
  return secure
    ? ['Note: Envoy takes plain HTTP here (no listen.tls): something in front must end TLS.']
    : ['Note: Envoy takes TLS only here (listen.tls): with http:// the connection is closed.'];
}

/** What is known of the services. */
type Known = Pick<ExplainInput, 'routing' | 'heldBy'>;

function routeFacts(known: Known, route: Route, asked: Asked): Lines {
  const clients =
    route.clients === undefined
      ? []
      : ([['clients', `${describeClients(route.clients)}; others are answered 403`]] as const);
  return [...clients, ...targetFacts(known, route, asked)];
}

function targetFacts(known: Known, route: Route, asked: Asked): Lines {
  const answers = headerFacts('answer', route.responseHeaders);
  switch (route.kind) {
    case 'redirect':
      return [['redirect', redirectText(route, asked)], ...answers];
    case 'answer':
      return [['answer', `${route.status}, from Envoy itself; no pod sees it`], ...answers];
    case 'forward':
      return [...forwardFacts(known, route, asked), ...headerFacts('request', route.requestHeaders), ...answers];
    default:
      return assertNever(route);
  }
}

function forwardFacts({ routing, heldBy }: Known, route: ForwardRoute, asked: Asked): Lines {
  const sum = route.backends.reduce((total, { weight }) => total + weight, 0);
  if (sum === 0) return [['answer', '500: no backend of the route is there']];
  return [
    ...(route.rewrite === undefined ? [] : rewriteFacts(route.match.path, route.rewrite, asked)),
    ...route.backends.flatMap((backend): Lines => {
      const share = `${Math.round((backend.weight / sum) * 1000) / 10} % of the requests`;
      if (backend.kind === 'missing') return [['answer', `500 for ${share}: a backend that is not there`]];
      const shared: Lines = route.backends.length === 1 ? [] : [['share', share]];
      return [...shared, ...facts(route, serviceOf(routing, backend.service), heldBy?.(backend.service))];
    }),
  ];
}

function rewriteFacts(matched: PathMatch, { path, host }: Rewrite, asked: Asked): Lines {
  const now = path === undefined ? undefined : changedPath(matched, path, asked.path);
  return [
    ...(path === undefined
      ? []
      : [['path', `rewritten to ${now === undefined ? describePathChange(path) : `${now}${asked.query}`}`] as const]),
    ...(host === undefined ? [] : [['host', `rewritten to ${host}`] as const]),
  ];
}

/** A routing is not made when a route leads nowhere. */
function serviceOf({ services }: Routing, name: ServiceName): Service {
  const service = services.find((one) => one.name === name);
  if (service === undefined) throw new Error(`a route leads to ${name}, which is not there`);
  return service;
}

function redirectText({ redirect, match }: RedirectRoute, asked: Asked): string {
  const target = redirectTarget(redirect, match.path, asked);
  const path = redirect.path === undefined ? '' : ` with ${describePathChange(redirect.path)}`;
  return `${redirect.status}, to ${target ?? `the same${path}`}; no pod sees it`;
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

function facts(route: ForwardRoute, service: Service, heldBy: string | undefined): Lines {
  const { discipline, timeout, protocol, locator } = service;
  const work = route.requestTimeout ?? timeout.request;
  const whose = route.requestTimeout === undefined ? "the service's" : "the route's own";
  const limit = work === 0 ? 'no limit' : `at most ${formatDuration(work)} (timeout.request, ${whose})`;
  return [
    ['service', `${service.name}, ${protocol}`],
    ...disciplineFacts(discipline, route),
    ...(heldBy === undefined ? [] : [['slots', `held by ${heldBy}`] as const]),
    ['work', limit],
    ['connect', `at most ${formatDuration(timeout.connect)} to reach a pod (timeout.connect)`],
    ['pods', describeLocator(locator)],
    ...(locator.kind === 'kubernetes' && locator.podLimits
      ? [['own', `a Pod with the annotation sluice.dev/limit has that limit (pod_limits)`] as const]
      : []),
  ];
}

function repeatedText({ header, onDuplicate }: Idempotency): string {
  const what = onDuplicate === 'join' ? 'gets the answer of the first' : 'is answered 409';
  return `while one with the same ${header} waits or runs, it ${what} (idempotency)`;
}

function jobsFacts(jobs: Jobs | undefined): Lines {
  if (jobs === undefined) return [];
  const { status, header, timeout, poll } = jobs;
  const ends = `POST ${WELL_KNOWN}jobs/ID/done, or ${formatDuration(timeout)} (async.timeout)`;
  return [
    ['jobs', `an answer ${status} keeps its slot, as the job that its ${header} names, until ${ends}`],
    ...(poll === undefined ? [] : [['asked', `pods say at ${poll} which jobs they have (async.poll)`] as const]),
  ];
}

const DEADLINES = {
  exact: 'as grpc-timeout or x-request-deadline says',
  early: 'as grpc-timeout or x-request-deadline says, less the usual work',
} as const satisfies Record<string, string>;

/** How the class of its requests is known. */
function priorityText(priority: Priority, { priority: own }: ForwardRoute): string {
  const text = describePriority(priority);
  return own === undefined ? text : `${own}, by its route; ${text}`;
}

function slackText(slack: Millis): string {
  return slack === 0
    ? 'none: the order is exact, also between Envoys (queue.slack)'
    : `between Envoys a request may go before one that is at most ${formatDuration(slack)} older (queue.slack)`;
}

function disciplineFacts(discipline: Service['discipline'], route: ForwardRoute): Lines {
  switch (discipline.kind) {
    case 'limited': {
      const { cost, idempotency, queue } = discipline;
      const { max, timeout, fullStatus, tellPlace = false, waitForBody, slack, priority, fair, deadline } = queue;
      const longest = timeout === 0 ? 'as long as it takes' : `for at most ${formatDuration(timeout)} (queue.timeout)`;
      return [
        ['limit', `each pod works on at most ${discipline.limit} at a time`],
        ['queue', `first in, first out: at most ${max} wait (queue.max), ${longest}; above it ${fullStatus}`],
        ...(slack === undefined ? [] : [['slack', slackText(slack)] as const]),
        ...(priority === undefined ? [] : [['priority', priorityText(priority, route)] as const]),
        ...(fair === undefined ? [] : [['fair', describeFair(fair)] as const]),
        ...(deadline === undefined ? [] : [['deadline', DEADLINES[deadline]] as const]),
        ...(cost === undefined ? [] : [['cost', `slots as header ${cost.header} says, else ${cost.usual}`] as const]),
        ...jobsFacts(discipline.jobs),
        ...(idempotency === undefined ? [] : [['repeated', repeatedText(idempotency)] as const]),
        ...(waitForBody === undefined
          ? []
          : [
              [
                'body',
                `it joins the queue with ${waitForBody / 1024} KiB of it, or all (queue.wait_for_body)`,
              ] as const,
            ]),
        ...(tellPlace
          ? [['place', `told with the answer, and by GET ${WELL_KNOWN}requests/ID (queue.place)`] as const]
          : []),
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

/** Where a request has come to. */
interface Arrival {
  readonly here: readonly Listener[];
  readonly host: string;
}

function resources(routing: Routing, route: Route, { here, host }: Arrival): Lines {
  const byListener = routesByListener(routing.routes);
  const first = socketsOf(routing.listeners).flatMap((socket): Lines => {
    const { name, tls } = socket;
    const own = socket.listeners.filter((one) => here.includes(one) && route.listeners.includes(one.name));
    if (own.length === 0) return [];
    const configurations = tls
      ? own.map((one) => [routesName(name, one.hostname), virtualHostsOver(one, socket, byListener)] as const)
      : [[name, virtualHosts(socket, byListener)] as const];
    return [
      ['Listener', name],
      ...configurations.map(
        ([one, hosts]) =>
          ['RouteConfiguration', `${one}, virtual host ${virtualHost(hosts, host)}, route ${route.name}`] as const,
      ),
    ];
  });
  return [...first, ...servicesOf(route).flatMap((name) => ofService(serviceOf(routing, name)))];
}

function ofService(service: Service): Lines {
  const cluster = clusterName(service);
  const queue: Lines =
    service.discipline.kind === 'limited' ? [['Filter', `${PLUGINS.queue}: where it waits for a slot of a pod`]] : [];
  return [...queue, ['Cluster', cluster], ['ClusterLoadAssignment', `${cluster}: the pods`]];
}

/** Envoy looks at one only: the very name, else the longest `*.` that fits, else `*`. */
function virtualHost(hosts: readonly VirtualHost[], host: string): string {
  const fitting = fittingHosts(
    hosts.map((one) => one.host),
    host,
  );
  const longest = fitting.toSorted((a, b) => Number(b === host) - Number(a === host) || b.length - a.length);
  return longest[0] ?? '*';
}
