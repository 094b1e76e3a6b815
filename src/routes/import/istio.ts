import { EVERYTHING, type NamedMatch, type PathMatch, type RouteMatch } from '../../model/route.ts';
import type { Value } from '../objects/value.ts';
import { canSay, changesOf, headerKeys, heaviest } from './backends.ts';
import { fullName, type Subject, type Yaml, type YamlMap } from './draft.ts';
import { type KubeServices, numeric } from './kube-services.ts';
import { refuseOutOfOrder } from './order.ts';

/** A Service, or a host outside, as Istio names it. */
interface MeshHost {
  readonly namespace: string | undefined;
  readonly name: string;
  /** Not of this cluster. */
  readonly outside: boolean;
}

/** What is kept between VirtualServices and DestinationRules: which services lead where. */
export class Mesh {
  readonly #services: KubeServices;
  /** Keys of the draft's services, by host. */
  readonly #keys = new Map<string, Set<string>>();

  constructor(services: KubeServices) {
    this.#services = services;
  }

  /** Takes over a VirtualService. */
  addVirtualService(subject: Subject, object: Value): void {
    object.skip('apiVersion', 'kind', 'metadata', 'status');
    const spec = object.get('spec');
    spec?.skip('exportTo');
    const namespace = object.textAt('metadata', 'namespace');
    const hosts = (spec?.list('hosts') ?? []).map((host) => host.text() ?? '');
    const gateways = (spec?.list('gateways') ?? []).map((gateway) => gateway.text() ?? '');
    if (gateways.length === 0 || gateways.includes('mesh')) {
      const fix = 'lead those callers to Sluice by its own address';
      subject.note(spec?.at ?? object.at, 'callers in the mesh do not pass Sluice by these hosts', fix);
    }
    const own = hosts.includes('*') ? [] : [...new Set(hosts.flatMap((host) => requestHosts(host, namespace)))];
    for (const key of ['tcp', 'tls']) {
      const found = spec?.get(key)?.done();
      if (found !== undefined) subject.refuse(found.at, `${key} routes`, 'Sluice takes HTTP');
    }
    const from = subject.draft.routes.length;
    for (const route of spec?.list('http') ?? []) {
      new HttpRouteImport(subject, {
        hosts: own,
        namespace,
        lead: (at, way) => this.#lead(subject, at, way, namespace),
      }).run(route);
      subject.refuseUnread(route);
    }
    refuseOutOfOrder(subject, from, 'the VirtualService');
    subject.refuseUnread(object);
  }

  /** Takes over a DestinationRule; all VirtualServices must have been taken over before. */
  addDestinationRule(subject: Subject, object: Value): void {
    object.skip('apiVersion', 'kind', 'metadata', 'status');
    object.deep('spec')?.skip('exportTo');
    const namespace = object.textAt('metadata', 'namespace');
    const host = object.textAt('spec', 'host') ?? '';
    const keys = [...(this.#keys.get(hostKey(meshHost(host, namespace))) ?? [])];
    for (const subset of object.list('spec', 'subsets')) {
      const message = `subset ${subset.textAt('name')} selects pods by labels`;
      subject.refuse(subset.done().at, message, 'make a Service whose selector names them, and lead a route to it');
    }
    const policy = object.deep('spec', 'trafficPolicy');
    if (keys.length === 0) {
      policy?.done();
      subject.note(object.at, `no VirtualService in the files leads to ${host}`, 'import them together');
      return;
    }
    if (policy !== undefined) {
      const settings = policySettings(subject, policy, { host, isH2: keys.some((key) => isH2(subject, key)) });
      for (const key of keys) {
        const limited = subject.draft.services.get(key)?.settings['limit'] !== undefined;
        const { balance, ...others } = settings;
        const { protocol, ...rest } = others;
        if (protocol !== undefined) subject.change(key, { protocol });
        subject.tell(object.at, key, limited || balance === undefined ? rest : { balance, ...rest });
      }
    }
    subject.refuseUnread(object);
  }

  #lead(subject: Subject, at: Value, way: Value, namespace: string | undefined): string {
    const host = way.textAt('destination', 'host') ?? '';
    const subset = way.deep('destination', 'subset');
    if (subset !== undefined) {
      const message = `subset ${subset.text()} of ${host}: requests go to all of its pods`;
      subject.refuse(subset.at, message, 'make a Service whose selector names those pods, and write it as the host');
    }
    const found = meshHost(host, namespace);
    const written = way.textAt('destination', 'port', 'number');
    const port = written ?? this.#services.onlyPort(found.namespace, found.name);
    if (port === undefined) {
      const fix = `write the port of ${host} at the service, if it is another one`;
      subject.note(at.at, `${host} without a port: 80 was taken`, fix);
    }
    const key = found.outside
      ? subject.service(at.at, {
          name: found.name,
          locator: { dns: { host: found.name, port: numeric(port ?? '80') } },
        })
      : this.#services.lead(subject, at.at, { ...found, port: port ?? '80' });
    const known = this.#keys.get(hostKey(found)) ?? new Set();
    this.#keys.set(hostKey(found), known.add(key));
    return key;
  }
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
          'httpsRedirect: a route file has one listener',
          'start a second Sluice with one route, redirect: {scheme: https}',
        ]
      : [
          `the certificate in ${tls.textAt('credentialName') ?? 'files of the gateway'} is not in a route file`,
          'write it to files and name them: listen: {port: 443, tls: {cert: ./tls.crt, key: ./tls.key}}',
        ];
    subject.refuse(tls.at, message, fix);
  }
  gateway.done();
}

