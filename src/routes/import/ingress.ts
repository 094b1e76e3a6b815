import type { Position } from '../../model/problem.ts';
import type { PathMatch, RouteMatch } from '../../model/route.ts';
import { EVERYTHING, type Subject, type YamlMap } from './draft.ts';
import { type IngressSettings, readAnnotations } from './ingress-annotations.ts';
import type { KubeServices } from './kube-services.ts';
import { rewriteOf } from './nginx-rewrite.ts';
import type { Value } from './value.ts';

/** Takes over an Ingress of `networking.k8s.io/v1`, or of the `v1beta1` of old manifests. */
export function importIngress(subject: Subject, ingress: Value, services: KubeServices): void {
  new IngressImport(subject, ingress, services).run();
}

/** A way to pods, of either version of the object. */
interface IngressBackend {
  readonly at: Position;
  readonly name: string;
  readonly port: string;
}

class IngressImport {
  readonly #subject: Subject;
  readonly #ingress: Value;
  readonly #services: KubeServices;
  readonly #namespace: string | undefined;
  readonly #settings: IngressSettings;

  constructor(subject: Subject, ingress: Value, services: KubeServices) {
    this.#subject = subject;
    this.#ingress = ingress;
    this.#services = services;
    this.#namespace = ingress.textAt('metadata', 'namespace');
    this.#settings = readAnnotations(subject, ingress.path('metadata', 'annotations'));
  }

  run(): void {
    this.#ingress.skip('apiVersion', 'kind', 'metadata', 'status');
    this.#ingress.path('spec')?.skip('ingressClassName');
    for (const tls of this.#ingress.list('spec', 'tls')) this.#tls(tls);
    if (this.#settings.closed) {
      for (const key of ['rules', 'defaultBackend', 'backend']) this.#ingress.path('spec', key)?.done();
      return;
    }
    const fallback = this.#ingress.path('spec', 'defaultBackend') ?? this.#ingress.path('spec', 'backend');
    for (const rule of this.#ingress.list('spec', 'rules')) this.#rule(rule, fallback);
    if (fallback !== undefined) this.#forward(fallback.at, EVERYTHING, this.#backend(fallback), {});
    this.#subject.refuseUnread(this.#ingress);
  }

  #tls(tls: Value): void {
    const hosts = tls.list('hosts').map((host) => host.text());
    const secret = tls.textAt('secretName') ?? 'of the controller';
    const message = `the certificate in Secret ${secret}${hosts.length === 0 ? '' : ` for ${hosts.join(', ')}`} is not in a route file`;
    const fix = 'write it to files and name them: listen: {port: 443, tls: {cert: ./tls.crt, key: ./tls.key}}';
    this.#subject.refuse(tls.at, message, fix);
  }

  #rule(rule: Value, fallback: Value | undefined): void {
    const host = rule.get('host');
    const hosts = this.#hosts(host);
    const paths = rule.list('http', 'paths');
    if (paths.length === 0 && fallback !== undefined) {
      this.#forward(rule.at, { ...EVERYTHING, hosts }, this.#backend(fallback), {});
    }
    this.#redirects(rule.at, hosts);
    for (const path of paths) this.#path(path, hosts);
  }

