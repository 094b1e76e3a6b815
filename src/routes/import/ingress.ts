import { assertNever } from '../../base/assert-never.ts';
import type { NamedMatch, PathMatch, Redirect, RouteMatch } from '../../model/route.ts';
import type { IngressSettings } from '../ingress/annotations.ts';
import { type IngressRoute, type IngressTls, readIngress } from '../ingress/read.ts';
import { loosePrefix } from '../ingress/rewrite.ts';
import { Remarks } from '../objects/remark.ts';
import type { Value } from '../objects/value.ts';
import { segmentPath } from './backends.ts';
import type { Subject, Yaml, YamlMap } from './draft.ts';
import type { KubeServices } from './kube-services.ts';

/** Takes over an Ingress, as far as a route file can say what it says. */
export function importIngress(subject: Subject, ingress: Value, services: KubeServices): void {
  const remarks = new Remarks();
  const { settings, tls, routes } = readIngress(ingress, remarks);
  subject.remark(remarks);
  for (const one of tls) refuseCertificate(subject, one);
  const headers = refuseSettings(subject, settings);
  if (headers === undefined || settings.closed !== undefined) return;
  const namespace = ingress.textAt('metadata', 'namespace');
  const keys = { service: serviceKeys(subject, settings), route: routeKeys(settings) };
  noteHosts(subject, routes);
  for (const route of routes) importRoute(subject, route, { headers, keys, services, namespace });
}

function refuseCertificate(subject: Subject, { place, hosts, secret = 'of the controller' }: IngressTls): void {
  const message = `the certificate in Secret ${secret}${hosts.length === 0 ? '' : ` for ${hosts.join(', ')}`} is not in a route file`;
  const fix = 'write it to files and name them: listen: {port: 443, tls: {cert: ./tls.crt, key: ./tls.key}}';
  subject.refuse(place.at, message, fix);
}

/** What a route file has no key for. The headers that requests must have; undefined: the routes cannot be there. */
function refuseSettings(subject: Subject, settings: IngressSettings): readonly NamedMatch[] | undefined {
  const { cors, host, toHttpsAt, clients } = settings;
  if (clients !== undefined && settings.closed === undefined) {
    const message =
      'source ranges have no place in a route file, so the routes are left out: everybody would be let in';
    subject.refuse(clients.place.at, message, 'let Sluice watch the Ingress');
    return undefined;
  }
  if (cors !== undefined) {
    const fix = 'let the pods answer CORS, or let Sluice watch the Ingress';
    subject.refuse(cors.place.at, 'enable-cors has no place in a route file', fix);
  }
  if (host !== undefined) {
    const fix = 'let the pods take the host that clients ask for, or let Sluice watch the Ingress';
    subject.refuse(host.place.at, 'upstream-vhost has no place in a route file', fix);
  }
  if (toHttpsAt !== undefined) {
    const fix = 'write listen: {port: 443, tls: {cert: ./tls.crt, key: ./tls.key, redirect: {from: 80}}}';
    const name = settings.toHttps === 'always' ? 'force-ssl-redirect' : 'ssl-redirect';
    subject.refuse(toHttpsAt.place.at, `${name}: the certificate is not in a route file`, fix);
  }
  return canaryHeaders(subject, settings);
}

const SHARE =
  'a route of a route file leads to one service: use an HTTPRoute with weights, or let Sluice watch the Ingress';

function canaryHeaders(subject: Subject, { canary }: IngressSettings): readonly NamedMatch[] | undefined {
  if (canary === undefined) return [];
  const { header, cookie, weight } = canary;
  if (weight !== undefined) {
    const share = weight.value / 10_000;
    subject.refuse(weight.place.at, `canary-weight ${share}${share === 0 ? ': it gets nothing' : ''}`, SHARE);
  }
  if (cookie !== undefined) {
    subject.refuse(cookie.place.at, `canary-by-cookie ${cookie.value}`, 'use a header: canary-by-header');
  }
  if (header?.pattern !== undefined) {
    const fix = 'write match: {headers: {NAME: VALUE}} for each value';
    subject.refuse(header.pattern.place.at, `canary-by-header-pattern ${header.pattern.value}`, fix);
  }
  // All of its requests by chance or by pattern: without that it would take them all.
  if (header === undefined || header.pattern !== undefined) return undefined;
  return [{ name: header.name, value: { kind: 'exact', text: header.value ?? 'always' } }];
}