function isH2(subject: Subject, key: string): boolean {
  return subject.draft.services.get(key)?.settings['protocol'] === 'h2c';
}

/** `reviews`, `reviews.shop.svc.cluster.local`, or a name outside. */
function meshHost(host: string, namespace: string | undefined): MeshHost {
  const [name = '', own, kind] = host.split('.');
  if (own === undefined) return { namespace, name, outside: false };
  if (kind === 'svc') return { namespace: own, name, outside: false };
  return { namespace: undefined, name: host, outside: true };
}

function hostKey({ outside, ...host }: MeshHost): string {
  return outside ? host.name : fullName(host);
}

/** Names by which callers ask for a host. */
function requestHosts(host: string, namespace: string | undefined): readonly string[] {
  const { outside, name, namespace: own } = meshHost(host, namespace);
  if (outside) return [host.toLowerCase()];
  const full = own === undefined ? [] : [`${name}.${own}`, `${name}.${own}.svc`, `${name}.${own}.svc.cluster.local`];
  return [name, ...full];
}

interface RouteContext {
  readonly hosts: readonly string[];
  readonly namespace: string | undefined;
  lead(at: Value, way: Value): string;
}

class HttpRouteImport {
  readonly #subject: Subject;
  readonly #context: RouteContext;

  constructor(subject: Subject, context: RouteContext) {
    this.#subject = subject;
    this.#context = context;
  }

