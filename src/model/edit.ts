import { createHash } from 'node:crypto';
import { assertNever } from '../base/assert-never.ts';
import { formatDuration } from '../base/duration.ts';
import { formatHostPort } from '../base/host-port.ts';
import type { AccessLog } from './access-log.ts';
import { describeFair, describeLocator, describeMatch, describePathChange, describePriority } from './describe.ts';
import { DEFAULT_HEADER_BOUNDS, type HeaderBounds } from './header-bounds.ts';
import { describeClients } from './ip-range.ts';
import { type Certificate, FILE_LISTENER, type Listener } from './listener.ts';
import { formatStaticPod, type Locator } from './locator.ts';
import type { Backend, HeaderChanges, Route } from './route.ts';
import type { Routing } from './routing.ts';
import { type Discipline, type Jobs, type PodTls, type Service, USUAL_SLACK } from './service.ts';
import type { Tracing } from './tracing.ts';

/** What is said of a thing, by the key that says it in the route file; undefined: nothing is said. */
type Facts = Readonly<Record<string, string | undefined>>;

/**
 * What a person changed, one line for each listener, service and route: `codec: limit 1 → 2, 3 pods added`. Empty: the
 * two mean the same.
 */
export function describeEdit(before: Routing, after: Routing): readonly string[] {
  const services = {
    of: 'service',
    title: String,
    nameOf: ({ name }: Service) => name,
    factsOf: serviceFacts,
    summary: serviceSummary,
  };
  const listeners = {
    of: 'listener',
    title: listenerTitle,
    nameOf: ({ name }: Listener) => name,
    factsOf: listenerFacts,
    summary: listenAt,
  };
  const routes = {
    of: 'route',
    title: (name: string) => `route ${name}`,
    nameOf: routeTitle,
    factsOf: routeFacts,
    summary: routeSummary,
  };
  return [
    ...changes(before.listeners, after.listeners, listeners),
    ...oneLine(factChanges(accessLogFacts(before.accessLog), accessLogFacts(after.accessLog))),
    ...oneLine(factChanges(tracingFacts(before.tracing), tracingFacts(after.tracing))),
    ...oneLine(factChanges(headerFacts(before.headerBounds), headerFacts(after.headerBounds))),
    ...changes(before.services, after.services, { ...services, more: podChanges }),
    ...changes(before.routes, after.routes, routes),
    ...orderChange(before.routes, after.routes),
  ];
}

interface Kind<T> {
  /** What a change of it begins with. */
  readonly title: (name: string) => string;
  /** What it is called when it comes or goes. */
  readonly of: string;
  readonly nameOf: (one: T) => string;
  readonly factsOf: (one: T) => Facts;
  readonly summary: (one: T) => string;
  /** Changes that are no single facts. */
  readonly more?: (before: T, after: T) => readonly string[];
}

function changes<T>(before: readonly T[], after: readonly T[], kind: Kind<T>): readonly string[] {
  const { of, title, nameOf, factsOf, summary, more = () => [] } = kind;
  const [old, now] = [byName(before, nameOf), byName(after, nameOf)];
  const gone = [...old].filter(([name]) => !now.has(name)).map(([name]) => `${of} ${name} removed`);
  const changed = [...now].flatMap(([name, one]) => {
    const was = old.get(name);
    if (was === undefined) return [`${of} ${name} added: ${summary(one)}`];
    // With a thousand routes, all but one are the very same.
    if (was === one) return [];
    const parts = [...factChanges(factsOf(was), factsOf(one)), ...more(was, one)];
    return parts.length === 0 ? [] : [`${title(name)}: ${parts.join(', ')}`];
  });
  return [...gone, ...changed];
}

/** Two of one name (the same match at two listeners) are told apart by their order. */
function byName<T>(all: readonly T[], nameOf: (one: T) => string): ReadonlyMap<string, T> {
  const named = new Map<string, T>();
  for (const one of all) {
    const name = nameOf(one);
    let unique = name;
    for (let count = 2; named.has(unique); count++) unique = `${name} (${count})`;
    named.set(unique, one);
  }
  return named;
}

function factChanges(before: Facts, after: Facts): readonly string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => {
    const [old, now] = [before[key], after[key]];
    return old === now ? [] : [`${key} ${old ?? 'none'} → ${now ?? 'none'}`];
  });
}

