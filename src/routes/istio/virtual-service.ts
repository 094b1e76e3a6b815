import { type Millis, parseDuration } from '../../base/duration.ts';
import { regexLiteral } from '../../base/regex.ts';
import {
  type Cors,
  EVERYTHING,
  type HeaderChanges,
  type HeaderValue,
  type NamedMatch,
  type PathChange,
  type PathMatch,
  REDIRECT_STATUSES,
  type Redirect,
  type RouteMatch,
} from '../../model/route.ts';
import { regexFault } from '../file/regex.ts';
import type { Place, Remarks } from '../objects/remark.ts';
import { RETRIES_FIX, retriesText } from '../objects/retries.ts';
import type { Value } from '../objects/value.ts';
import { type MeshHost, meshHost, requestHosts } from './hosts.ts';

/*
 * A VirtualService as what is meant by it: the same for the objects that are watched and for the files that are imported.
 */

/** A way to pods, with its share. */
export interface IstioWay {
  readonly place: Place;
  /** As it is written. */
  readonly written: string;
  readonly host: MeshHost;
  readonly port: string | undefined;
  readonly weight: number;
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

/** A copy of requests. */
export interface IstioMirror {
  readonly place: Place;
  readonly host: MeshHost;
  readonly port: string | undefined;
  readonly perMillion: number;
}

/** What becomes of a route's requests. */
export type IstioTarget =
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  | { readonly kind: 'answer'; readonly place: Place; readonly status: number; readonly body: string }
  | {
      readonly kind: 'forward';
      readonly ways: readonly IstioWay[];
      readonly rewrite?: {
        readonly place: Place;
        readonly path?: PathChange;
        readonly host?: string;
      };
      readonly timeout?: { readonly place: Place; readonly text: string; readonly ms: Millis };
      readonly mirrors: readonly IstioMirror[];
    };

/** A route of a VirtualService, for one of its matches. */
export interface IstioRoute {
  readonly place: Place;
  /** `http[0].match[1]` */
  readonly name: string;
  /** The hosts are those of the VirtualService. */
  readonly match: RouteMatch;
  /** Hosts that the match names besides; none: all. */
  readonly authority: readonly string[];
  readonly target: IstioTarget;
  readonly cors?: { readonly place: Place; readonly value: Cors };
  readonly requestHeaders?: HeaderChanges;
  readonly responseHeaders?: HeaderChanges;
}

/** Reads a VirtualService: its routes in the order in which they are tried. What is not done as it says is told. */
export function readVirtualService(object: Value, remarks: Remarks): readonly IstioRoute[] {
  object.skip('apiVersion', 'kind', 'metadata', 'status');
  const spec = object.get('spec');
  spec?.skip('exportTo');
  const namespace = object.textAt('metadata', 'namespace');
  const hosts = (spec?.list('hosts') ?? []).map((host) => host.text() ?? '');
  const gateways = (spec?.list('gateways') ?? []).map((gateway) => gateway.text() ?? '');
  if (gateways.length === 0 || gateways.includes('mesh')) {
    const fix = 'lead those callers to Sluice by its own address';
    remarks.note(spec ?? object, 'callers in the mesh do not pass Sluice by these hosts', fix);
  }
  for (const key of ['tcp', 'tls']) {
    const found = spec?.get(key)?.done();
    if (found !== undefined) remarks.refuse(found, `${key} routes`, 'Sluice takes HTTP');
  }
  const own = hosts.includes('*') ? [] : [...new Set(hosts.flatMap((host) => requestHosts(host, namespace)))];
  const routes = (spec?.list('http') ?? []).flatMap((route, index) =>
    new RouteReader(remarks, { hosts: own, namespace, name: `http[${index}]` }).read(route),
  );
  remarks.refuseUnread(object, 'see docs/istio.md for what there is');
  return routes;
}

interface RouteContext {
  readonly hosts: readonly string[];
  readonly namespace: string | undefined;
  readonly name: string;
}

interface ReadMatch {
  readonly place: Place;
  readonly name: string;
  readonly match: RouteMatch;
  readonly authority: readonly string[];
}

class RouteReader {
  readonly #remarks: Remarks;
  readonly #context: RouteContext;

  constructor(remarks: Remarks, context: RouteContext) {
    this.#remarks = remarks;
    this.#context = context;
  }

