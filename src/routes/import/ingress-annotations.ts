import type { Position } from '../../model/problem.ts';
import type { NamedMatch } from '../../model/route.ts';
import type { Subject, Yaml, YamlMap } from './draft.ts';
import { numeric } from './kube-services.ts';
import type { Value } from './value.ts';

/** What the annotations of an Ingress come to. */
export interface IngressSettings {
  /** Keys of its services. */
  readonly service: YamlMap;
  /** Keys of its routes. */
  readonly route: YamlMap;
  readonly rewrite: { readonly text: string; readonly at: Position } | undefined;
  readonly redirect: YamlMap | undefined;
  readonly useRegex: boolean;
  readonly appRoot: string | undefined;
  readonly wwwRedirect: boolean;
  /** Further hosts. */
  readonly aliases: readonly string[];
  /** Headers that requests must have: a canary's. */
  readonly headers: readonly NamedMatch[];
  /** It lets in only some; what cannot keep the others out is left out itself. */
  readonly closed: boolean;
}

const NGINX = 'nginx.ingress.kubernetes.io/';
const HAPROXY = 'haproxy.org/';

/** Other programs' annotations, which say nothing about where requests go. */
const QUIET =
  /^(kubectl\.kubernetes\.io|cert-manager\.io|acme\.cert-manager\.io|certmanager\.k8s\.io|external-dns\.alpha\.kubernetes\.io|(meta\.)?helm\.sh|argocd\.argoproj\.io|[a-z.]*\.cattle\.io|app\.kubernetes\.io|kubernetes\.io\/(tls-acme|ingress\.class))(\/|$)/;

/** Of ingress-nginx: what the route file, or Sluice, does anyway or has no use for. */
const NEEDLESS: Readonly<Record<string, string>> = {
  'proxy-body-size': 'no body is too large here',
  'client-body-buffer-size': 'bodies are passed on as they come',
  'proxy-buffering': 'answers are passed on as they come',
  'proxy-request-buffering': 'bodies are passed on as they come',
  'proxy-buffer-size': 'headers may have 256 KB here',
  'proxy-buffers-number': 'answers are passed on as they come',
  'proxy-busy-buffers-size': 'answers are passed on as they come',
  'proxy-max-temp-file-size': 'answers are passed on as they come',
  'proxy-http-version': 'protocol of the service says how pods are spoken to',
  'proxy-next-upstream': 'a request that did not reach a pod goes to another one by itself',
  'proxy-next-upstream-timeout': 'a request that did not reach a pod goes to another one by itself',
  'proxy-next-upstream-tries': 'a request that did not reach a pod goes to another one by itself',
  'connection-proxy-header': 'WebSocket works by itself',
  'websocket-services': 'WebSocket works by itself',
  'service-upstream': 'requests go to pods, each within its limit',
  'enable-access-log': 'the access log is set where Sluice starts',
  'preserve-trailing-slash': 'paths stay as they are',
  'http2-push-preload': 'no browser takes pushes any more',
  'auth-tls-pass-certificate-to-upstream': 'there is no certificate of a client',
};

/** What lets in only some: without it everybody would be let in. */
const CLOSING =
  /^(auth-|whitelist-source-range$|denylist-source-range$|allowlist-source-range$|satisfy$|enable-global-auth$)/;

/** Of ingress-nginx, by the beginning of the name: what has no place in a route file, and what to do. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [
    /^(configuration|server|stream|auth)-snippet$/,
    "write what it does as the route's headers or redirect, or keep nginx in front",
  ],
  [
    /^(affinity|session-cookie-|upstream-hash-by)/,
    'the next request goes to the first free pod: keep sessions outside of pods',
  ],
  [/^limit-/, 'it is per client; the limit here is per pod: services.<name>.limit, or keep nginx in front for it'],
  [/^(enable-cors|cors-)/, 'let the pods answer CORS, or use an HTTPRoute with a CORS filter'],
  [/^mirror-/, 'use an HTTPRoute with a RequestMirror filter'],
  [
    /^(custom-http-errors|default-backend|disable-proxy-intercept-errors)$/,
    'let the pods answer with pages of their own',
  ],
  [/^(custom-headers|proxy-set-headers)$/, 'write headers: {request: {set: {...}}} at the routes'],
  [/^upstream-vhost$/, 'let the pods take the host that clients ask for, or use an HTTPRoute with a URLRewrite filter'],
  [/^ssl-passthrough$/, 'let Sluice end TLS (listen.tls), and speak TLS to pods (protocol: https)'],
  [/^(enable-modsecurity|enable-owasp|modsecurity-)/, 'keep such a filter in front'],
  [
    /^(enable-opentelemetry|opentelemetry-|enable-opentracing|opentracing-|enable-rewrite-log)/,
    'tracing is not part of a route file',
  ],
];

/** Reads the annotations of an Ingress; every one that has no place in a route file is told. */
export function readAnnotations(subject: Subject, annotations: Value | undefined): IngressSettings {
  const reader = new AnnotationReader(subject, annotations);
  return reader.read();
}