  #hosts(host: Value | undefined): readonly string[] {
    const name = host?.text()?.toLowerCase();
    if (name === undefined || name === '' || name === '*') return [];
    if (name.startsWith('*.') && host !== undefined) {
      const message = `${name} is one label below ${name.slice(2)} in an Ingress, and any number of them here`;
      this.#subject.note(host.at, message, 'name the hosts, if deeper ones are to be refused');
    }
    return [...new Set([name, ...this.#settings.aliases])];
  }

  /** Routes that annotations make out of the rule as a whole. */
  #redirects(at: Position, hosts: readonly string[]): void {
    const { appRoot, wwwRedirect } = this.#settings;
    if (appRoot !== undefined) {
      const match: RouteMatch = { ...EVERYTHING, path: { kind: 'exact', path: '/' }, hosts };
      this.#subject.route(at, { match, keys: { redirect: { path: appRoot, status: 302 } } });
    }
    if (!wwwRedirect) return;
    for (const host of hosts) {
      const other = host.startsWith('www.') ? host.slice(4) : `www.${host}`;
      this.#subject.route(at, {
        match: { ...EVERYTHING, hosts: [other] },
        keys: { redirect: { host, status: 308 } },
      });
    }
  }

  #path(path: Value, hosts: readonly string[]): void {
    const written = path.textAt('path') ?? '/';
    const at = path.get('path')?.at ?? path.at;
    const type = path.textAt('pathType') ?? 'ImplementationSpecific';
    const { rewrite, redirect, useRegex, headers } = this.#settings;
    const backend = path.get('backend');
    const isPattern = type !== 'Exact' && (useRegex || (rewrite !== undefined && looksLikeRegex(written)));
    const plain = isPattern && looksLikeRegex(written) ? undefined : this.#plainPath(at, written, type);
    if (redirect !== undefined) {
      backend?.done();
      const match: RouteMatch = { ...EVERYTHING, path: plain ?? this.#pattern(at, written), hosts, headers };
      this.#subject.route(path.at, { match, keys: { redirect } });
      return;
    }
    if (rewrite === undefined) {
      const match: RouteMatch = { ...EVERYTHING, path: plain ?? this.#pattern(at, written), hosts, headers };
      this.#forward(path.at, match, backend && this.#backend(backend), {});
      return;
    }
    const changed = rewriteOf(plain, written, rewrite.text);
    if (changed === undefined) {
      backend?.done();
      const message = `the path ${written} cannot be rewritten to ${rewrite.text}: a route file rewrites a prefix, or an exact path`;
      const fix =
        'let the pods take the path as it comes, or use a path such as /base(/|$)(.*) with rewrite-target /$2';
      this.#subject.refuse(at, message, fix);
      return;
    }
    if (changed.note !== undefined) this.#subject.note(at, changed.note, 'see that the pods understand such paths');
    const match: RouteMatch = { ...EVERYTHING, path: changed.path ?? this.#pattern(at, written), hosts, headers };
    const keys = changed.rewrite === undefined ? {} : { rewrite: { prefix: changed.rewrite } };
    this.#forward(path.at, match, backend && this.#backend(backend), keys);
  }

  #plainPath(at: Position, written: string, type: string): PathMatch {
    if (type === 'Exact') return { kind: 'exact', path: written };
    if (type === 'Prefix') return { kind: 'prefix', prefix: written.replace(/\/+$/, '') || '/' };
    // Controllers of clouds write a star for what is below a path.
    const below = /^(\/.*)\*$/.exec(written)?.[1];
    if (below?.endsWith('/')) return { kind: 'prefix', prefix: below };
    if (written !== '/' && !written.endsWith('/')) {
      const message = `${written} took every path that begins so (${written}x too); here it takes ${written} and what is below it`;
      this.#subject.note(at, message, `write regex: "${written}.*" if that is needed`);
    }
    return { kind: 'prefix', prefix: written };
  }

  /** ingress-nginx looks at the beginning of the path, a route file at the whole. */
  #pattern(at: Position, written: string): PathMatch {
    this.#subject.note(
      at,
      `the regular expression ${written} was matched without regard to case, and here case counts`,
      'begin it with (?i) if that is needed',
    );
    const bare = written.replace(/^\^/, '');
    const open = /(\$|\.[*+]\)*)$/.test(bare);
    return { kind: 'regex', regex: open ? bare : `${bare}.*` };
  }

  #forward(at: Position, match: RouteMatch, backend: IngressBackend | undefined, more: YamlMap): void {
    if (backend === undefined) return;
    const { service: settings, route: keys } = this.#settings;
    const { name, port } = backend;
    const service = this.#services.lead(
      this.#subject,
      backend.at,
      { namespace: this.#namespace, name, port },
      settings,
    );
    this.#subject.route(at, { match, service, keys: { ...more, ...keys } });
  }

  #backend(value: Value): IngressBackend | undefined {
    const resource = value.get('resource')?.done();
    if (resource !== undefined) {
      this.#subject.refuse(resource.at, 'a backend that is not a Service', 'lead it to a Service');
      return undefined;
    }
    const name = value.textAt('service', 'name') ?? value.textAt('serviceName');
    const port =
      value.textAt('service', 'port', 'number') ??
      value.textAt('service', 'port', 'name') ??
      value.textAt('servicePort');
    if (name === undefined || port === undefined) {
      this.#subject.refuse(
        value.at,
        'a backend without a Service and its port',
        'write service: {name: ..., port: ...}',
      );
      return undefined;
    }
    if (port === 'use-annotation') {
      this.#subject.refuse(value.at, `${name} is an action of another controller`, 'write a redirect route by hand');
      return undefined;
    }
    return { at: value.at, name, port };
  }
}

/** Whether a path has signs that mean something in regular expressions, the dot aside. */
export function looksLikeRegex(path: string): boolean {
  return /[\^$*+?()[\]{}|\\]/.test(path);
}
