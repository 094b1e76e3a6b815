import { EVERYTHING, type Redirect, type RouteMatch } from '../../model/route.ts';
import { regexFault } from '../file/regex.ts';
import type { Place, Remarks } from '../objects/remark.ts';
import type { Value } from '../objects/value.ts';
import { type IngressSettings, readAnnotations } from './annotations.ts';
import { looksLikeRegex, pathTypeOf, patternPath, plainPath } from './paths.ts';
import { type Rewritten, rewritten } from './rewrite.ts';

/*
 * An Ingress of `networking.k8s.io/v1`, or of the `v1beta1` of old manifests, as what is meant by it: the same for the
 * objects that are watched and for the files that are imported.
 */

/** A way to pods. */
export interface IngressBackend {
  readonly place: Place;
  readonly service: string;
  /** Of the Service, by number or name. */
  readonly port: string;
}

/** A certificate for hosts. */
export interface IngressTls {
  readonly place: Place;
  readonly hosts: readonly string[];
  readonly secret: string | undefined;
}

/** A route of an Ingress. */
export interface IngressRoute {
  readonly place: Place;
  /** `rules[0].paths[1]` */
  readonly name: string;
  /** A host of the form `*.x` takes one label. */
  readonly match: RouteMatch;
  readonly target:
    | { readonly kind: 'redirect'; readonly redirect: Redirect }
    | {
        readonly kind: 'forward';
        /** Undefined: it cannot be read. */
        readonly backend: IngressBackend | undefined;
        readonly rewrite?: NonNullable<Rewritten['change']>;
        /** The path as it is written, and what it is to become. */
        readonly written?: { readonly path: string; readonly target: string };
      };
}

/** What an Ingress says. */
export interface IngressReading {
  readonly settings: IngressSettings;
  readonly tls: readonly IngressTls[];
  readonly routes: readonly IngressRoute[];
}

/** Reads an Ingress; what is not done as it says is told. */
export function readIngress(ingress: Value, remarks: Remarks): IngressReading {
  return new IngressReader(ingress, remarks).read();
}

class IngressReader {
  readonly #ingress: Value;
  readonly #remarks: Remarks;
  readonly #settings: IngressSettings;
  readonly #routes: IngressRoute[] = [];

  constructor(ingress: Value, remarks: Remarks) {
    this.#ingress = ingress;
    this.#remarks = remarks;
    this.#settings = readAnnotations(ingress.deep('metadata', 'annotations'), remarks);
  }

  read(): IngressReading {
    const ingress = this.#ingress.skip('apiVersion', 'kind', 'metadata', 'status');
    ingress.get('spec')?.skip('ingressClassName');
    const tls = ingress.list('spec', 'tls').map(
      (one): IngressTls => ({
        place: one,
        hosts: one.list('hosts').map((host) => (host.text() ?? '').toLowerCase()),
        secret: one.textAt('secretName'),
      }),
    );
    const fallback = ingress.deep('spec', 'defaultBackend') ?? ingress.deep('spec', 'backend');
    const otherwise = fallback === undefined ? undefined : this.#backend(fallback);
    for (const [index, rule] of ingress.list('spec', 'rules').entries()) this.#rule(rule, `rules[${index}]`, otherwise);
    if (otherwise !== undefined) this.#forward(otherwise.place, 'defaultBackend', EVERYTHING, otherwise);
    this.#remarks.refuseUnread(ingress, 'see docs/ingress.md for what there is');
    return { settings: this.#settings, tls, routes: this.#routes };
  }

  #rule(rule: Value, name: string, otherwise: IngressBackend | undefined): void {
    const hosts = this.#hosts(rule);
    const paths = rule.list('http', 'paths');
    if (paths.length === 0 && otherwise !== undefined) {
      this.#forward(rule, name, { ...EVERYTHING, hosts }, otherwise);
    }
    this.#redirects(rule, name, hosts);
    for (const [index, path] of paths.entries()) this.#path(path, `${name}.paths[${index}]`, hosts);
  }

