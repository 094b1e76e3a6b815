import { type ClientRanges, type IpRange, isEverybody, parseIpRange } from '../../model/ip-range.ts';
import type { Cors, HeaderValue, Redirect } from '../../model/route.ts';
import { REDIRECT_STATUSES } from '../../model/route.ts';
import type { Place, Remarks } from '../objects/remark.ts';
import { type Keys, numeric } from '../objects/service-settings.ts';
import type { Value } from '../objects/value.ts';

/** What one annotation says, and where. */
export interface Said<T> {
  readonly value: T;
  readonly place: Place;
}

/** Which requests of another Ingress's paths are a canary's. */
export interface Canary {
  readonly place: Place;
  /** Lower case; a request with the value, or `always` where there is none. */
  readonly header?: { readonly name: string; readonly value?: string; readonly pattern?: Said<string> };
  /** The name of a cookie with the value `always`. */
  readonly cookie?: Said<string>;
  /** Its share of all others; of a million. */
  readonly weight?: Said<number>;
}

/** How pods are spoken to by TLS. */
export interface PodTlsSaid {
  readonly place: Place;
  readonly name?: string;
  readonly verify: boolean;
  /** `namespace/name` of the Secret with the authority, or what pods are shown. */
  readonly secret?: Said<string>;
}

/** When a request over plain HTTP is sent to HTTPS. */
export type ToHttps = 'never' | 'with a certificate' | 'always';

/** What the annotations of an Ingress come to. */
export interface IngressSettings {
  /** Keys of its services, as the route file has them. */
  readonly service: Keys;
  /** Where each first key of `service` is said. */
  readonly places: ReadonlyMap<string, Place>;
  readonly tls?: PodTlsSaid;
  readonly requestHeaders: readonly HeaderValue[];
  /** The host that pods are asked for. */
  readonly host?: Said<string>;
  readonly cors?: Said<Cors>;
  /** Undefined: every client is let in. */
  readonly clients?: Said<ClientRanges>;
  readonly rewrite?: Said<string>;
  readonly redirect?: Redirect;
  readonly useRegex: boolean;
  readonly appRoot?: string;
  readonly wwwRedirect: boolean;
  /** Further hosts. */
  readonly aliases: readonly string[];
  readonly canary?: Canary;
  readonly toHttps: ToHttps;
  /** Where the last of these is said. */
  readonly toHttpsAt?: Said<string>;
  /** Why its paths cannot be served: it lets in only some, or its pods cannot be spoken to. */
  readonly closed?: string;
}

const NGINX = 'nginx.ingress.kubernetes.io/';
const HAPROXY = 'haproxy.org/';

/** Other programs' annotations, which say nothing about where requests go. */
const QUIET =
  /^(kubectl\.kubernetes\.io|cert-manager\.io|acme\.cert-manager\.io|certmanager\.k8s\.io|external-dns\.alpha\.kubernetes\.io|(meta\.)?helm\.sh|argocd\.argoproj\.io|[a-z.]*\.cattle\.io|app\.kubernetes\.io|kubernetes\.io\/(tls-acme|ingress\.class))(\/|$)/;

/** Of ingress-nginx: what Sluice does anyway or has no use for. */
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
const CLOSING = /^(auth-|satisfy$|enable-global-auth$)/;

/** Of ingress-nginx, by the beginning of the name: what is not done here, and what to do. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [
    /^(configuration|server|stream|auth)-snippet$/,
    'write what it does as headers or a redirect of a route, or keep nginx in front',
  ],
  [
    /^(affinity|session-cookie-|upstream-hash-by)/,
    'the next request goes to the first free pod: keep sessions outside of pods',
  ],
  [
    /^limit-/,
    'it is per client; the limit here is per pod (sluice.dev/limit of the Service), or keep nginx in front for it',
  ],
  [/^mirror-/, 'use an HTTPRoute with a RequestMirror filter'],
  [
    /^(custom-http-errors|default-backend|disable-proxy-intercept-errors)$/,
    'let the pods answer with pages of their own',
  ],
  [/^(custom-headers|proxy-set-headers)$/, 'use an HTTPRoute with a RequestHeaderModifier filter'],
  [/^ssl-passthrough$/, 'let Sluice end TLS, and speak TLS to pods (backend-protocol: HTTPS)'],
  [/^(enable-modsecurity|enable-owasp|modsecurity-)/, 'keep such a filter in front'],
  [
    /^(enable-opentelemetry|opentelemetry-|enable-opentracing|opentracing-|enable-rewrite-log)/,
    'tracing is set where Sluice starts',
  ],
];

/** Reads the annotations of an Ingress; every one that is not done as it says is told. */
export function readAnnotations(annotations: Value | undefined, remarks: Remarks): IngressSettings {
  return new AnnotationReader(annotations, remarks).read();
}

