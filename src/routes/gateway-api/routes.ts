import type { Millis } from '../../base/duration.ts';
import type { Result } from '../../base/result.ts';
import type { ListenerName } from '../../model/listener.ts';
import { formatObject } from '../../model/origin.ts';
import type { Backend, Route, RouteMatch } from '../../model/route.ts';
import { type Finding, fails, holds } from '../objects/condition.ts';
import { type KubeObject, originOf } from '../objects/object.ts';
import { retriesText } from '../objects/retries.ts';
import type { Attachment } from './attach.ts';
import { type BackendFault, type BackendReferrer, type Backends, missing } from './backends.ts';
import { parseGatewayDuration } from './duration.ts';
import { type Filters, readFilters, redirectOf, rewriteOf } from './filters.ts';
import { grpcMatch, httpMatch } from './matches.ts';
import type { GrpcRoute, GrpcRule, HttpRoute, HttpRule, WeightedBackend } from './objects.ts';

/** What a route object comes to. */
export interface TranslatedRoute {
  readonly routes: readonly Route[];
  /** Besides `Accepted`, which each parent has its own of. */
  readonly findings: readonly Finding[];
}

/** A rule of either kind of route, its matches already read. */
interface Rule {
  readonly path: string;
  readonly matches: readonly Result<Omit<RouteMatch, 'hosts'>, string>[];
  readonly filters: HttpRule['filters'];
  readonly backendRefs: readonly WeightedBackend[];
  readonly requestTimeout?: Millis;
  /** What of it is not done, and why. */
  readonly undone: readonly string[];
}

/** The routes of an HTTPRoute, at the listeners that it is attached to. */
export function translateHttpRoute(
  object: HttpRoute,
  attachments: readonly Attachment[],
  backends: Backends,
): TranslatedRoute {
  const rules = (object.spec.rules ?? []).map((rule, index): Rule => {
    const { filters, backendRefs = [], timeouts } = rule;
    const matches = rule.matches ?? [];
    const timeout = timeoutOf(timeouts ?? {});
    return {
      path: `rules[${index}]`,
      // Without a match every request is one.
      matches: (matches.length === 0 ? [{}] : matches).map(httpMatch),
      filters,
      backendRefs,
      ...(timeout === undefined ? {} : { requestTimeout: timeout }),
      undone: undoneOf(rule),
    };
  });
  return translate({ kind: 'HTTPRoute', object, hosts: object.spec.hostnames ?? [] }, rules, attachments, backends);
}

/** The routes of a GRPCRoute. */
export function translateGrpcRoute(
  object: GrpcRoute,
  attachments: readonly Attachment[],
  backends: Backends,
): TranslatedRoute {
  const rules = (object.spec.rules ?? []).map(({ matches = [], filters, backendRefs = [] }: GrpcRule, index): Rule => {
    const read = (matches.length === 0 ? [{}] : matches).map(grpcMatch);
    return { path: `rules[${index}]`, matches: read, filters, backendRefs, undone: [] };
  });
  return translate({ kind: 'GRPCRoute', object, hosts: object.spec.hostnames ?? [] }, rules, attachments, backends);
}

/** Of the experimental channel, where somebody has that. */
function undoneOf({ retry, sessionPersistence }: HttpRule): readonly string[] {
  return [
    ...(retry === undefined ? [] : [retriesText('retry')]),
    ...(sessionPersistence === undefined ? [] : ['sessionPersistence: the next request goes to the first free pod']),
  ];
}

/** The shorter of the two: a request is tried once, so both bound the same. 0: no limit. */
function timeoutOf({ request, backendRequest }: NonNullable<HttpRule['timeouts']>): Millis | undefined {
  const known = [request, backendRequest].flatMap((text) => {
    const read = text === undefined ? undefined : parseGatewayDuration(text);
    return read === undefined ? [] : [read];
  });
  const limits = known.filter((one) => one > 0).sort((a, b) => a - b);
  return limits[0] ?? known[0];
}

interface RouteSource {
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly object: KubeObject;
  readonly hosts: readonly string[];
}

function translate(
  source: RouteSource,
  rules: readonly Rule[],
  attachments: readonly Attachment[],
  backends: Backends,
): TranslatedRoute {
  const from: BackendReferrer = { kind: source.kind, namespace: source.object.metadata.namespace ?? '' };
  const translated = rules.map((rule) => translateRule(source, rule, { from, attachments, backends }));
  const faults = translated.flatMap((one) => one.faults);
  const invalid = translated.flatMap((one) => one.invalid);
  return {
    routes: translated.flatMap((one) => one.routes),
    findings: [
      resolvedRefs(faults),
      ...(invalid.length === 0 ? [] : [holds('PartiallyInvalid', 'UnsupportedValue', invalid.join('; '))]),
    ],
  };
}

