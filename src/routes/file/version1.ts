import { resolve } from 'node:path';
import type { Result } from '../../base/result.ts';
import { type Certificate, FILE_LISTENER, FILE_REDIRECT } from '../../model/listener.ts';
import { formatAddress, type Locator, locatorKey, type PodAddress } from '../../model/locator.ts';
import { byPrecedence } from '../../model/precedence.ts';
import {
  EVERYTHING,
  type ForwardRoute,
  type NamedMatch,
  type PathMatch,
  type RedirectRoute,
  type Route,
  type RouteMatch,
} from '../../model/route.ts';
import type { Routing } from '../../model/routing.ts';
import type { ServiceName } from '../../model/service.ts';
import { checkAccessLog, toAccessLog } from './access-log.ts';
import type { Named } from './collection.ts';
import { checkConditionName, checkParameterName } from './conditions.ts';
import { toHeaderBounds } from './header-bounds.ts';
import { checkHeaderChanges, toHeaderChanges } from './header-changes.ts';
import { type ReadRoute, reportHidden } from './hidden.ts';
import type { toHttps, version1 } from './keys.ts';
import { checkServiceName } from './names.ts';
import { nearest } from './nearest.ts';
import { isOwnAddress } from './own-address.ts';
import { checkRedirect, toRedirect } from './redirect.ts';
import { type Complaint, enumerate, quote, type Report } from './report.ts';
import type { match, route } from './route-keys.ts';
import { checkService, type ReadService, toLocator, toService } from './service.ts';
import { type Got, need, type ReadOf } from './shape.ts';
import { toTracing } from './tracing.ts';

/** A file of version 1, read key by key. */
export type ReadFile = ReadOf<typeof version1>;

/** Reports what no key shows by itself: names, references, keys and routes that exclude each other. */
export function checkVersion1({ listen, access_log: accessLog, services, routes }: ReadFile, report: Report): void {
  const named = services?.value ?? [];
  for (const { name, nameAt, path, value } of named) {
    const result = checkServiceName(name);
    if (!result.ok) for (const complaint of result.errors) report.error({ at: nameAt, path }, complaint);
    if (value !== undefined) checkService(value, report);
  }
  if (accessLog !== undefined) checkAccessLog(accessLog, report);
  checkShared(named, report);
  checkToHttps(listen, report);
  checkOwn(listen, named, report);
  const names = new Set(named.map(({ name }) => name));
  for (const { value } of routes.value ?? []) {
    if (value === undefined) continue;
    checkReference(value, services !== undefined && services.value === undefined ? undefined : names, report);
    checkConditionNames(value, report);
    checkRewrite(value, report);
    checkPriority(value, named, report);
    checkRedirecting(value, report);
    if (value.headers?.value !== undefined) checkHeaderChanges(value.headers.value, report);
  }
  const readable = (routes.value ?? []).flatMap((got): ReadRoute[] => {
    const read = got.value?.match.value;
    const found = read === undefined ? undefined : toMatch(read);
    return found === undefined || got.value === undefined ? [] : [{ match: found, got, place: got.value.match }];
  });
  reportHidden(readable, report);
}

/** One port cannot take both. */
function checkToHttps({ value: listen }: ReadFile['listen'], report: Report): void {
  const from = listen?.tls?.value?.redirect?.value?.from;
  if (from?.value === undefined || from.value !== listen?.port.value) return;
  report.error(from, { message: 'is listen.port, which takes TLS', fix: 'write the port of plain HTTP, such as 80' });
}

/** A pod that is Envoy's own listener would get its requests from itself, for ever. */
function checkOwn(listen: ReadFile['listen'], services: readonly Named<ReadService>[], report: Report): void {
  const { address, port } = listen.value ?? {};
  if (address?.value === undefined || port?.value === undefined) return;
  const own = { address: address.value, port: port.value };
  for (const { value } of services) {
    const locator = value === undefined ? undefined : toLocator(value);
    const got = value?.static ?? value?.dns;
    if (locator === undefined || got === undefined) continue;
    for (const pod of knownPods(locator).filter((known) => isOwnAddress(own, known))) {
      const message = `${formatAddress(pod)} is where Envoy takes requests (listen.port): they would come back for ever`;
      report.error(got, { message, fix: "write the pod's own port, or another listen.port" });
    }
  }
}