class AnnotationReader {
  readonly #subject: Subject;
  readonly #texts: ReadonlyMap<string, { readonly text: string; readonly at: Position }>;
  readonly #service: Record<string, Yaml> = {};
  readonly #route: Record<string, Yaml> = {};
  readonly #used = new Set<string>();
  #closed = false;

  constructor(subject: Subject, annotations: Value | undefined) {
    this.#subject = subject;
    // Old manifests have them without `nginx.`.
    this.#texts = new Map(
      (annotations?.texts() ?? []).map(({ key, ...rest }) => [
        key.replace(/^ingress\.kubernetes\.io\//, NGINX),
        { ...rest, text: rest.text.trim() },
      ]),
    );
  }

  read(): IngressSettings {
    this.#protocol();
    this.#timeouts();
    const headers = this.#canary();
    const redirect = this.#redirect();
    const haproxyLimit = this.#take(`${HAPROXY}pod-maxconn`);
    if (haproxyLimit !== undefined) this.#service['limit'] = numeric(haproxyLimit.text);
    const haproxyQueue = this.#take(`${HAPROXY}timeout-queue`);
    if (haproxyQueue !== undefined) this.#service['queue'] = { timeout: seconds(haproxyQueue.text, 'ms') };
    const forwarded = this.#nginx('x-forwarded-prefix');
    if (forwarded !== undefined && forwarded.text !== 'true') {
      this.#route['headers'] = { request: { set: { 'x-forwarded-prefix': forwarded.text } } };
    }
    const rewrite = this.#nginx('rewrite-target');
    const settings = {
      rewrite: rewrite?.text === '' ? undefined : rewrite,
      redirect,
      useRegex: this.#nginx('use-regex')?.text === 'true',
      appRoot: this.#nginx('app-root')?.text,
      wwwRedirect: this.#nginx('from-to-www-redirect')?.text === 'true',
      aliases: (this.#nginx('server-alias')?.text ?? '').split(/[\s,]+/).filter((alias) => alias !== ''),
      headers,
    };
    this.#balance();
    this.#secure();
    this.#rest();
    return { ...settings, service: this.#service, route: this.#route, closed: this.#closed };
  }

  #take(name: string) {
    this.#used.add(name);
    return this.#texts.get(name);
  }

  #nginx(name: string) {
    return this.#take(`${NGINX}${name}`);
  }