function serviceKeys(subject: Subject, { service, tls }: IngressSettings): YamlMap {
  if (tls === undefined) return service;
  const named = tls.name === undefined ? {} : { name: tls.name };
  const { secret } = tls;
  if (tls.verify) {
    const fix = 'write it to a file and name it: tls: {ca: ./ca.crt} of the service';
    if (secret !== undefined) subject.refuse(secret.place.at, `the authority in Secret ${secret.value}`, fix);
    return tls.name === undefined ? service : { ...service, tls: named };
  }
  const message = "ingress-nginx does not check the pods' certificates, and so it is written (tls: {verify: off})";
  subject.note(tls.place.at, message, 'write tls: {ca: FILE} instead to have them checked');
  if (secret !== undefined) {
    subject.refuse(secret.place.at, `the certificate in Secret ${secret.value} is not shown to pods`, 'do without');
  }
  return { ...service, tls: { ...named, verify: 'off' } };
}

function routeKeys({ requestHeaders }: IngressSettings): YamlMap {
  if (requestHeaders.length === 0) return {};
  const set = Object.fromEntries(requestHeaders.map(({ name, value }) => [name, value]));
  return { headers: { request: { set } } };
}

interface RouteTools {
  readonly headers: readonly NamedMatch[];
  readonly keys: { readonly service: YamlMap; readonly route: YamlMap };
  readonly services: KubeServices;
  readonly namespace: string | undefined;
}

function importRoute(subject: Subject, route: IngressRoute, tools: RouteTools): void {
  const { place, match, target } = route;
  const { headers, keys, services, namespace } = tools;
  if (target.kind === 'redirect') {
    const own = { ...match, path: segmentPath(subject, place, match.path), headers };
    subject.route(place.at, { match: own, keys: { redirect: redirectKeys(target.redirect) } });
    return;
  }
  const changed = rewriteKeys(subject, route);
  if (changed === undefined || target.backend === undefined) return;
  const { service: name, port, place: at } = target.backend;
  const service = services.lead(subject, at.at, { namespace, name, port }, keys.service);
  const own: RouteMatch = { ...match, path: changed.path, headers };
  subject.route(place.at, { match: own, service, keys: { ...changed.keys, ...keys.route } });
}

function noteHosts(subject: Subject, routes: readonly IngressRoute[]): void {
  const told = new Set<string>();
  for (const { place, match } of routes) {
    for (const host of match.hosts.filter((one) => one.startsWith('*.') && !told.has(one))) {
      told.add(host);
      const message = `${host} is one label below ${host.slice(2)} in an Ingress, and any number of them here`;
      subject.note(place.at, message, 'name the hosts, if deeper ones are to be refused');
    }
  }
}

interface Rewrite {
  readonly path: PathMatch;
  readonly keys: YamlMap;
}

/** Undefined: no route file can say it, so the route is left out. */
function rewriteKeys(subject: Subject, route: IngressRoute): Rewrite | undefined {
  const { place, match, target } = route;
  const path = segmentPath(subject, place, match.path);
  if (target.kind !== 'forward' || target.rewrite === undefined) return { path, keys: {} };
  const { rewrite, written = { path: '', target: '' } } = target;
  const look = 'see that the pods understand such paths';
  switch (rewrite.kind) {
    case 'prefix':
      return { path, keys: { rewrite: { prefix: rewrite.prefix } } };
    case 'whole': {
      if (path.kind !== 'prefix') return { path, keys: { rewrite: { prefix: rewrite.path } } };
      const glued = path.prefix.endsWith('/') && !rewrite.path.endsWith('/') ? `${rewrite.path}/` : rewrite.path;
      const message = `ingress-nginx made every path below ${path.prefix} ${rewrite.path}; here what follows ${path.prefix} is kept`;
      subject.note(place.at, message, look);
      return { path, keys: { rewrite: { prefix: glued } } };
    }
    case 'regex': {
      const loose = loosePrefix(written.path, written.target);
      if (loose?.change?.kind !== 'prefix' || loose.path.kind !== 'prefix') {
        const message = `the path ${written.path} cannot be rewritten to ${written.target}: a route file rewrites a prefix, or an exact path`;
        const fix =
          'let the pods take the path as it comes, or use a path such as /base(/|$)(.*) with rewrite-target /$2';
        subject.refuse(place.at, message, fix);
        return undefined;
      }
      const { prefix } = loose.path;
      const message = `${written.path} took ${prefix}x as well; here it takes ${prefix} and what is below it`;
      subject.note(place.at, message, look);
      return { path: loose.path, keys: { rewrite: { prefix: loose.change.prefix } } };
    }
    default:
      return assertNever(rewrite);
  }
}

/** `redirect` of a route file. */
export function redirectKeys({ scheme, host, port, path, status }: Redirect): YamlMap {
  const entries: readonly (readonly [string, Yaml | undefined])[] = [
    ['scheme', scheme],
    ['host', host],
    ['port', port],
    ['path', path?.kind === 'whole' ? path.path : undefined],
    ['status', status],
  ];
  return Object.fromEntries(entries.filter((entry): entry is [string, Yaml] => entry[1] !== undefined));
}
