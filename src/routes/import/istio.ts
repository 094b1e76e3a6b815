import type { HeaderChanges, PathMatch, RouteMatch } from '../../model/route.ts';
import { readDestinationRule } from '../istio/destination-rule.ts';
import { hostKey, type MeshHost } from '../istio/hosts.ts';
import { type IstioRoute, type IstioTarget, type IstioWay, readVirtualService } from '../istio/virtual-service.ts';
import { Remarks } from '../objects/remark.ts';
import { numeric } from '../objects/service-settings.ts';
import type { Value } from '../objects/value.ts';
import { canSay, changesOf, headerKeys, heaviest, segmentPath } from './backends.ts';
import type { Subject, YamlMap } from './draft.ts';
import { redirectKeys } from './ingress.ts';
import type { KubeServices } from './kube-services.ts';
import { refuseOutOfOrder } from './order.ts';

/** What is kept between VirtualServices and DestinationRules: which services lead where. */
export class Mesh {
  readonly #services: KubeServices;
  /** Keys of the draft's services, by host. */
  readonly #keys = new Map<string, Set<string>>();

  constructor(services: KubeServices) {
    this.#services = services;
  }

  /** Takes over a VirtualService, as far as a route file can say what it says. */
  addVirtualService(subject: Subject, object: Value): void {
    const remarks = new Remarks();
    const routes = readVirtualService(object, remarks);
    subject.remark(remarks);
    const from = subject.draft.routes.length;
    for (const route of routes) this.#addRoute(subject, route);
    refuseOutOfOrder(subject, from, 'the VirtualService');
  }

  /** Takes over a DestinationRule; all VirtualServices must have been taken over before. */
  addDestinationRule(subject: Subject, object: Value): void {
    const remarks = new Remarks();
    const { written, host, keys: settings, tls } = readDestinationRule(object, remarks);
    const keys = [...(this.#keys.get(hostKey(host)) ?? [])];
    if (keys.length === 0) {
      subject.note(object.at, `no VirtualService in the files leads to ${written}`, 'import them together');
      return;
    }
    subject.remark(remarks);
    for (const key of keys) {
      const known = subject.draft.services.get(key)?.settings ?? {};
      const { balance, ...rest } = settings ?? {};
      const said = known['limit'] !== undefined || balance === undefined ? rest : { balance, ...rest };
      // A gRPC service that was told to be h2c is told here that TLS is around it.
      if (tls !== undefined) subject.change(key, { protocol: known['protocol'] === 'h2c' ? 'h2' : 'https' });
      const tlsKeys = {
        ...(tls?.ca === undefined ? {} : { ca: tls.ca.path }),
        ...(tls?.name === undefined ? {} : { name: tls.name }),
        ...(tls?.insecure ? { verify: 'off' } : {}),
      };
      subject.tell(object.at, key, { ...said, ...(Object.keys(tlsKeys).length === 0 ? {} : { tls: tlsKeys }) });
    }
  }

  #addRoute(subject: Subject, route: IstioRoute): void {
    const { place, match, authority, target, cors } = route;
    if (cors !== undefined) {
      const fix = 'let the pods answer CORS, or let Sluice watch the VirtualService';
      subject.refuse(cors.place.at, 'corsPolicy is not carried over', fix);
    }
    if (!canSay(subject, place, match)) return;
    const path = segmentPath(subject, place, match.path);
    const own: RouteMatch = { ...match, path, ...(authority.length === 0 ? {} : { hosts: authority }) };
    const headers = headersOf(route);
    switch (target.kind) {
      case 'answer': {
        const message = 'an answer by Envoy itself (directResponse), so the route is left out';
        subject.refuse(target.place.at, message, 'let a pod answer it, or let Sluice watch the VirtualService');
        return;
      }
      case 'redirect':
        subject.route(place.at, { match: own, keys: { redirect: redirectKeys(target.redirect), ...headers } });
        return;
      case 'forward':
        this.#forward(subject, route, { match: own, headers, target });
    }
  }

  #forward(
    subject: Subject,
    { place }: IstioRoute,
    {
      match,
      headers,
      target,
    }: { match: RouteMatch; headers: YamlMap; target: Extract<IstioTarget, { kind: 'forward' }> },
  ): void {
    const { ways, rewrite, timeout, mirrors } = target;
    for (const mirror of mirrors) {
      const fix = 'use an HTTPRoute with a RequestMirror filter, or let Sluice watch the VirtualService';
      subject.refuse(mirror.place.at, 'mirror is not carried over', fix);
    }
    const weighted = ways.map((one) => ({ way: one, name: nameOf(one), weight: one.weight, at: one.place.at }));
    const way = heaviest(subject, weighted, 'VirtualService');
    if (way === undefined) return;
    // Several subsets of one host: all of them are its pods.
    for (const one of ways) if (one !== way && nameOf(one) === nameOf(way)) this.#lead(subject, one);
    const service = this.#lead(subject, way);
    const changed = rewriteKeys(subject, rewrite, match.path);
    if (changed === undefined) return;
    const wayHeaders = Object.keys(headers).length === 0 ? headersOf(way) : {};
    const bound = timeout === undefined ? {} : { timeout: { request: timeout.text } };
    subject.route(place.at, { match, service, keys: { ...changed, ...bound, ...headers, ...wayHeaders } });
  }