interface Annotation extends Place {
  readonly text: string;
}

class AnnotationReader {
  readonly #remarks: Remarks;
  readonly #all: ReadonlyMap<string, Annotation>;
  readonly #service: Record<string, Keys[string]> = {};
  readonly #places = new Map<string, Place>();
  readonly #used = new Set<string>();
  #closed: string | undefined;

  constructor(annotations: Value | undefined, remarks: Remarks) {
    this.#remarks = remarks;
    // Old manifests have them without `nginx.`.
    this.#all = new Map(
      (annotations?.texts() ?? []).map(({ key, ...rest }) => [
        key.replace(/^ingress\.kubernetes\.io\//, NGINX),
        { ...rest, text: rest.text.trim() },
      ]),
    );
  }

  read(): IngressSettings {
    const tls = this.#protocol();
    this.#timeouts();
    this.#haproxy();
    const canary = this.#canary();
    const redirect = this.#redirect();
    const forwarded = this.#nginx('x-forwarded-prefix');
    const rewrite = this.#said('rewrite-target');
    const host = this.#said('upstream-vhost');
    const cors = this.#cors();
    const clients = this.#clients();
    const appRoot = this.#nginx('app-root')?.text;
    const settings = {
      ...(tls && { tls }),
      ...(canary && { canary }),
      ...(redirect && { redirect }),
      ...(rewrite && { rewrite }),
      ...(host && { host }),
      ...(cors && { cors }),
      ...(clients && { clients }),
      ...(appRoot === undefined ? {} : { appRoot }),
      requestHeaders:
        forwarded === undefined || forwarded.text === 'true'
          ? []
          : [{ name: 'x-forwarded-prefix', value: forwarded.text }],
      useRegex: this.#nginx('use-regex')?.text === 'true',
      wwwRedirect: this.#nginx('from-to-www-redirect')?.text === 'true',
      aliases: (this.#nginx('server-alias')?.text ?? '').split(/[\s,]+/).filter((alias) => alias !== ''),
      ...this.#toHttps(),
    };
    this.#balance();
    this.#rest();
    const closed = this.#closed === undefined ? {} : { closed: this.#closed };
    return { ...settings, service: this.#service, places: this.#places, ...closed };
  }

  #take(name: string): Annotation | undefined {
    this.#used.add(name);
    return this.#all.get(name);
  }

  #nginx(name: string): Annotation | undefined {
    return this.#take(`${NGINX}${name}`);
  }

