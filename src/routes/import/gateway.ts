import type { Result } from '../../base/result.ts';
import type { PathMatch, RouteMatch } from '../../model/route.ts';
import { grpcMatch, httpMatch } from '../gateway-api/matches.ts';
import { RETRIES_FIX, retriesText } from '../objects/retries.ts';
import { numeric } from '../objects/service-settings.ts';
import type { Value } from '../objects/value.ts';
import { canSay, changesOf, headerKeys, heaviest } from './backends.ts';
import { fullName, type Subject, type YamlMap } from './draft.ts';
import type { KubeServices } from './kube-services.ts';

/** The hosts of the Gateways in the files, by name; none: every host. */
export class KnownGateways {
  readonly #hosts = new Map<string, readonly string[]>();

  /** Takes a Gateway over: its first listener is that of the route file. */
  add(subject: Subject, gateway: Value): void {
    const listeners = gateway.list('spec', 'listeners');
    const name = fullName({
      namespace: gateway.textAt('metadata', 'namespace'),
      name: gateway.textAt('metadata', 'name') ?? '',
    });
    const hosts = listeners.map((listener) => listener.textAt('hostname'));
    this.#hosts.set(
      name,
      hosts.flatMap((host) => (host === undefined ? [] : [host])),
    );
    if (hosts.includes(undefined)) this.#hosts.set(name, []);
    const ports = [...new Set(listeners.map((listener) => listener.textAt('port') ?? ''))];
    const [port = ''] = ports;
    if (port !== '') subject.draft.listen ??= { port: numeric(port) };
    if (ports.length > 1) {
      const message = `listeners at ports ${ports.join(', ')}: all routes are at ${String(subject.draft.listen?.['port'])}`;
      subject.refuse(
        gateway.at,
        message,
        'a route file has one listener: start a Sluice for each, or let it watch the Gateway',
      );
    }
    for (const listener of listeners) {
      const tls = listener.get('tls');
      if (tls === undefined) continue;
      const secrets = tls
        .list('certificateRefs')
        .map((ref) => ref.textAt('name'))
        .join(', ');
      const fix = 'write it to files and name them: listen: {port: 443, tls: {cert: ./tls.crt, key: ./tls.key}}';
      subject.refuse(tls.at, `the certificate in Secret ${secrets} is not in a route file`, fix);
    }
    for (const [side, what] of [
      ['frontend', 'clients are not asked for certificates'],
      ['backend', 'pods are shown no certificate'],
    ] as const) {
      const found = gateway.deep('spec', 'tls', side);
      if (found !== undefined) subject.refuse(found.at, `tls.${side}: ${what}`, 'let Sluice watch the Gateway');
    }
    gateway.done();
  }

  /** The hosts of the Gateways that a route names as parents. */
  hostsOf(route: Value): readonly string[] {
    const namespace = route.textAt('metadata', 'namespace');
    const found = route.list('spec', 'parentRefs').map((ref) => {
      const at = { namespace: ref.textAt('namespace') ?? namespace, name: ref.textAt('name') ?? '' };
      ref.done();
      return this.#hosts.get(fullName(at)) ?? [];
    });
    return found.some((hosts) => hosts.length === 0) ? [] : [...new Set(found.flat())];
  }
}

/** Takes over an HTTPRoute or a GRPCRoute. */
export function importGatewayRoute(
  subject: Subject,
  route: Value,
  { services, gateways, kind }: { services: KubeServices; gateways: KnownGateways; kind: 'HTTPRoute' | 'GRPCRoute' },
): void {
  route.skip('apiVersion', 'kind', 'metadata', 'status');
  const own = route.list('spec', 'hostnames').map((host) => (host.text() ?? '').toLowerCase());
  const ofGateways = gateways.hostsOf(route);
  const hosts = own.length > 0 ? own : ofGateways;
  const namespace = route.textAt('metadata', 'namespace');
  for (const rule of route.list('spec', 'rules')) {
    new RuleImport(subject, services, { hosts, namespace, kind }).run(rule);
    subject.refuseUnread(rule);
  }
  subject.refuseUnread(route);
}

interface RouteContext {
  readonly hosts: readonly string[];
  readonly namespace: string | undefined;
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
}