  #protocol(): void {
    const old = this.#nginx('secure-backends');
    const grpc = this.#nginx('grpc-backend');
    const written = this.#nginx('backend-protocol');
    const name = written?.text.toUpperCase() ?? (old?.text === 'true' ? 'HTTPS' : grpc?.text === 'true' ? 'GRPC' : '');
    const at = (written ?? old ?? grpc)?.at;
    const verify = this.#nginx('proxy-ssl-verify');
    const serverName = this.#nginx('proxy-ssl-name');
    this.#nginx('proxy-ssl-server-name');
    const secret = this.#nginx('proxy-ssl-secret');
    const protocol = { GRPC: 'h2c', HTTPS: 'https', GRPCS: 'h2' }[name];
    if (at === undefined) return;
    if (protocol === undefined) {
      if (name === 'HTTP' || name === 'AUTO_HTTP') return;
      this.#subject.refuse(at, `backend-protocol ${name} cannot be spoken to pods`, 'have the pods speak HTTP');
      this.#closed = true;
      return;
    }
    this.#service['protocol'] = protocol;
    if (protocol === 'h2c') return;
    const named = serverName === undefined ? {} : { name: serverName.text };
    if (verify?.text === 'on') {
      this.#service['tls'] = named;
      if (serverName === undefined) delete this.#service['tls'];
      const fix = 'write it to a file and name it: tls: {ca: ./ca.crt} of the service';
      if (secret !== undefined) this.#subject.refuse(secret.at, `the authority in Secret ${secret.text}`, fix);
      return;
    }
    this.#service['tls'] = { ...named, verify: 'off' };
    const message = "ingress-nginx does not check the pods' certificates, and so it is written (tls: {verify: off})";
    this.#subject.note(at, message, 'write tls: {ca: FILE} instead to have them checked');
    if (secret !== undefined) {
      this.#subject.refuse(secret.at, `the certificate in Secret ${secret.text} is not shown to pods`, 'do without');
    }
  }

  #timeouts(): void {
    const connect = this.#nginx('proxy-connect-timeout');
    if (connect !== undefined) this.#service['timeout'] = { connect: seconds(connect.text, 's') };
    for (const name of ['proxy-read-timeout', 'proxy-send-timeout']) {
      const found = this.#nginx(name);
      if (found === undefined) continue;
      const message = `${name} ${found.text}: a pod that is silent is never cut off here`;
      const fix = 'write timeout: {request: ...} at the service (sluice.dev/request-timeout) to bound the whole work';
      this.#subject.note(found.at, message, fix);
    }
  }

  #canary(): readonly NamedMatch[] {
    const canary = this.#nginx('canary');
    const header = this.#nginx('canary-by-header');
    const value = this.#nginx('canary-by-header-value');
    const pattern = this.#nginx('canary-by-header-pattern');
    const weight = this.#nginx('canary-weight');
    this.#nginx('canary-weight-total');
    const cookie = this.#nginx('canary-by-cookie');
    if (canary?.text !== 'true') return [];
    const share = 'a route of a route file leads to one service: use an HTTPRoute with weights';
    if (weight !== undefined) {
      const gets = weight.text === '0' ? ': it gets nothing' : '';
      this.#subject.refuse(weight.at, `canary-weight ${weight.text}${gets}`, share);
    } else if (header === undefined && cookie === undefined) {
      this.#subject.refuse(canary.at, 'a canary that says of no request whether it is its own', share);
    }
    if (cookie !== undefined) {
      this.#subject.refuse(cookie.at, `canary-by-cookie ${cookie.text}`, 'use a header: canary-by-header');
    }
    if (header === undefined || pattern !== undefined) {
      const fix = 'write match: {headers: {NAME: VALUE}} for each value';
      if (pattern !== undefined) this.#subject.refuse(pattern.at, `canary-by-header-pattern ${pattern.text}`, fix);
      // All of its requests by chance or by pattern: without that it would take them all.
      this.#closed = true;
      return [];
    }
    return [{ name: header.text.toLowerCase(), value: { kind: 'exact', text: value?.text ?? 'always' } }];
  }

  #redirect(): YamlMap | undefined {
    const permanent = this.#nginx('permanent-redirect');
    const code = this.#nginx('permanent-redirect-code');
    const temporal = this.#nginx('temporal-redirect');
    const temporalCode = this.#nginx('temporal-redirect-code');
    const found = permanent ?? temporal;
    if (found === undefined) return undefined;
    const status = permanent === undefined ? (temporalCode?.text ?? '302') : (code?.text ?? '301');
    const to = URL.parse(found.text);
    if (to === null) return { path: found.text, status: numeric(status) };
    const port = to.port === '' ? {} : { port: Number(to.port) };
    if (to.search !== '') {
      this.#subject.note(found.at, `the query ${to.search} of the redirect`, 'clients keep the query they asked with');
    }
    // nginx leads every path to this one, the root too.
    const path = found.text.endsWith('$request_uri') ? {} : { path: to.pathname };
    return { scheme: to.protocol.replace(':', ''), host: to.hostname, ...port, ...path, status: numeric(status) };
  }

  #balance(): void {
    const found = this.#nginx('load-balance');
    if (found === undefined) return;
    if (found.text === 'round_robin' && this.#service['limit'] === undefined) this.#service['balance'] = 'round_robin';
    else this.#subject.note(found.at, `load-balance ${found.text}`, 'the pod with the fewest requests gets the next');
  }

  #secure(): void {
    for (const name of ['ssl-redirect', 'force-ssl-redirect']) {
      const found = this.#nginx(name);
      if (found?.text !== 'true') continue;
      const fix =
        'listen.tls takes TLS alone; for http:// start a second Sluice with one route, redirect: {scheme: https, status: 308}';
      this.#subject.refuse(found.at, `${name}: a route file has one listener`, fix);
    }
  }

  #rest(): void {
    for (const [key, { text, at }] of this.#texts) {
      if (this.#used.has(key) || QUIET.test(key)) continue;
      if (key.startsWith(NGINX)) this.#unknownOfNginx(key.slice(NGINX.length), text, at);
      else if (key.startsWith('sluice.dev/')) {
        this.#subject.refuse(at, `${key} stands at an Ingress`, 'write it at the Service, where every route finds it');
      } else if (/ingress|\b(haproxy|traefik|konghq|nginx|projectcontour|getambassador|solo)\b/.test(key)) {
        this.#subject.refuse(
          at,
          `${key}: ${text}`,
          'it is for another controller: see docs/route-file.md for what it does',
        );
      }
    }
  }

  #unknownOfNginx(name: string, text: string, at: Position): void {
    const needless = NEEDLESS[name];
    if (needless !== undefined) {
      this.#subject.note(at, `${name} ${text} is not needed`, needless);
    } else if (CLOSING.test(name) && name !== 'auth-snippet') {
      this.#closed = true;
      const message = `${name} cannot be kept, so the routes of this Ingress are left out: everybody would be let in`;
      this.#subject.refuse(at, message, 'let a proxy in front of Sluice see to it, and write the routes by hand');
    } else {
      const fix = REFUSED.find(([pattern]) => pattern.test(name))?.[1] ?? 'see docs/route-file.md for what there is';
      this.#subject.refuse(at, `${name} has no place in a route file`, fix);
    }
  }
}

/** A time as proxies write it, with or without a unit. */
function seconds(text: string, unit: 's' | 'ms'): Yaml {
  return /^\d+$/.test(text) ? `${text}${unit}` : text;
}