  read(route: Value): readonly IstioRoute[] {
    route.skip('name');
    const retries = route.get('retries')?.done();
    if (retries !== undefined && retries.textAt('attempts') !== '0')
      this.#remarks.note(retries, retriesText('retries'), RETRIES_FIX);
    const fault = route.get('fault')?.done();
    if (fault !== undefined) {
      this.#remarks.refuse(fault, 'fault is not carried over', 'faults are for tests: keep them in the mesh');
    }
    const delegate = route.get('delegate')?.done();
    if (delegate !== undefined) {
      const fix = 'write its routes into this VirtualService';
      this.#remarks.refuse(delegate, 'delegate, so the route is left out', fix);
      route.done();
      return [];
    }
    const matches = this.#matches(route);
    if (matches.length === 0) {
      // Told already; what it would have led to is of no matter.
      route.done();
      return [];
    }
    const headers = this.#headers(route);
    const cors = this.#cors(route.get('corsPolicy'));
    const common = { ...headers, ...(cors && { cors }) };
    return matches.flatMap((one): readonly IstioRoute[] => {
      const target = this.#target(route, one.match.path);
      return target === undefined ? [] : [{ ...one, ...common, target }];
    });
  }

  #target(route: Value, path: PathMatch): IstioTarget | undefined {
    const direct = route.get('directResponse');
    if (direct !== undefined) {
      const status = Number(direct.textAt('status') ?? 200);
      const bytes = direct.textAt('body', 'bytes');
      const body =
        bytes === undefined ? (direct.textAt('body', 'string') ?? '') : Buffer.from(bytes, 'base64').toString('utf8');
      return { kind: 'answer', place: direct, status, body };
    }
    const redirect = route.get('redirect');
    if (redirect !== undefined) return this.#redirect(redirect);
    const ways = route.list('route');
    const read = ways.map((way) => this.#way(way, ways.some((one) => one.get('weight') !== undefined) ? 0 : 1));
    if (!read.some(({ weight }) => weight > 0)) {
      this.#remarks.refuse(route, 'a route whose requests lead nowhere', 'name a destination');
      return undefined;
    }
    const rewrite = this.#rewrite(route.get('rewrite'), path);
    const timeout = this.#timeout(route);
    return {
      kind: 'forward',
      ways: read,
      ...(rewrite && { rewrite }),
      ...(timeout && { timeout }),
      mirrors: this.#mirrors(route),
    };
  }

  #way(way: Value, byDefault: number): IstioWay {
    const written = way.textAt('destination', 'host') ?? '';
    const subset = way.deep('destination', 'subset');
    if (subset !== undefined) {
      const message = `subset ${subset.text()} of ${written}: requests go to all of its pods`;
      const fix = 'make a Service whose selector names those pods, and write it as the host';
      this.#remarks.refuse(subset, message, fix);
    }
    return {
      place: way,
      written,
      host: meshHost(written, this.#context.namespace),
      port: way.textAt('destination', 'port', 'number'),
      weight: Number(way.textAt('weight') ?? byDefault),
      ...this.#headers(way),
    };
  }

  #mirrors(route: Value): readonly IstioMirror[] {
    const one = route.get('mirror');
    const old = route.textAt('mirrorPercent') ?? route.textAt('mirror_percent');
    const share = route.textAt('mirrorPercentage', 'value') ?? old ?? '100';
    const read = (value: Value, destination: Value | undefined, percent: string): IstioMirror => ({
      place: value,
      host: meshHost(destination?.textAt('host') ?? '', this.#context.namespace),
      port: destination?.textAt('port', 'number'),
      perMillion: Math.min(1_000_000, Math.max(0, Math.round(Number(percent) * 10_000))),
    });
    const several = route
      .list('mirrors')
      .map((value) => read(value, value.get('destination'), value.textAt('percentage', 'value') ?? '100'));
    one?.get('subset')?.done();
    return [...(one === undefined ? [] : [read(one, one, share)]), ...several];
  }