  run(route: Value): void {
    route.skip('name', 'retries');
    this.#refused(route);
    const delegate = route.get('delegate')?.done();
    const direct = route.get('directResponse')?.done();
    if (delegate !== undefined || direct !== undefined) {
      const at = (delegate ?? direct ?? route).at;
      const [what, fix] =
        delegate === undefined
          ? ['an answer by Envoy itself (directResponse)', 'let a pod answer it']
          : ['delegate', 'write its routes into this VirtualService'];
      this.#subject.refuse(at, `${what}, so the route is left out`, fix);
      route.done();
      return;
    }
    const matches = this.#matches(route);
    const headers = this.#headers(route);
    const redirect = route.get('redirect');
    if (redirect !== undefined) {
      const keys = this.#redirect(redirect);
      for (const { at, match } of matches) this.#subject.route(at.at, { match, keys: { redirect: keys, ...headers } });
      return;
    }
    const ways = route.list('route');
    const nameOf = (way: Value) => {
      const port = way.textAt('destination', 'port', 'number');
      return `${way.textAt('destination', 'host') ?? ''}${port === undefined ? '' : `:${port}`}`;
    };
    const way = heaviest(this.#subject, ways, nameOf);
    if (way === undefined) {
      this.#subject.refuse(route.at, 'a route whose requests lead nowhere', 'name a destination');
      return;
    }
    // Several subsets of one host: all of them are its pods.
    for (const one of ways) if (one !== way && nameOf(one) === nameOf(way)) this.#context.lead(one, one);
    const service = this.#context.lead(way, way);
    const wayHeaders = Object.keys(headers).length === 0 ? this.#headers(way) : {};
    const timeout = this.#timeout(route);
    for (const { at, match } of matches) {
      const rewrite = this.#rewrite(route.get('rewrite'), match.path);
      if (rewrite === undefined) continue;
      this.#subject.route(at.at, { match, service, keys: { ...rewrite, ...timeout, ...headers, ...wayHeaders } });
    }
  }

  #refused(route: Value): void {
    const fixes = {
      fault: 'faults are for tests: keep them in the mesh',
      mirror: 'use an HTTPRoute with a RequestMirror filter',
      mirrors: 'use an HTTPRoute with a RequestMirror filter',
      mirrorPercentage: undefined,
      mirrorPercent: undefined,
      mirror_percent: undefined,
      corsPolicy: 'let the pods answer CORS, or use an HTTPRoute with a CORS filter',
    };
    for (const [key, fix] of Object.entries(fixes)) {
      const found = route.get(key)?.done();
      if (found !== undefined && fix !== undefined) this.#subject.refuse(found.at, `${key} is not carried over`, fix);
    }
  }