class RuleImport {
  readonly #subject: Subject;
  readonly #services: KubeServices;
  readonly #context: RouteContext;

  constructor(subject: Subject, services: KubeServices, context: RouteContext) {
    this.#subject = subject;
    this.#services = services;
    this.#context = context;
  }

  run(rule: Value): void {
    rule.skip('name');
    const retry = rule.get('retry')?.done();
    if (retry !== undefined) this.#subject.note(retry.at, retriesText('retry'), RETRIES_FIX);
    const matches = this.#matches(rule);
    const filters = rule.list('filters');
    const unknown = filters.filter((filter) => this.#isRefused(filter));
    const closing = unknown.some((filter) => /ExtensionRef|ExternalAuth/.test(filter.textAt('type') ?? ''));
    const headers = headerKeys(modifier(filters, 'requestHeaderModifier'), modifier(filters, 'responseHeaderModifier'));
    const redirect = filters.flatMap((filter) => filter.get('requestRedirect') ?? [])[0];
    const rewrite = filters.flatMap((filter) => filter.get('urlRewrite') ?? [])[0];
    const timeout = rule.get('timeouts');
    const bound = timeout?.textAt('request') ?? timeout?.textAt('backendRequest');
    for (const filter of filters) filter.textAt('type');
    const service = redirect === undefined && !closing ? this.#service(rule) : undefined;
    if (closing) {
      rule.done();
      return;
    }
    for (const { match, at } of matches) {
      if (redirect !== undefined) {
        const to = redirectKeys(redirect, match.path);
        this.#subject.route(at.at, { match, keys: { redirect: to, ...headers } });
      } else if (service !== undefined) {
        const changed = rewrite === undefined ? {} : this.#rewrite(rewrite, match.path);
        if (changed === undefined) continue;
        const times = bound === undefined || /^0+[a-z]*$/.test(bound) ? {} : { timeout: { request: bound } };
        this.#subject.route(at.at, { match, service, keys: { ...changed, ...times, ...headers } });
      }
    }
  }

  #matches(rule: Value): readonly { readonly match: RouteMatch; readonly at: Value }[] {
    const written = rule.list('matches');
    const { hosts, kind } = this.#context;
    const every = { path: { kind: 'prefix', prefix: '/' } as const, methods: [], headers: [], query: [] };
    if (written.length === 0) return [{ match: { ...every, hosts }, at: rule }];
    return written.flatMap((at) => {
      const read = kind === 'GRPCRoute' ? readGrpcMatch(at) : readHttpMatch(at);
      if (!read.ok) {
        for (const message of read.errors) this.#subject.refuse(at.at, message, 'write it in RE2 syntax');
        return [];
      }
      return canSay(this.#subject, at, read.value) ? [{ match: { ...read.value, hosts }, at }] : [];
    });
  }

  /** A filter that has no place in a route file. */
  #isRefused(filter: Value): boolean {
    const type = filter.textAt('type') ?? '';
    if (['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite'].includes(type))
      return false;
    filter.done();
    const outcome = /ExtensionRef|ExternalAuth/.test(type) ? ', so the rule is left out' : '';
    this.#subject.refuse(
      filter.at,
      `the filter ${type} is not carried over${outcome}`,
      'let Sluice watch the HTTPRoute, or keep what does it in front',
    );
    return true;
  }

  #service(rule: Value): string | undefined {
    const refs = rule.list('backendRefs');
    const nameOf = (ref: Value) => ref.textAt('name') ?? '';
    const weightOf = (ref: Value) => Number(ref.textAt('weight') ?? (refs.length === 1 ? 100 : 1));
    const ways = refs.map((way) => ({ way, name: nameOf(way), weight: weightOf(way), at: way.at }));
    const ref = heaviest(this.#subject, ways, 'HTTPRoute');
    // What gets nothing here has been told, or gets nothing there either.
    for (const one of refs) if (one !== ref) one.done();
    if (ref === undefined) {
      const fix = 'name a Service in backendRefs; here its requests are answered with 404';
      this.#subject.refuse(rule.at, 'a rule whose requests lead nowhere', fix);
      return undefined;
    }
    const kind = ref.textAt('kind') ?? 'Service';
    const group = ref.textAt('group') ?? '';
    const port = ref.textAt('port');
    if (kind !== 'Service' || group !== '' || port === undefined) {
      this.#subject.refuse(ref.at, `a backend that is not a Service with its port (${kind})`, 'lead it to a Service');
      return undefined;
    }
    const settings = this.#context.kind === 'GRPCRoute' ? { protocol: 'h2c' } : {};
    const namespace = ref.textAt('namespace') ?? this.#context.namespace;
    return this.#services.lead(this.#subject, ref.at, { namespace, name: nameOf(ref), port }, settings);
  }

  /** Undefined: no route file can say it, so the route is left out. */
  #rewrite(rewrite: Value, match: PathMatch): YamlMap | undefined {
    const host = rewrite.get('hostname');
    if (host !== undefined) {
      this.#subject.refuse(host.done().at, 'another host for the pods', 'pods get the host that clients ask for');
    }
    const path = rewrite.get('path');
    if (path === undefined) return {};
    path.textAt('type');
    const prefix = path.textAt('replacePrefixMatch');
    const whole = path.textAt('replaceFullPath');
    if (prefix !== undefined && match.kind === 'prefix') return { rewrite: { prefix: prefix || '/' } };
    if (whole !== undefined && match.kind === 'exact') return { rewrite: { prefix: whole } };
    const fix = 'a route file rewrites a prefix, or an exact path: match it so, or let Sluice watch the HTTPRoute';
    this.#subject.refuse(path.at, `every path becomes ${whole ?? prefix}, so the route is left out`, fix);
    return undefined;
  }
}