/** Addresses that are known without asking anybody. */
function knownPods(locator: Locator): readonly PodAddress[] {
  if (locator.kind === 'static') return locator.addresses;
  return locator.kind === 'dns' && locator.host === 'localhost' ? [{ ip: '127.0.0.1', port: locator.port }] : [];
}

/** Two services with the same pods would each hold the limit for itself: together more than a pod may have. */
function checkShared(services: readonly Named<ReadService>[], report: Report): void {
  const owners = new Map<string, Named<ReadService>>();
  for (const service of services) {
    const locator = service.value === undefined ? undefined : toLocator(service.value);
    if (service.value === undefined || locator === undefined) continue;
    for (const pods of podKeys(locator)) {
      const other = owners.get(pods.key);
      // An address twice in one list was told where the list was read.
      if (other === service) continue;
      if (other === undefined) {
        owners.set(pods.key, service);
      } else if (other.value?.limit !== undefined || service.value.limit !== undefined) {
        const { kubernetes, dns, static: addresses } = service.value;
        const message = `${pods.shown} is in service ${other.name} (line ${other.nameAt.line}) as well, and a limit holds within one service`;
        const fix = 'make it one service, and lead the routes of both to it';
        report.error(kubernetes ?? dns ?? addresses ?? service, { message, fix });
        break;
      }
    }
  }
}

/** Texts that are equal where pods are the same, and how to call them. */
function podKeys(locator: Locator): readonly { readonly key: string; readonly shown: string }[] {
  if (locator.kind !== 'static') return [{ key: locatorKey(locator), shown: `the same ${locator.kind} address` }];
  return locator.addresses.map((address) => ({ key: formatAddress(address), shown: formatAddress(address) }));
}

type ReadRouteKeys = ReadOf<typeof route>;

function checkReference({ service }: ReadRouteKeys, names: ReadonlySet<string> | undefined, report: Report): void {
  if (service?.value === undefined || names === undefined || names.has(service.value)) return;
  const meant = nearest(service.value, [...names]);
  const list = names.size === 0 ? 'write it under services' : `the services are ${enumerate([...names])}`;
  const fix = meant === undefined ? list : `write ${meant}`;
  report.error(service, { message: `there is no service ${quote(service.value)}`, fix });
}

/** The class of a route has to be one of its service. */
function checkPriority(
  { service, priority }: ReadRouteKeys,
  services: readonly Named<ReadService>[],
  report: Report,
): void {
  const own = services.find(({ name }) => name === service?.value)?.value;
  if (priority?.value === undefined || own === undefined) return;
  const classes = own.queue.value?.priority?.value?.classes.value;
  if (classes?.includes(priority.value)) return;
  const message = `${quote(priority.value)} is no class of service ${service?.value ?? ''}`;
  const fix =
    classes === undefined ? 'write its queue: {priority: {classes: [...]}}' : `write one of ${enumerate(classes)}`;
  report.error(priority, { message, fix });
}

function checkConditionNames({ match: { value: read } }: ReadRouteKeys, report: Report): void {
  checkNames(read?.headers?.value ?? [], checkConditionName, report);
  checkNames(read?.query?.value ?? [], checkParameterName, report);
}

function checkNames(
  named: readonly Named<unknown>[],
  check: (text: string) => Result<string, Complaint>,
  report: Report,
): void {
  const seen = new Map<string, Named<unknown>>();
  for (const one of named) {
    const place = { at: one.nameAt, path: one.path };
    const result = check(one.name);
    if (!result.ok) for (const complaint of result.errors) report.error(place, complaint);
    const name = result.ok ? result.value : one.name.toLowerCase();
    const first = seen.get(name);
    if (first === undefined) seen.set(name, one);
    else
      report.error(place, { message: `the same header is on line ${first.nameAt.line}`, fix: 'remove one of the two' });
  }
}