  #timeout(route: Value): YamlMap {
    const found = route.get('timeout');
    const text = found?.text();
    if (found === undefined || text === undefined || /^0+[a-z]*$/.test(text)) return {};
    const fix = 'write queue: {timeout: ...} at the service to bound the wait as well';
    this.#subject.note(found.at, `timeout ${text} does not include the wait here: it counts from the slot`, fix);
    return { timeout: { request: text } };
  }

  #matches(route: Value): readonly { readonly at: Value; readonly match: RouteMatch }[] {
    const written = route.list('match');
    const { hosts } = this.#context;
    if (written.length === 0) return [{ at: route, match: { ...EVERYTHING, hosts } }];
    return written.flatMap((at) => {
      const match = this.#match(at);
      if (match === undefined) at.done();
      return match === undefined ? [] : [{ at, match }];
    });
  }

  #match(at: Value): RouteMatch | undefined {
    at.skip('name', 'statPrefix');
    const refuse = (key: string, fix: string): boolean => {
      const found = at.get(key)?.done();
      if (found === undefined) return false;
      this.#subject.refuse(found.at, `a match by ${key}, so the route is left out`, fix);
      return true;
    };
    const refused = [
      refuse('sourceLabels', 'who calls is not known here'),
      refuse('sourceNamespace', 'who calls is not known here'),
      refuse('withoutHeaders', 'there is no condition for absence: put the routes with the header first'),
      refuse('scheme', 'a listener takes http or https'),
      refuse('port', 'a route file has one listener'),
    ].some((one) => one);
    at.skip('gateways');
    const ignoreCase = at.get('ignoreUriCase');
    if (ignoreCase?.text() === 'true') {
      this.#subject.note(ignoreCase.at, 'ignoreUriCase: here case counts', 'write regex: "(?i)..."');
    }
    const path = this.#path(at.get('uri'));
    const headers = this.#conditions(at, 'headers');
    const query = this.#conditions(at, 'queryParams');
    const method = this.#exact(at.get('method'), 'method');
    const authority = this.#exact(at.get('authority'), 'authority');
    if (refused || path === undefined || method === undefined || authority === undefined) return undefined;
    if (!canSay(this.#subject, at, { headers, query })) return undefined;
    const hosts = authority.length > 0 ? authority.map((host) => host.toLowerCase()) : this.#context.hosts;
    return { path, hosts, methods: method, headers, query };
  }

  #path(uri: Value | undefined): PathMatch | undefined {
    if (uri === undefined) return EVERYTHING.path;
    const exact = uri.textAt('exact');
    if (exact !== undefined) return { kind: 'exact', path: exact };
    const regex = uri.textAt('regex');
    if (regex !== undefined) return { kind: 'regex', regex };
    const prefix = uri.textAt('prefix');
    if (prefix === undefined) {
      this.#subject.refuse(uri.at, 'a match by something else than exact, prefix or regex', 'write one of the three');
      return undefined;
    }
    if (!prefix.endsWith('/')) {
      const message = `${prefix} took every path that begins so (${prefix}x too); here it takes ${prefix} and what is below it`;
      this.#subject.note(uri.at, message, `write regex: "${prefix}.*" if that is needed`);
    }
    return { kind: 'prefix', prefix };
  }

  /** Undefined: by something else than an exact value. */
  #exact(found: Value | undefined, what: string): readonly string[] | undefined {
    if (found === undefined) return [];
    const exact = found.textAt('exact');
    if (exact !== undefined) return [exact];
    this.#subject.refuse(found.at, `a match by a pattern of ${what}, so the route is left out`, 'write each value');
    return undefined;
  }

  #conditions(at: Value, key: string): readonly NamedMatch[] {
    const found = at.get(key);
    return (found?.keys() ?? []).map(({ key: name }): NamedMatch => {
      const value = found?.get(name);
      const exact = value?.textAt('exact');
      const pattern = value?.textAt('regex') ?? value?.textAt('prefix');
      const own = key === 'headers' ? name.toLowerCase() : name;
      if (exact !== undefined) return { name: own, value: { kind: 'exact', text: exact } };
      if (pattern === undefined || pattern === '.*' || pattern === '') return { name: own, value: { kind: 'present' } };
      return { name: own, value: { kind: 'regex', regex: pattern } };
    });
  }

  /** Undefined: no route file can say it, so the route is left out. */
  #rewrite(rewrite: Value | undefined, match: PathMatch): YamlMap | undefined {
    if (rewrite === undefined) return {};
    const authority = rewrite.get('authority')?.done();
    if (authority !== undefined) {
      this.#subject.refuse(authority.at, 'another host for the pods', 'pods get the host that clients ask for');
    }
    const regex = rewrite.get('uriRegexRewrite')?.done();
    const uri = rewrite.get('uri');
    const text = uri?.text();
    if (regex !== undefined || (text !== undefined && match.kind === 'regex')) {
      const fix = 'a route file rewrites a prefix, or an exact path: match it so';
      this.#subject.refuse(
        (regex ?? uri ?? rewrite).at,
        'a path rewritten by a regular expression, so the route is left out',
        fix,
      );
      return undefined;
    }
    if (text === undefined) return {};
    // The rest begins after the prefix, letter by letter: /v1/ to / and /v1/ to /v2 differ in their slash.
    const glued = match.kind === 'prefix' && match.prefix.endsWith('/') && !text.endsWith('/');
    return { rewrite: { prefix: glued ? `${text}/` : text } };
  }

  #redirect(redirect: Value): YamlMap {
    const keys = { scheme: 'scheme', authority: 'host', port: 'port', uri: 'path' } as const;
    const derived = redirect.get('derivePort')?.done();
    if (derived !== undefined)
      this.#subject.note(derived.at, 'derivePort', 'write the port, if it is not that of the scheme');
    const written = Object.entries(keys).flatMap(([key, own]) => {
      const text = redirect.textAt(key);
      return text === undefined ? [] : [[own, own === 'port' ? numeric(text) : text] as const];
    });
    return { ...Object.fromEntries(written), status: numeric(redirect.textAt('redirectCode') ?? '301') };
  }

  #headers(route: Value): YamlMap {
    const side = (key: string) => {
      const change = route.deep('headers', key);
      const texts = (list: string): YamlMap =>
        Object.fromEntries((change?.deep(list)?.texts() ?? []).map(({ key: name, text }) => [name, text]));
      return changesOf(
        texts('set'),
        texts('add'),
        (change?.list('remove') ?? []).map((one) => one.text() ?? ''),
      );
    };
    return headerKeys(side('request'), side('response'));
  }
}

const BALANCE: Readonly<Record<string, string>> = { ROUND_ROBIN: 'round_robin', RANDOM: 'random' };

