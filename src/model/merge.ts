import type { Certificate, Listener, ListenerName } from './listener.ts';
import { formatAddress, type Locator, locatorKey } from './locator.ts';
import { compareText, formatObject } from './origin.ts';
import { byRoutePrecedence } from './precedence.ts';
import type { Problem } from './problem.ts';
import type { Backend, Route } from './route.ts';
import type { Routing, RoutingPart } from './routing.ts';
import type { Jobs, Service, ServiceName } from './service.ts';

/** What several sources of routes come to together. */
export interface Merged {
  readonly routing: Routing;
  /** What the parts complain of, and where they contradict each other: told at both. */
  readonly problems: readonly Problem[];
  /** Listeners that cannot be there beside one of an earlier part. */
  readonly refused: ReadonlySet<ListenerName>;
}

/** A locator by which services of all parts can be compared: the namespace filled in, a port's name led to its number. */
export type Canonical = (locator: Locator) => Locator;

/**
 * All parts as one routing. Services with the same pods are one service, with one queue: the settings of the first part
 * that says any count. What contradicts an earlier part is left out or overruled, and nothing else suffers.
 */
export function merge(parts: readonly RoutingPart[], canonical: Canonical = (locator) => locator): Merged {
  const services = mergeServices(parts, canonical);
  const listeners = mergeListeners(parts);
  const routes = parts.flatMap((part, at) => {
    const names: Names = { service: services.names[at] ?? new Map(), listener: listeners.names[at] ?? new Map() };
    return part.routes.flatMap((route) => renamed(route, names, listeners.refused));
  });
  const accessLog = parts.find((part) => part.accessLog !== undefined)?.accessLog;
  const headerBounds = parts.find((part) => part.headerBounds !== undefined)?.headerBounds;
  const tracing = parts.find((part) => part.tracing !== undefined)?.tracing;
  return {
    routing: {
      listeners: listeners.all,
      services: services.all,
      routes: routes.sort(byRoutePrecedence),
      ...(accessLog === undefined ? {} : { accessLog }),
      ...(tracing === undefined ? {} : { tracing }),
      ...(headerBounds === undefined ? {} : { headerBounds }),
    },
    problems: [...parts.flatMap(({ problems }) => problems), ...services.problems, ...listeners.problems],
    refused: listeners.refused,
  };
}

/** How what a part names is called in the whole; what is not there keeps its name. */
type NewNames<Name> = ReadonlyMap<Name, Name>;
interface Names {
  readonly service: NewNames<ServiceName>;
  readonly listener: NewNames<ListenerName>;
}

/** A service as one part has it. */
interface Claim {
  readonly part: RoutingPart;
  readonly at: number;
  readonly service: Service;
  readonly implied: boolean;
}

function mergeServices(parts: readonly RoutingPart[], canonical: Canonical) {
  const byTarget = new Map<string, Claim[]>();
  for (const [at, part] of parts.entries()) {
    for (const service of part.services) {
      const claim = { part, at, service, implied: part.implied.has(service.name) };
      const key = targetKey(service, canonical);
      const others = byTarget.get(key);
      if (others === undefined) byTarget.set(key, [claim]);
      else others.push(claim);
    }
  }
  const names = parts.map(() => new Map<ServiceName, ServiceName>());
  const problems: Problem[] = [];
  const all: Service[] = [];
  for (const claims of byTarget.values()) {
    const chosen = claims.find(({ implied }) => !implied) ?? claims[0];
    if (chosen === undefined) continue;
    all.push(chosen.service);
    for (const claim of claims) {
      if (claim === chosen) continue;
      if (claim.service.name !== chosen.service.name) names[claim.at]?.set(claim.service.name, chosen.service.name);
      if (!claim.implied && settingsKey(claim.service) !== settingsKey(chosen.service)) {
        problems.push(...contradiction(chosen, claim));
      }
    }
  }
  return { all: all.sort((a, b) => compareText(a.name, b.name)), names, problems };
}

/** Balanced services of one part may share their pods; those of several parts are one service all the same. */
function targetKey({ locator, name }: Service, canonical: Canonical): string {
  return locator.kind === 'kubernetes' ? locatorKey(canonical(locator)) : `${name} ${locatorKey(locator)}`;
}

function jobsKey(jobs: Jobs | undefined): readonly unknown[] {
  return [jobs?.status, jobs?.header, jobs?.timeout, jobs?.poll];
}

/** A text that is equal for services that are told the same about. */
function settingsKey({
  locator,
  protocol,
  tls,
  discipline,
  timeout,
  scaleDownAfter,
  health,
  outlier,
}: Service): string {
  const own =
    discipline.kind === 'limited'
      ? [
          discipline.limit,
          locator.kind === 'kubernetes' && locator.podLimits === true,
          discipline.cost,
          discipline.queue.max,
          discipline.queue.timeout,
          discipline.queue.fullStatus,
          orderKey(discipline.queue),
          discipline.queue.tellPlace ?? false,
          discipline.queue.waitForBody ?? 0,
          discipline.queue.slack,
          jobsKey(discipline.jobs),
          [discipline.idempotency?.header, discipline.idempotency?.onDuplicate],
        ]
      : [discipline.balance, discipline.maxRequests, discipline.queueMax, discipline.fullStatus];
  return JSON.stringify([
    protocol,
    [tls?.serverName, tls?.authorities, tls?.names, tls?.certificate && certificateKey(tls.certificate)],
    discipline.kind,
    own,
    [timeout.request, timeout.connect, scaleDownAfter],
    [health?.path, health?.interval],
    [outlier.consecutive5xx, outlier.eject],
  ]);
}