  #lead(subject: Subject, { place, host, written, port: wanted }: IstioWay): string {
    const port = wanted ?? this.#services.onlyPort(host.namespace, host.name);
    if (port === undefined) {
      const fix = `write the port of ${written} at the service, if it is another one`;
      subject.note(place.at, `${written} without a port: 80 was taken`, fix);
    }
    const key = this.#serviceOf(subject, place.at, host, port ?? '80');
    const known = this.#keys.get(hostKey(host)) ?? new Set();
    this.#keys.set(hostKey(host), known.add(key));
    return key;
  }

  #serviceOf(subject: Subject, at: IstioWay['place']['at'], host: MeshHost, port: string): string {
    if (!host.outside) return this.#services.lead(subject, at, { ...host, port });
    return subject.service(at, { name: host.name, locator: { dns: { host: host.name, port: numeric(port) } } });
  }
}

function nameOf({ written, port }: IstioWay): string {
  return `${written}${port === undefined ? '' : `:${port}`}`;
}

/** Undefined: no route file can say it, so the route is left out. */
function rewriteKeys(
  subject: Subject,
  rewrite: Extract<IstioTarget, { kind: 'forward' }>['rewrite'],
  match: PathMatch,
): YamlMap | undefined {
  if (rewrite === undefined) return {};
  const { place, host, path } = rewrite;
  if (host !== undefined) {
    subject.refuse(place.at, 'another host for the pods', 'pods get the host that clients ask for');
  }
  if (path === undefined) return {};
  if (path.kind === 'regex' || (path.kind === 'whole' && match.kind === 'regex')) {
    const message = 'a path rewritten by a regular expression, so the route is left out';
    subject.refuse(place.at, message, 'a route file rewrites a prefix, or an exact path: match it so');
    return undefined;
  }
  const text = path.kind === 'prefix' ? path.prefix : path.path;
  // The rest begins after the prefix, letter by letter: /v1/ to / and /v1/ to /v2 differ in their slash.
  const isGlued = match.kind === 'prefix' && match.prefix.endsWith('/') && !text.endsWith('/');
  return { rewrite: { prefix: isGlued ? `${text}/` : text } };
}

function headersOf({
  requestHeaders,
  responseHeaders,
}: Pick<IstioRoute, 'requestHeaders' | 'responseHeaders'>): YamlMap {
  return headerKeys(sideOf(requestHeaders), sideOf(responseHeaders));
}

function sideOf(changes: HeaderChanges | undefined): YamlMap | undefined {
  if (changes === undefined) return undefined;
  const map = (list: HeaderChanges['set']): YamlMap => Object.fromEntries(list.map(({ name, value }) => [name, value]));
  return changesOf(map(changes.set), map(changes.add), changes.remove);
}

/** Takes over Istio's own Gateway: where clients come. */
export function importIstioGateway(subject: Subject, gateway: Value): void {
  const servers = gateway.list('spec', 'servers');
  const ports = [...new Set(servers.map((server) => server.textAt('port', 'number') ?? ''))];
  const [port = ''] = ports;
  if (port !== '') subject.draft.listen ??= { port: numeric(port) };
  if (ports.length > 1) {
    const message = `servers at ports ${ports.join(', ')}: all routes are at ${String(subject.draft.listen?.['port'])}`;
    subject.refuse(gateway.at, message, 'a route file has one listener: start a Sluice for each');
  }
  for (const server of servers) {
    const tls = server.get('tls');
    if (tls === undefined) continue;
    const redirects = tls.textAt('httpsRedirect') === 'true';
    const [message, fix] = redirects
      ? [
          'httpsRedirect: the certificate is not in a route file',
          'write listen: {port: 443, tls: {cert: ./tls.crt, key: ./tls.key, redirect: {from: 80}}}',
        ]
      : [
          `the certificate in ${tls.textAt('credentialName') ?? 'files of the gateway'} is not in a route file`,
          'write it to files and name them: listen: {port: 443, tls: {cert: ./tls.crt, key: ./tls.key}}',
        ];
    subject.refuse(tls.at, message, fix);
  }
  gateway.done();
}