function tracingFacts(tracing: Tracing | undefined): Facts {
  if (tracing === undefined) return {};
  const { otlp, sample, name } = tracing;
  return { 'tracing.otlp': formatHostPort(otlp), 'tracing.sample': String(sample), 'tracing.name': name };
}

function headerFacts({ lines, size }: HeaderBounds = DEFAULT_HEADER_BOUNDS): Facts {
  return { 'header_bounds.lines': String(lines), 'header_bounds.size': `${size / 1024}KiB` };
}

function oneLine(parts: readonly string[]): readonly string[] {
  return parts.length === 0 ? [] : [parts.join(', ')];
}

/** The route file's own has a key. */
function listenerTitle(name: string): string {
  return name === FILE_LISTENER ? 'listen' : `listener ${name}`;
}

function listenAt({ address, port, tls }: Listener): string {
  return `${address} port ${port}${tls === undefined ? '' : ', TLS'}`;
}

function listenerFacts({ address, port, hostname, tls }: Listener): Facts {
  return { address, port: String(port), hostname, tls: tls?.certificates.map(certificateName).join(', ') };
}

function certificateName(certificate: Certificate): string {
  return certificate.kind === 'files' ? certificate.cert : certificate.name;
}

function accessLogFacts(log: AccessLog | undefined): Facts {
  if (log === undefined) return {};
  const { file, otlp, requests, headers } = log;
  return {
    'access_log.path': file?.path,
    'access_log.format': file?.format,
    'access_log.otlp': otlp && formatHostPort(otlp),
    'access_log.requests': requests,
    'access_log.headers': headers.length === 0 ? undefined : headers.join(' '),
  };
}

function serviceSummary(service: Service): string {
  const { discipline, locator } = service;
  const limit = discipline.kind === 'limited' ? `limit ${discipline.limit}` : 'no limit';
  return `${limit}, pods ${describeLocator(locator)}`;
}

function serviceFacts(service: Service): Facts {
  const { name: _, locator, protocol, tls, discipline, timeout, scaleDownAfter, health, outlier, ...rest } = service;
  // A new key of a service is not forgotten here: this line would not compile.
  rest satisfies Readonly<Record<string, never>>;
  return {
    ...disciplineFacts(discipline),
    protocol,
    tls: tls && tlsText(tls),
    'timeout.request': formatDuration(timeout.request),
    'timeout.connect': formatDuration(timeout.connect),
    health: health === undefined ? undefined : `${health.path} every ${formatDuration(health.interval)}`,
    'outlier.consecutive_5xx': String(outlier.consecutive5xx),
    'outlier.eject': formatDuration(outlier.eject),
    // The addresses of a list are compared one by one.
    ...(scaleDownAfter === undefined ? {} : { 'scale.down_after': formatDuration(scaleDownAfter) }),
    pods: locator.kind === 'static' ? 'a list of addresses' : describeLocator(locator),
    pod_limits: locator.kind === 'kubernetes' && locator.podLimits ? 'on' : undefined,
  };
}

function tlsText({ serverName, authorities, names, certificate }: PodTls): string {
  const by =
    authorities.kind === 'file'
      ? authorities.path
      : authorities.kind === 'pem'
        ? hashOf(authorities.pem)
        : authorities.kind;
  const shown = certificate === undefined ? [] : [`shown ${certificateName(certificate)}`];
  return [serverName ?? '', by, ...names.map(({ value }) => value), ...shown].join(' ');
}

/** Enough of a text to see that it is another one. */
function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

function jobFacts(jobs: Jobs | undefined): Facts {
  if (jobs === undefined) return {};
  const { status, header, timeout, poll } = jobs;
  return {
    'async.status': String(status),
    'async.id': header,
    'async.timeout': formatDuration(timeout),
    ...(poll === undefined ? {} : { 'async.poll': poll }),
  };
}