function orderKey({ priority, fair, deadline }: Extract<Service['discipline'], { kind: 'limited' }>['queue']) {
  return [
    priority?.header,
    priority?.usual,
    priority?.classes.map(({ name, maxWait }) => [name, maxWait]),
    fair,
    deadline,
  ];
}

function contradiction(chosen: Claim, other: Claim): readonly Problem[] {
  const name = ({ part, service }: Claim) => `${service.name} of the ${part.source}`;
  const fix = 'say it in one of the two only, or the same in both';
  return [
    {
      severity: 'warning',
      subject: `service ${other.service.name}`,
      message: `${name(other)} and ${name(chosen)} have the same pods and other settings; those of the ${chosen.part.source} count`,
      fix,
    },
    {
      severity: 'warning',
      subject: `service ${chosen.service.name}`,
      message: `${name(other)} has the same pods and other settings, which do not count`,
      fix,
    },
  ];
}

function mergeListeners(parts: readonly RoutingPart[]) {
  const bySocket = new Map<string, Listener[]>();
  const sources = new Map<Listener, string>();
  const names = parts.map(() => new Map<ListenerName, ListenerName>());
  const refused = new Set<ListenerName>();
  const problems: Problem[] = [];
  for (const [at, { listeners, source }] of parts.entries()) {
    for (const listener of listeners) {
      const socket = formatAddress({ ip: listener.address, port: listener.port });
      const there = bySocket.get(socket) ?? [];
      bySocket.set(socket, there);
      const [first] = there;
      if (first !== undefined && (first.tls === undefined) !== (listener.tls === undefined)) {
        refused.add(listener.name);
        problems.push(...clash(socket, { listener, source }, { listener: first, source: sources.get(first) ?? '' }));
        continue;
      }
      const index = there.findIndex(({ hostname }) => hostname === listener.hostname);
      const same = there[index];
      if (same === undefined) {
        there.push(listener);
        sources.set(listener, source);
        continue;
      }
      names[at]?.set(listener.name, same.name);
      const both = withCertificates(same, listener);
      there[index] = both;
      sources.set(both, sources.get(same) ?? '');
    }
  }
  return { all: [...bySocket.values()].flat(), names, refused, problems };
}

function certificateKey(one: Certificate): string {
  return one.kind === 'files' ? `${one.cert} ${one.key}` : one.name;
}

function withCertificates(first: Listener, other: Listener): Listener {
  if (first.tls === undefined || other.tls === undefined) return first;
  const known = new Set(first.tls.certificates.map(certificateKey));
  const more = other.tls.certificates.filter((one) => !known.has(certificateKey(one)));
  return more.length === 0
    ? first
    : { ...first, tls: { ...first.tls, certificates: [...first.tls.certificates, ...more] } };
}

interface Claimed {
  readonly listener: Listener;
  readonly source: string;
}

function clash(socket: string, refused: Claimed, first: Claimed): readonly Problem[] {
  const name = ({ listener, source }: Claimed) =>
    listener.origin === undefined ? `the ${source}` : formatObject(listener.origin);
  const speaks = ({ listener }: Claimed) => (listener.tls === undefined ? 'plain HTTP' : 'TLS');
  const fix = 'give one of them another port';
  return [
    {
      severity: 'error',
      subject: name(refused),
      message: `wants ${speaks(refused)} at ${socket}, where ${name(first)} has ${speaks(first)}; it is not served there`,
      fix,
    },
    {
      severity: 'warning',
      subject: name(first),
      message: `${name(refused)} wants ${speaks(refused)} at ${socket} as well, which is refused`,
      fix,
    },
  ];
}

/** The route with the names that things have in the whole; nothing when no listener of it is left. */
function renamed(route: Route, { service, listener }: Names, refused: ReadonlySet<ListenerName>): readonly Route[] {
  const isSame = service.size === 0 && listener.size === 0 && !route.listeners.some((name) => refused.has(name));
  if (isSame) return [route];
  const left = route.listeners.filter((name) => !refused.has(name)).map((name) => listener.get(name) ?? name);
  if (left.length === 0) return [];
  const listeners = [...new Set(left)];
  if (route.kind !== 'forward') return [{ ...route, listeners }];
  const to = (name: ServiceName) => service.get(name) ?? name;
  const { mirrors, backends } = route;
  return [
    {
      ...route,
      listeners,
      backends: backends.map(
        (backend): Backend => (backend.kind === 'service' ? { ...backend, service: to(backend.service) } : backend),
      ),
      ...(mirrors && { mirrors: mirrors.map((mirror) => ({ ...mirror, service: to(mirror.service) })) }),
    },
  ];
}