  #hosts(rule: Value): readonly string[] {
    const name = rule.textAt('host')?.toLowerCase();
    if (name === undefined || name === '' || name === '*') return [];
    return [...new Set([name, ...this.#settings.aliases])];
  }

  /** Routes that annotations make out of the rule as a whole. */
  #redirects(place: Place, name: string, hosts: readonly string[]): void {
    const { appRoot, wwwRedirect } = this.#settings;
    if (appRoot !== undefined) {
      const match: RouteMatch = { ...EVERYTHING, path: { kind: 'exact', path: '/' }, hosts };
      this.#redirect(place, `${name} app-root`, match, { path: { kind: 'whole', path: appRoot }, status: 302 });
    }
    if (!wwwRedirect) return;
    for (const host of hosts) {
      const other = host.startsWith('www.') ? host.slice(4) : `www.${host}`;
      this.#redirect(place, `${name} www ${host}`, { ...EVERYTHING, hosts: [other] }, { host, status: 308 });
    }
  }

  #redirect(place: Place, name: string, match: RouteMatch, redirect: Redirect): void {
    this.#routes.push({ place, name, match, target: { kind: 'redirect', redirect } });
  }

  #forward(place: Place, name: string, match: RouteMatch, backend: IngressBackend | undefined): void {
    this.#routes.push({ place, name, match, target: { kind: 'forward', backend } });
  }

  #path(path: Value, name: string, hosts: readonly string[]): void {
    const written = path.textAt('path') || '/';
    const at = path.get('path') ?? path;
    const type = pathTypeOf(path.textAt('pathType'));
    const { rewrite, redirect, useRegex } = this.#settings;
    const backend = path.get('backend');
    const isPattern = looksLikeRegex(written) && type !== 'Exact' && (useRegex || rewrite !== undefined);
    const plain = isPattern ? undefined : plainPath(written, type);
    const changed =
      rewrite === undefined || redirect !== undefined ? undefined : rewritten(plain, written, rewrite.value);
    const match: RouteMatch = { ...EVERYTHING, path: changed?.path ?? plain ?? patternPath(written), hosts };
    const fault = match.path.kind === 'regex' ? regexFault(match.path.regex) : undefined;
    if (fault !== undefined) {
      backend?.done();
      this.#remarks.refuse(at, `the path ${written} is left out: ${fault}`, 'write a regular expression of RE2');
      return;
    }
    if (redirect !== undefined) {
      backend?.done();
      this.#redirect(path, name, match, redirect);
      return;
    }
    if (rewrite !== undefined && changed === undefined) {
      backend?.done();
      const message = `the path ${written} is left out: it cannot be rewritten to ${rewrite.value}`;
      this.#remarks.refuse(at, message, 'write a path as rewrite-target, such as /$2 for the second group');
      return;
    }
    this.#routes.push({
      place: path,
      name,
      match,
      target: {
        kind: 'forward',
        backend: backend && this.#backend(backend),
        ...(changed?.change && { rewrite: changed.change }),
        ...(rewrite && { written: { path: written, target: rewrite.value } }),
      },
    });
  }

  #backend(value: Value): IngressBackend | undefined {
    const resource = value.get('resource')?.done();
    if (resource !== undefined) {
      this.#remarks.refuse(resource, 'a backend that is not a Service', 'lead it to a Service');
      return undefined;
    }
    const service = value.textAt('service', 'name') ?? value.textAt('serviceName');
    const port =
      value.textAt('service', 'port', 'number') ??
      value.textAt('service', 'port', 'name') ??
      value.textAt('servicePort');
    if (service === undefined || port === undefined) {
      const fix = 'write service: {name: ..., port: ...}';
      this.#remarks.refuse(value, 'a backend without a Service and its port', fix);
      return undefined;
    }
    if (port === 'use-annotation') {
      const fix = 'write permanent-redirect, or an HTTPRoute with a redirect';
      this.#remarks.refuse(value, `${service} is an action of another controller`, fix);
      return undefined;
    }
    return { place: value, service, port };
  }
}