/** What a traffic policy says of the pods. */
function policySettings(subject: Subject, policy: Value, { host, isH2 }: { host: string; isH2: boolean }): YamlMap {
  const settings: Record<string, Yaml> = {};
  const ports = policy.get('portLevelSettings')?.done();
  if (ports !== undefined) {
    subject.refuse(ports.at, 'portLevelSettings are not carried over', 'write them at the service of that port');
  }
  const simple = policy.deep('loadBalancer', 'simple');
  const balance = BALANCE[simple?.text() ?? ''];
  if (balance !== undefined) settings['balance'] = balance;
  else if (simple?.text() === 'PASSTHROUGH') {
    subject.refuse(simple.at, 'PASSTHROUGH', 'requests go to the pods of the service');
  }
  const hash = policy.deep('loadBalancer', 'consistentHash')?.done();
  if (hash !== undefined) {
    const fix = 'the next request goes to the first free pod: keep sessions outside of pods';
    subject.refuse(hash.at, 'consistentHash is not carried over', fix);
  }
  policy.deep('loadBalancer')?.skip('warmupDurationSecs', 'warmup', 'localityLbSetting');
  const pool = policy.get('connectionPool');
  pool?.deep('tcp')?.skip('tcpKeepalive', 'idleTimeout', 'maxConnectionDuration');
  pool
    ?.deep('http')
    ?.skip('maxRequestsPerConnection', 'maxRetries', 'idleTimeout', 'h2UpgradePolicy', 'useClientProtocol');
  const connect = pool?.textAt('tcp', 'connectTimeout');
  if (connect !== undefined) settings['timeout'] = { connect };
  const pending = pool?.textAt('http', 'http1MaxPendingRequests');
  if (pending !== undefined) settings['queue'] = { max: numeric(pending) };
  for (const found of [pool?.deep('tcp', 'maxConnections'), pool?.deep('http', 'http2MaxRequests')]) {
    const value = found?.text();
    if (found === undefined || value === undefined) continue;
    const message = `${value} is what one client's proxy may have at all pods of ${host} together, and says nothing of one pod`;
    const fix = `if one pod may hold ${value}, write limit: ${value} at the service, or the annotation sluice.dev/limit: "${value}" at the Service`;
    subject.note(found.at, message, fix);
  }
  const outlier = policy.get('outlierDetection');
  if (outlier !== undefined) {
    outlier.skip(
      'interval',
      'maxEjectionPercent',
      'minHealthPercent',
      'consecutiveGatewayErrors',
      'splitExternalLocalOriginErrors',
    );
    outlier.skip('consecutiveLocalOriginFailures');
    const consecutive = outlier.textAt('consecutive5xxErrors') ?? outlier.textAt('consecutiveErrors');
    const eject = outlier.textAt('baseEjectionTime');
    settings['outlier'] = {
      ...(consecutive === undefined ? {} : { consecutive_5xx: numeric(consecutive) }),
      ...(eject === undefined ? {} : { eject }),
    };
  }
  return { ...settings, ...tlsSettings(subject, policy.get('tls'), isH2) };
}

function tlsSettings(subject: Subject, tls: Value | undefined, isH2: boolean): YamlMap {
  const mode = tls?.textAt('mode') ?? 'DISABLE';
  if (tls === undefined || mode === 'DISABLE') return {};
  if (mode !== 'SIMPLE') {
    const message = `tls mode ${mode}: pods are not shown a certificate`;
    subject.refuse(tls.done().at, message, 'let the pods take plain HTTP from Sluice (PeerAuthentication PERMISSIVE)');
    return {};
  }
  const name = tls.textAt('sni');
  const ca = tls.textAt('caCertificates');
  const insecure = tls.textAt('insecureSkipVerify') === 'true';
  const keys = {
    ...(ca === undefined ? {} : { ca }),
    ...(name === undefined ? {} : { name }),
    ...(insecure ? { verify: 'off' } : {}),
  };
  // A gRPC service that was told to be h2c is told here that TLS is around it.
  return { protocol: isH2 ? 'h2' : 'https', ...(Object.keys(keys).length === 0 ? {} : { tls: keys }) };
}