/** A redirect is answered by Envoy itself: what is for pods has no place beside it. */
function checkRedirecting({ match: { value: read }, redirect, ...rest }: ReadRouteKeys, report: Report): void {
  if (redirect === undefined) return;
  checkRedirect(redirect, read === undefined ? undefined : toPath(read), report);
  // Both: that was told already.
  if (rest.service !== undefined) return;
  for (const got of [rest.rewrite, rest.timeout, rest.priority, rest.headers?.value?.request]) {
    if (got === undefined) continue;
    report.error(got, { message: 'no pod gets a request that is redirected', fix: 'remove it' });
  }
}

function checkRewrite({ match: { value: read }, rewrite }: ReadRouteKeys, report: Report): void {
  const instead = rewrite?.value?.prefix;
  if (rewrite === undefined || read === undefined) return;
  if (read.regex !== undefined) {
    const fix = 'match by path or prefix, or leave the path as it is';
    report.error(rewrite, { message: 'with a regex there is no prefix to rewrite', fix });
  }
  const prefix = read.prefix?.value;
  if (prefix === undefined || instead?.value === undefined) return;
  // The other way round, /v1 to /x/, the rest begins with its own slash, and only one of the two is kept.
  if (!prefix.endsWith('/') || instead.value.endsWith('/')) return;
  const message = `would turn ${prefix}x into ${instead.value}x`;
  const fix = `write ${instead.value}/`;
  report.error(instead, { message, fix });
}

/** Tells of what is allowed but hardly meant. */
export function warnOfVersion1({ services, routes }: ReadFile, report: Report): void {
  const used = new Set(need(routes).map((got) => need(got).service?.value));
  if (need(routes).length === 0) {
    report.warn(routes, { message: 'there are no routes: every request is answered with 404', fix: 'add one' });
  }
  for (const { name, nameAt, path } of services?.value ?? []) {
    if (used.has(name)) continue;
    report.warn(
      { at: nameAt, path },
      { message: 'no route leads to this service', fix: 'add one, or remove the service' },
    );
  }
}