  /** Undefined when it is empty. */
  #said(name: string): Said<string> | undefined {
    const found = this.#nginx(name);
    return found === undefined || found.text === '' ? undefined : { value: found.text, place: found };
  }

  #setService(place: Place, key: string, value: Keys[string]): void {
    this.#service[key] = value;
    this.#places.set(key, place);
  }

  #protocol(): PodTlsSaid | undefined {
    const old = this.#nginx('secure-backends');
    const grpc = this.#nginx('grpc-backend');
    const written = this.#nginx('backend-protocol');
    const name = written?.text.toUpperCase() ?? (old?.text === 'true' ? 'HTTPS' : grpc?.text === 'true' ? 'GRPC' : '');
    const place = written ?? old ?? grpc;
    const verify = this.#nginx('proxy-ssl-verify');
    const serverName = this.#said('proxy-ssl-name');
    this.#nginx('proxy-ssl-server-name');
    const secret = this.#said('proxy-ssl-secret');
    const protocol = { GRPC: 'h2c', HTTPS: 'https', GRPCS: 'h2' }[name];
    if (place === undefined) return undefined;
    if (protocol === undefined) {
      if (name === 'HTTP' || name === 'AUTO_HTTP') return undefined;
      this.#remarks.refuse(place, `backend-protocol ${name} cannot be spoken to pods`, 'have the pods speak HTTP');
      this.#closed = `backend-protocol ${name}`;
      return undefined;
    }
    this.#setService(place, 'protocol', protocol);
    if (protocol === 'h2c') return undefined;
    return {
      place,
      ...(serverName && { name: serverName.value }),
      verify: verify?.text === 'on',
      ...(secret && { secret }),
    };
  }

  #timeouts(): void {
    const connect = this.#nginx('proxy-connect-timeout');
    if (connect !== undefined) this.#setService(connect, 'timeout', { connect: seconds(connect.text, 's') });
    for (const name of ['proxy-read-timeout', 'proxy-send-timeout']) {
      const found = this.#nginx(name);
      if (found === undefined) continue;
      const message = `${name} ${found.text}: a pod that is silent is never cut off here`;
      const fix = 'write timeout: {request: ...} at the service (sluice.dev/request-timeout) to bound the whole work';
      this.#remarks.note(found, message, fix);
    }
  }

  #haproxy(): void {
    const limit = this.#take(`${HAPROXY}pod-maxconn`);
    if (limit !== undefined) this.#setService(limit, 'limit', numeric(limit.text));
    const queue = this.#take(`${HAPROXY}timeout-queue`);
    if (queue !== undefined) this.#setService(queue, 'queue', { timeout: seconds(queue.text, 'ms') });
  }

  #canary(): Canary | undefined {
    const place = this.#nginx('canary');
    const header = this.#said('canary-by-header');
    const value = this.#said('canary-by-header-value');
    const pattern = this.#said('canary-by-header-pattern');
    const weight = this.#said('canary-weight');
    const total = Number(this.#nginx('canary-weight-total')?.text ?? 100);
    const cookie = this.#said('canary-by-cookie');
    if (place?.text !== 'true') return undefined;
    const share = Math.round((1_000_000 * Number(weight?.value)) / total);
    const isShare = share >= 0 && share <= 1_000_000;
    if (weight !== undefined && !isShare) {
      this.#remarks.refuse(weight.place, `canary-weight ${weight.value}`, 'write a number from 0 to 100');
    }
    if (weight === undefined && header === undefined && cookie === undefined) {
      const fix = 'write canary-by-header, canary-by-cookie or canary-weight';
      this.#remarks.refuse(place, 'a canary that says of no request whether it is its own', fix);
    }
    return {
      place,
      ...(header && {
        header: {
          name: header.value.toLowerCase(),
          ...(value && { value: value.value }),
          ...(pattern && value === undefined && { pattern }),
        },
      }),
      ...(cookie && { cookie }),
      ...(weight && isShare && { weight: { value: share, place: weight.place } }),
    };
  }

  #redirect(): Redirect | undefined {
    const permanent = this.#nginx('permanent-redirect');
    const code = this.#nginx('permanent-redirect-code');
    const temporal = this.#nginx('temporal-redirect');
    const temporalCode = this.#nginx('temporal-redirect-code');
    const found = permanent ?? temporal;
    if (found === undefined) return undefined;
    const asked = Number(permanent === undefined ? (temporalCode?.text ?? 302) : (code?.text ?? 301));
    const status = REDIRECT_STATUSES.find((one) => one === asked);
    if (status === undefined) {
      this.#remarks.refuse(
        code ?? temporalCode ?? found,
        `a redirect with status ${asked}`,
        'write 301, 302, 307 or 308',
      );
    }
    // nginx leads every path to the one that is written, the root too.
    const keepsPath = found.text.endsWith('$request_uri');
    const text = keepsPath ? found.text.slice(0, -'$request_uri'.length) : found.text;
    const known = { status: status ?? 302 } as const;
    if (text.includes('$')) {
      const message = `a redirect to ${found.text}: variables of nginx are not known here`;
      this.#remarks.refuse(found, message, 'write the address itself; $request_uri may be at its end');
      this.#closed = 'a redirect with variables of nginx';
      return undefined;
    }
    const to = URL.parse(text);
    if (to === null) return { path: { kind: 'whole', path: text }, ...known };
    if (to.search !== '') {
      this.#remarks.note(found, `the query ${to.search} of the redirect`, 'clients keep the query they asked with');
    }
    return {
      scheme: to.protocol === 'http:' ? 'http' : 'https',
      host: to.hostname,
      ...(to.port === '' ? {} : { port: Number(to.port) }),
      ...(keepsPath ? {} : { path: { kind: 'whole', path: to.pathname } }),
      ...known,
    };
  }

  /** As ingress-nginx answers it, whose defaults these are. */
  #cors(): Said<Cors> | undefined {
    const enabled = this.#nginx('enable-cors');
    const list = (name: string, byDefault: string) =>
      (this.#nginx(name)?.text ?? byDefault).split(/\s*,\s*/).filter((one) => one !== '');
    const origins = list('cors-allow-origin', '*');
    const methods = list('cors-allow-methods', 'GET, PUT, POST, DELETE, PATCH, OPTIONS');
    const headers = list(
      'cors-allow-headers',
      'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization',
    );
    const exposed = list('cors-expose-headers', '');
    const credentials = this.#nginx('cors-allow-credentials')?.text !== 'false';
    const maxAge = Number(this.#nginx('cors-max-age')?.text ?? 1_728_000);
    if (enabled?.text !== 'true') return undefined;
    const age = Number.isInteger(maxAge) && maxAge >= 0 ? { maxAge } : {};
    return { value: { origins, methods, headers, exposed, credentials, ...age }, place: enabled };
  }

  /** Who is denied is so before who is allowed, as nginx has it. */
  #clients(): Said<ClientRanges> | undefined {
    const old = this.#ranges('whitelist-source-range');
    const allowed = this.#ranges('allowlist-source-range') ?? old;
    const denied = this.#ranges('denylist-source-range');
    // As cert-manager writes it, who wants everybody to be let in.
    const only = allowed === undefined || isEverybody(allowed.value) ? undefined : allowed;
    const place = only?.place ?? denied?.place;
    if (place === undefined) return undefined;
    return { value: { ...(only && { allowed: only.value }), denied: denied?.value ?? [] }, place };
  }

  #ranges(name: string): Said<readonly IpRange[]> | undefined {
    const said = this.#said(name);
    if (said === undefined) return undefined;
    const { value, place } = said;
    const texts = value.split(/[\s,]+/).filter((text) => text !== '');
    const bad = texts.filter((text) => parseIpRange(text) === undefined);
    if (bad.length > 0 || texts.length === 0) {
      this.#closed = name;
      const message = `${name} ${value} cannot be read, so the paths of this Ingress are not served: everybody would be let in`;
      this.#remarks.refuse(place, message, 'write ranges such as 10.0.0.0/8, with commas between them');
    }
    return { value: texts.flatMap((text) => parseIpRange(text) ?? []), place };
  }

  #balance(): void {
    const found = this.#nginx('load-balance');
    if (found === undefined) return;
    if (found.text === 'round_robin' && this.#service['limit'] === undefined) {
      this.#setService(found, 'balance', 'round_robin');
      return;
    }
    this.#remarks.note(found, `load-balance ${found.text}`, 'the pod with the fewest requests gets the next');
  }

  #toHttps(): Pick<IngressSettings, 'toHttps' | 'toHttpsAt'> {
    const plain = this.#said('ssl-redirect');
    const forced = this.#said('force-ssl-redirect');
    if (forced?.value === 'true') return { toHttps: 'always', toHttpsAt: forced };
    if (plain?.value === 'false') return { toHttps: 'never' };
    return { toHttps: 'with a certificate', ...(plain?.value === 'true' ? { toHttpsAt: plain } : {}) };
  }

  #rest(): void {
    for (const [key, annotation] of this.#all) {
      if (this.#used.has(key) || QUIET.test(key)) continue;
      if (key.startsWith(NGINX)) this.#unknownOfNginx(key.slice(NGINX.length), annotation);
      else if (key.startsWith('sluice.dev/')) {
        const fix = 'write it at the Service, where every route finds it';
        this.#remarks.refuse(annotation, `${key} stands at an Ingress`, fix);
      } else if (/ingress|\b(haproxy|traefik|konghq|nginx|projectcontour|getambassador|solo)\b/.test(key)) {
        const fix = 'it is for another controller: see docs/ingress.md for what there is';
        this.#remarks.refuse(annotation, `${key}: ${annotation.text}`, fix);
      }
    }
  }

  #unknownOfNginx(name: string, annotation: Annotation): void {
    const needless = NEEDLESS[name];
    if (needless !== undefined) {
      this.#remarks.note(annotation, `${name} ${annotation.text} is not needed`, needless);
    } else if (CLOSING.test(name) && name !== 'auth-snippet') {
      this.#closed = name;
      const message = `${name} cannot be kept, so the paths of this Ingress are not served: everybody would be let in`;
      this.#remarks.refuse(annotation, message, 'let a proxy in front of Sluice see to it, and remove the annotation');
    } else {
      const fix = REFUSED.find(([pattern]) => pattern.test(name))?.[1] ?? 'see docs/ingress.md for what there is';
      this.#remarks.refuse(annotation, `${name} is not carried over`, fix);
    }
  }
}

/** A time as proxies write it, with or without a unit. */
function seconds(text: string, unit: 's' | 'ms'): string {
  return /^\d+$/.test(text) ? `${text}${unit}` : text;
}