  #cors(policy: Value | undefined): IstioRoute['cors'] {
    if (policy === undefined) return undefined;
    const texts = (key: string) => policy.list(key).map((one) => one.text() ?? '');
    const origins = policy.list('allowOrigins').flatMap((origin): readonly string[] => {
      const exact = origin.textAt('exact');
      const prefix = origin.textAt('prefix');
      if (exact !== undefined) return [exact];
      if (prefix !== undefined) return [`${prefix}*`];
      const message = 'an origin by a regular expression is left out';
      this.#remarks.refuse(origin.done(), message, 'write exact, or prefix');
      return [];
    });
    const maxAge = milliseconds(policy.textAt('maxAge'));
    policy.get('unmatchedPreflights')?.done();
    const value: Cors = {
      origins: [...origins, ...texts('allowOrigin')],
      methods: texts('allowMethods'),
      headers: texts('allowHeaders'),
      exposed: texts('exposeHeaders'),
      credentials: policy.textAt('allowCredentials') === 'true',
      ...(maxAge === undefined ? {} : { maxAge: Math.round(maxAge / 1000) }),
    };
    return { place: policy, value };
  }

  #timeout(route: Value) {
    const found = route.get('timeout');
    const text = found?.text();
    if (found === undefined || text === undefined || /^0+[a-z]*$/.test(text)) return undefined;
    const ms = milliseconds(text);
    if (ms === undefined) {
      this.#remarks.refuse(found, `timeout ${text} is not a duration`, 'write one such as 30s');
      return undefined;
    }
    const fix = 'write queue: {timeout: ...} at the service (sluice.dev/queue-timeout) to bound the wait as well';
    this.#remarks.note(found, `timeout ${text} does not include the wait here: it counts from the slot`, fix);
    return { place: found, text, ms };
  }

  #matches(route: Value): readonly ReadMatch[] {
    const written = route.list('match');
    const { hosts, name } = this.#context;
    if (written.length === 0) return [{ place: route, name, match: { ...EVERYTHING, hosts }, authority: [] }];
    return written.flatMap((at, index) => {
      const read = this.#match(at, `${name}.match[${index}]`);
      if (read === undefined) at.done();
      return read === undefined ? [] : [read];
    });
  }

  #match(at: Value, name: string): ReadMatch | undefined {
    at.skip('name', 'statPrefix', 'gateways');
    const refuse = (key: string, fix: string): boolean => {
      const found = at.get(key)?.done();
      if (found === undefined) return false;
      this.#remarks.refuse(found, `a match by ${key}, so the route is left out`, fix);
      return true;
    };
    const refused = [
      refuse('sourceLabels', 'who calls is not known here'),
      refuse('sourceNamespace', 'who calls is not known here'),
      refuse('withoutHeaders', 'there is no condition for absence: put the routes with the header first'),
      refuse('scheme', 'a listener takes http or https'),
      refuse('port', 'there is one port for plain HTTP, and one for TLS'),
    ].some((one) => one);
    const path = this.#path(at.get('uri'), at.textAt('ignoreUriCase') === 'true');
    const headers = this.#conditions(at, 'headers');
    const query = this.#conditions(at, 'queryParams');
    const methods = this.#exact(at.get('method'), 'method');
    const authority = this.#exact(at.get('authority'), 'authority');
    const isWhole = path !== undefined && methods !== undefined && authority !== undefined;
    if (refused || !isWhole || headers === undefined || query === undefined) return undefined;
    const match = { path, hosts: this.#context.hosts, methods, headers, query };
    return { place: at, name, match, authority: authority.map((host) => host.toLowerCase()) };
  }

  #path(uri: Value | undefined, anyCase: boolean): PathMatch | undefined {
    if (uri === undefined) return EVERYTHING.path;
    const exact = uri.textAt('exact');
    if (exact !== undefined) {
      return anyCase ? { kind: 'regex', regex: `(?i:${regexLiteral(exact)})` } : { kind: 'exact', path: exact };
    }
    const regex = uri.textAt('regex');
    if (regex !== undefined) {
      const own = anyCase ? `(?i:${regex})` : regex;
      return this.#isRegex(uri, own) ? { kind: 'regex', regex: own } : undefined;
    }
    const prefix = uri.textAt('prefix');
    if (prefix === undefined) {
      this.#remarks.refuse(uri, 'a match by something else than exact, prefix or regex', 'write one of the three');
      return undefined;
    }
    if (anyCase) return { kind: 'regex', regex: `(?i:${regexLiteral(prefix)}).*` };
    return prefix.endsWith('/') ? { kind: 'prefix', prefix } : { kind: 'start', prefix };
  }

  #isRegex(place: Place, regex: string): boolean {
    const fault = regexFault(regex);
    if (fault === undefined) return true;
    this.#remarks.refuse(place, `${fault}, so the route is left out`, 'write one of RE2');
    return false;
  }

  /** Undefined: by something else than an exact value. */
  #exact(found: Value | undefined, what: string): readonly string[] | undefined {
    if (found === undefined) return [];
    const exact = found.textAt('exact');
    if (exact !== undefined) return [exact];
    this.#remarks.refuse(found, `a match by a pattern of ${what}, so the route is left out`, 'write each value');
    return undefined;
  }

  /** Undefined: by a pattern that cannot be read. */
  #conditions(at: Value, key: string): readonly NamedMatch[] | undefined {
    const found = at.get(key);
    let isGood = true;
    const conditions = (found?.keys() ?? []).map(({ key: name }): NamedMatch => {
      const value = found?.get(name);
      const exact = value?.textAt('exact');
      const prefix = value?.textAt('prefix');
      const pattern = value?.textAt('regex') ?? (prefix === undefined ? undefined : `${regexLiteral(prefix)}.*`);
      const own = key === 'headers' ? name.toLowerCase() : name;
      if (exact !== undefined) return { name: own, value: { kind: 'exact', text: exact } };
      if (pattern === undefined || pattern === '.*' || pattern === '') return { name: own, value: { kind: 'present' } };
      isGood = this.#isRegex(value ?? at, `(?:${pattern})`) && isGood;
      return { name: own, value: { kind: 'regex', regex: pattern } };
    });
    return isGood ? conditions : undefined;
  }

  #rewrite(rewrite: Value | undefined, match: PathMatch) {
    if (rewrite === undefined) return undefined;
    const host = rewrite.textAt('authority');
    const path = this.#pathChange(rewrite, match);
    return { place: rewrite, ...(host === undefined ? {} : { host }), ...(path === undefined ? {} : { path }) };
  }

  #pathChange(rewrite: Value, match: PathMatch): PathChange | undefined {
    const regex = rewrite.get('uriRegexRewrite');
    if (regex !== undefined) {
      return {
        kind: 'regex',
        regex: regex.textAt('match') ?? '',
        substitution: regex.textAt('rewrite') ?? '',
      };
    }
    const uri = rewrite.textAt('uri');
    if (uri === undefined) return undefined;
    const isPrefix = match.kind === 'prefix' || match.kind === 'start';
    return isPrefix ? { kind: 'prefix', prefix: uri } : { kind: 'whole', path: uri };
  }

  #redirect(redirect: Value): IstioTarget {
    const derived = redirect.get('derivePort')?.done();
    if (derived !== undefined) {
      this.#remarks.note(derived, 'derivePort', 'write the port, if it is not that of the scheme');
    }
    const scheme = redirect.textAt('scheme');
    const host = redirect.textAt('authority');
    const port = redirect.textAt('port');
    const path = redirect.textAt('uri');
    const asked = Number(redirect.textAt('redirectCode') ?? 301);
    const status = REDIRECT_STATUSES.find((one) => one === asked);
    if (status === undefined) {
      this.#remarks.refuse(redirect, `redirectCode ${asked}`, 'write 301, 302, 303, 307 or 308; it is 301 here');
    }
    return {
      kind: 'redirect',
      redirect: {
        ...(scheme === 'http' || scheme === 'https' ? { scheme } : {}),
        ...(host === undefined ? {} : { host }),
        ...(port === undefined ? {} : { port: Number(port) }),
        ...(path === undefined ? {} : { path: { kind: 'whole', path } }),
        status: status ?? 301,
      },
    };
  }

  #headers(route: Value): Pick<IstioRoute, 'requestHeaders' | 'responseHeaders'> {
    const side = (key: string): HeaderChanges | undefined => {
      const change = route.deep('headers', key);
      const texts = (list: string): readonly HeaderValue[] =>
        (change?.get(list)?.texts() ?? []).map(({ key: name, text }) => ({ name: name.toLowerCase(), value: text }));
      const [set, add] = [texts('set'), texts('add')];
      const remove = (change?.list('remove') ?? []).map((one) => (one.text() ?? '').toLowerCase());
      return set.length + add.length + remove.length === 0 ? undefined : { set, add, remove };
    };
    const [requestHeaders, responseHeaders] = [side('request'), side('response')];
    return { ...(requestHeaders && { requestHeaders }), ...(responseHeaders && { responseHeaders }) };
  }
}

/** A duration as Istio writes it; undefined: none. */
function milliseconds(text: string | undefined): Millis | undefined {
  const read = text === undefined ? undefined : parseDuration(text);
  return read?.ok ? read.value : undefined;
}