function disciplineFacts(discipline: Discipline): Facts {
  switch (discipline.kind) {
    case 'limited': {
      const { idempotency, queue } = discipline;
      const { max, timeout, fullStatus, tellPlace = false, waitForBody, slack, priority, fair, deadline } = queue;
      return {
        limit: String(discipline.limit),
        'queue.max': String(max),
        'queue.timeout': formatDuration(timeout),
        'queue.full_status': String(fullStatus),
        ...(tellPlace ? { 'queue.place': 'on' } : {}),
        ...jobFacts(discipline.jobs),
        ...(idempotency === undefined
          ? {}
          : { 'idempotency.header': idempotency.header, 'idempotency.on_duplicate': idempotency.onDuplicate }),
        ...(waitForBody === undefined ? {} : { 'queue.wait_for_body': `${waitForBody / 1024}KiB` }),
        'queue.slack': formatDuration(slack ?? USUAL_SLACK),
        'queue.priority': priority && describePriority(priority),
        'queue.fair': fair && describeFair(fair),
        'queue.deadline': deadline,
        cost: discipline.cost && `header ${discipline.cost.header}, else ${discipline.cost.usual}`,
      };
    }
    case 'balanced': {
      const { balance, maxRequests, queueMax, fullStatus } = discipline;
      return {
        balance,
        max_requests: String(maxRequests),
        'queue.max': String(queueMax),
        'queue.full_status': String(fullStatus),
      };
    }
    default:
      return assertNever(discipline);
  }
}

function podChanges(before: Service, after: Service): readonly string[] {
  const [old, now] = [addressesOf(before.locator), addressesOf(after.locator)];
  if (old === undefined || now === undefined) return [];
  const added = now.filter((one) => !old.includes(one));
  const removed = old.filter((one) => !now.includes(one));
  return [...podsText(added, 'added'), ...podsText(removed, 'removed')];
}

function addressesOf(locator: Locator): readonly string[] | undefined {
  return locator.kind === 'static' ? locator.addresses.map(formatStaticPod) : undefined;
}

/** More addresses than this are only counted. */
const MOST_ADDRESSES = 3;

function podsText(addresses: readonly string[], what: string): readonly string[] {
  const { length } = addresses;
  if (length === 0) return [];
  const names = length > MOST_ADDRESSES ? '' : ` (${addresses.join(', ')})`;
  return [`${length} ${length === 1 ? 'pod' : 'pods'} ${what}${names}`];
}

function routeTitle({ match, origin, name }: Route): string {
  return origin === undefined ? describeMatch(match) : name;
}

function routeSummary(route: Route): string {
  return routeFacts(route)['to'] ?? '';
}

function routeFacts(route: Route): Facts {
  const { match, listeners, responseHeaders, cors, clients } = route;
  return {
    ...targetFacts(route),
    match: describeMatch(match),
    listeners: listeners.join(' '),
    'headers.response': headersText(responseHeaders),
    cors: cors === undefined ? undefined : JSON.stringify(cors),
    clients: clients && describeClients(clients),
  };
}

function targetFacts(route: Route): Facts {
  switch (route.kind) {
    case 'forward': {
      const { rewrite, requestTimeout, priority, requestHeaders, mirrors = [] } = route;
      return {
        to: backendsText(route.backends),
        rewrite: rewrite?.path === undefined ? undefined : describePathChange(rewrite.path),
        'rewrite.host': rewrite?.host,
        'timeout.request': requestTimeout === undefined ? undefined : formatDuration(requestTimeout),
        priority,
        'headers.request': headersText(requestHeaders),
        mirrors: mirrors.length === 0 ? undefined : mirrors.map(({ service }) => service).join(' '),
      };
    }
    case 'redirect':
      return { to: `redirect ${JSON.stringify(route.redirect)}` };
    case 'answer':
      return { to: `answer ${route.status}`, body: route.body };
    default:
      return assertNever(route);
  }
}

function backendsText(backends: readonly Backend[]): string {
  const names = backends.map((backend) => {
    const name = backend.kind === 'service' ? backend.service : 'nothing';
    return backends.length === 1 ? name : `${name} (weight ${backend.weight})`;
  });
  return names.length === 0 ? 'nothing' : names.join(' and ');
}

function headersText(changed: HeaderChanges | undefined): string | undefined {
  if (changed === undefined) return undefined;
  const { set, add, remove } = changed;
  return [
    ...set.map(({ name, value }) => `set ${name}: ${value}`),
    ...add.map(({ name, value }) => `add ${name}: ${value}`),
    ...remove.map((name) => `remove ${name}`),
  ].join('; ');
}

/** The order in which routes are tried, where nothing else about them differs. */
function orderChange(before: readonly Route[], after: readonly Route[]): readonly string[] {
  const now = new Set(after.map(routeTitle));
  const old = new Set(before.map(routeTitle));
  const kept = before.map(routeTitle).filter((title) => now.has(title));
  const order = after.map(routeTitle).filter((title) => old.has(title));
  return kept.join('\n') === order.join('\n') ? [] : ['routes are tried in another order'];
}