function resolvedRefs(faults: readonly BackendFault[]): Finding {
  const [first] = faults;
  if (first === undefined) return holds('ResolvedRefs', 'ResolvedRefs');
  const messages = [...new Set(faults.map(({ message }) => message))];
  return fails('ResolvedRefs', first.reason, messages.join('; '));
}

interface RuleTools {
  readonly from: BackendReferrer;
  readonly attachments: readonly Attachment[];
  readonly backends: Backends;
}

interface TranslatedRule {
  readonly routes: readonly Route[];
  readonly faults: readonly BackendFault[];
  /** What of the rule is left out, or answered with 500. */
  readonly invalid: readonly string[];
}

function translateRule(source: RouteSource, rule: Rule, { from, attachments, backends }: RuleTools): TranslatedRule {
  const filters = readFilters(rule.filters ?? [], from, backends);
  const refs = rule.backendRefs.map((ref) => toBackend(ref, from, backends));
  const to = refs.map(({ backend }) => backend);
  const bad = rule.matches.flatMap((match) => (match.ok ? [] : match.errors));
  const unknown = [...filters.unknown, ...refs.flatMap((ref) => ref.unknown)];
  const routes = rule.matches.flatMap((match, index): readonly Route[] => {
    if (!match.ok) return [];
    const name = `${formatObject(originOf(source.kind, source.object))} ${rule.path}.matches[${index}]`;
    return atListeners(attachments, filters.redirect !== undefined).map(({ listeners, port }) =>
      toRoute({ ...match.value, hosts: source.hosts }, rule, { source, name, listeners, port, filters, to }),
    );
  });
  return {
    routes,
    faults: [...filters.faults, ...refs.flatMap((ref) => ref.faults)],
    invalid: [
      ...bad.map((message) => `${rule.path} is left out: ${message}`),
      ...unknown.map((type) => `${rule.path} is answered with 500: its filter ${type} is not known here`),
      ...rule.undone.map((text) => `${rule.path}.${text}`),
    ],
  };
}

function toBackend(ref: WeightedBackend, from: BackendReferrer, backends: Backends) {
  const { weight = 1, filters = [] } = ref;
  const found = backends.find(from, ref);
  const changed = readFilters(filters, from, backends);
  if (found.kind === 'fault') return { backend: missing(weight), faults: [found.fault], unknown: changed.unknown };
  // Of one of several backends only headers can be changed.
  const foreign = filters
    .map(({ type }) => type)
    .filter((type) => !['RequestHeaderModifier', 'ResponseHeaderModifier'].includes(type));
  const { requestHeaders, responseHeaders } = changed;
  const backend: Backend = {
    kind: 'service',
    service: found.service.name,
    weight,
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
  };
  return { backend: foreign.length === 0 ? backend : missing(weight), faults: [], unknown: foreign };
}

/** The listeners a route is at; a redirect tells the port, so it is another route at each port. */
function atListeners(attachments: readonly Attachment[], byPort: boolean) {
  const ports = new Map<number, ListenerName[]>();
  for (const { spec, served } of attachments.flatMap(({ listeners }) => listeners)) {
    const names = ports.get(byPort ? spec.port : 0) ?? [];
    ports.set(byPort ? spec.port : 0, names);
    for (const { name } of served) if (!names.includes(name)) names.push(name);
  }
  return [...ports].filter(([, names]) => names.length > 0).map(([port, listeners]) => ({ port, listeners }));
}

interface RouteTools {
  readonly source: RouteSource;
  readonly name: string;
  readonly listeners: readonly ListenerName[];
  readonly port: number;
  readonly filters: Filters;
  readonly to: readonly Backend[];
}

function toRoute(match: RouteMatch, rule: Rule, { source, name, listeners, port, filters, to }: RouteTools): Route {
  const { redirect, rewrite, requestHeaders, responseHeaders, mirrors, cors, unknown } = filters;
  const common = {
    name,
    origin: originOf(source.kind, source.object),
    listeners,
    match,
    ...(responseHeaders && { responseHeaders }),
    ...(cors && { cors }),
  };
  if (unknown.length > 0) return { kind: 'answer', ...common, status: 500, body: '' };
  if (redirect !== undefined) return { kind: 'redirect', ...common, redirect: redirectOf(redirect, match.path, port) };
  return {
    kind: 'forward',
    ...common,
    backends: to,
    ...(rewrite && { rewrite: rewriteOf(rewrite, match.path) }),
    ...(rule.requestTimeout !== undefined && { requestTimeout: rule.requestTimeout }),
    ...(requestHeaders && { requestHeaders }),
    ...(mirrors.length > 0 && { mirrors }),
  };
}