/** The file as the model has it. It must have been checked, without an error. */
export function toRouting(
  { listen, access_log: accessLog, tracing, header_bounds: headerBounds, services, routes }: ReadFile,
  baseDir: string,
): Routing {
  const { address, port, tls } = need(listen);
  const files = tls === undefined ? undefined : need(tls);
  const toHttps = files?.redirect === undefined ? undefined : need(files.redirect);
  const pair = (one: { readonly cert: Got<string>; readonly key: Got<string> }): Certificate => ({
    kind: 'files',
    cert: resolve(baseDir, need(one.cert)),
    key: resolve(baseDir, need(one.key)),
  });
  const certificates = (tls: NonNullable<typeof files>): readonly Certificate[] => [
    pair(tls),
    ...(tls.more === undefined ? [] : need(tls.more)).map((one) => pair(need(one))),
  ];
  return {
    listeners: [
      {
        name: FILE_LISTENER,
        address: need(address),
        port: need(port),
        ...(files === undefined ? {} : { tls: { certificates: certificates(files) } }),
      },
      ...(toHttps === undefined ? [] : [{ name: FILE_REDIRECT, address: need(address), port: need(toHttps.from) }]),
    ],
    services: (services?.value ?? [])
      .map((got) =>
        toService(serviceName(got.name), present(toLocator(need(got))), need(got), (file) => resolve(baseDir, file)),
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    routes: [
      ...need(routes)
        .map((got) => toRoute(got))
        .sort((a, b) => byPrecedence(a.match, b.match)),
      ...(toHttps === undefined ? [] : [redirectToHttps(toHttps, need(port))]),
    ],
    ...(accessLog === undefined ? {} : { accessLog: toAccessLog(accessLog, baseDir) }),
    ...(tracing === undefined ? {} : { tracing: toTracing(tracing) }),
    ...(headerBounds === undefined ? {} : { headerBounds: toHeaderBounds(headerBounds) }),
  };
}

type ReadToHttps = ReadOf<typeof toHttps>;

function redirectToHttps({ from, to }: ReadToHttps, own: number): RedirectRoute {
  const port = to === undefined ? own : need(to);
  return {
    kind: 'redirect',
    name: 'listen.tls.redirect',
    listeners: [FILE_REDIRECT],
    match: EVERYTHING,
    // From port 80, which goes with http, to the one that goes with https no port needs to be named.
    redirect: { scheme: 'https', ...(need(from) === 80 && port === 443 ? {} : { port }), status: 308 },
  };
}

function toRoute(got: Got<ReadRouteKeys>): Route {
  const { match: read, redirect, headers } = need(got);
  const responseHeaders = toHeaderChanges(headers === undefined ? undefined : need(headers).response);
  const common = {
    name: got.path,
    listeners: [FILE_LISTENER],
    match: present(toMatch(need(read))),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
  };
  if (redirect !== undefined) return { kind: 'redirect', ...common, redirect: toRedirect(redirect) };
  return { kind: 'forward', ...common, ...toForwardRoute(need(got)) };
}

function toForwardRoute({
  service,
  rewrite,
  timeout,
  priority,
  headers,
}: ReadRouteKeys): Omit<ForwardRoute, 'kind' | 'name' | 'match' | 'listeners'> {
  const requestHeaders = toHeaderChanges(headers === undefined ? undefined : need(headers).request);
  return {
    backends: [{ kind: 'service', service: serviceName(need(present(service))), weight: 1 }],
    ...(requestHeaders === undefined ? {} : { requestHeaders }),
    ...(rewrite === undefined ? {} : { rewrite: { path: { kind: 'prefix', prefix: need(need(rewrite).prefix) } } }),
    ...(timeout === undefined ? {} : { requestTimeout: need(need(timeout).request) }),
    ...(priority === undefined ? {} : { priority: need(priority) }),
  };
}

/** A match; undefined when a part of it could not be read. */
function toMatch(read: ReadOf<typeof match>): RouteMatch | undefined {
  const { hosts, methods } = read;
  const path = toPath(read);
  const whole = [hosts, methods].every((got) => got === undefined || got.value !== undefined);
  const headers = toConditions(read.headers)?.map(({ name, value }) => ({ name: name.toLowerCase(), value }));
  const query = toConditions(read.query);
  if (path === undefined || !whole || headers === undefined || query === undefined) return undefined;
  return { path, hosts: hosts?.value ?? [], methods: methods?.value ?? [], headers, query };
}

type ReadConditions = Got<readonly Named<NamedMatch['value']>[]>;

function toConditions(got: ReadConditions | undefined): readonly NamedMatch[] | undefined {
  if (got === undefined) return [];
  const named = got.value?.flatMap(({ name, value }): NamedMatch[] => (value === undefined ? [] : [{ name, value }]));
  return named?.length === got.value?.length ? named : undefined;
}

function toPath({ path, prefix, regex }: ReadOf<typeof match>): PathMatch | undefined {
  if ([path, prefix, regex].filter((got) => got !== undefined).length !== 1) return undefined;
  if (path?.value !== undefined) return { kind: 'exact', path: path.value };
  if (prefix?.value !== undefined) return { kind: 'prefix', prefix: prefix.value };
  return regex?.value === undefined ? undefined : { kind: 'regex', regex: regex.value };
}

/** A name that has been checked. */
function serviceName(text: string): ServiceName {
  const result = checkServiceName(text);
  if (!result.ok) throw new Error(`${text} was used as a service name although it is none`);
  return result.value;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a part of the route file was used although it could not be read');
  return value;
}