function modifier(filters: readonly Value[], key: string): YamlMap | undefined {
  const [change] = filters.flatMap((filter) => filter.get(key) ?? []);
  if (change === undefined) return undefined;
  const named = (list: string) =>
    Object.fromEntries(change.list(list).map((one) => [one.textAt('name') ?? '', one.textAt('value') ?? '']));
  return changesOf(
    named('set'),
    named('add'),
    change.list('remove').map((one) => one.text() ?? ''),
  );
}

function redirectKeys(redirect: Value, match: PathMatch): YamlMap {
  const scheme = redirect.textAt('scheme');
  const host = redirect.textAt('hostname');
  const port = redirect.textAt('port');
  const path = redirect.get('path');
  path?.textAt('type');
  const whole = path?.textAt('replaceFullPath');
  const prefix = path?.textAt('replacePrefixMatch');
  return {
    ...(scheme === undefined ? {} : { scheme }),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port: numeric(port) }),
    ...(whole === undefined ? {} : { path: whole }),
    ...(prefix === undefined ? {} : match.kind === 'exact' ? { path: prefix } : { prefix: prefix || '/' }),
    status: numeric(redirect.textAt('statusCode') ?? '302'),
  };
}

type Conditions = Result<Omit<RouteMatch, 'hosts'>, string>;

function readHttpMatch(match: Value): Conditions {
  const path = match.get('path');
  const method = match.textAt('method');
  const type = path?.textAt('type');
  const value = path?.textAt('value');
  return httpMatch({
    ...(path === undefined ? {} : { path: { type: pathType(type), ...(value === undefined ? {} : { value }) } }),
    ...(method === undefined ? {} : { method }),
    headers: conditions(match, 'headers'),
    queryParams: conditions(match, 'queryParams'),
  });
}

function pathType(type: string | undefined): 'Exact' | 'PathPrefix' | 'RegularExpression' {
  return type === 'Exact' || type === 'RegularExpression' ? type : 'PathPrefix';
}

/** Exact, unless it says something else. */
function conditionType(type: string | undefined): 'Exact' | 'RegularExpression' {
  return type === 'RegularExpression' ? type : 'Exact';
}

function readGrpcMatch(match: Value): Conditions {
  const found = match.get('method');
  const type = found?.textAt('type');
  const service = found?.textAt('service');
  const method = found?.textAt('method');
  return grpcMatch({
    method: {
      type: conditionType(type),
      ...(service === undefined ? {} : { service }),
      ...(method === undefined ? {} : { method }),
    },
    headers: conditions(match, 'headers'),
  });
}

function conditions(match: Value, key: string) {
  return match.list(key).map((one) => ({
    type: conditionType(one.textAt('type')),
    name: one.textAt('name') ?? '',
    value: one.textAt('value') ?? '',
  }));
}
