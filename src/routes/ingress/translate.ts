import { regexLiteral } from '../../base/regex.ts';
import { remember } from '../../base/remember.ts';
import { writtenPath } from '../../model/describe.ts';
import type { ListenerName } from '../../model/listener.ts';
import { formatObject } from '../../model/origin.ts';
import type { Backend, ForwardRoute, NamedMatch, Route, RouteMatch } from '../../model/route.ts';
import { AUTHORITY, authorityIs } from '../objects/authority.ts';
import { SECRETS, SERVICES } from '../objects/core.ts';
import { type EdgePorts, edgeListeners } from '../objects/edge.ts';
import { keyOf, type Objects, originOf } from '../objects/object.ts';
import { ObjectServices } from '../objects/object-services.ts';
import { type Published, publishedAddresses, toLoadBalancer } from '../objects/published.ts';
import { type Place, type Remark, Remarks } from '../objects/remark.ts';
import { readableWords, type Words } from '../objects/service-settings.ts';
import { SLOT_POLICIES, slotPolicies } from '../objects/slot-policy.ts';
import { problemsOf, toldOf } from '../objects/told.ts';
import type { RouteKind, StatusWish, Translation, TranslationContext } from '../objects/translation.ts';
import { valueOfJson } from '../objects/value.ts';
import { canaryFault, withCanary } from './canary.ts';
import { IngressCertificates, type ReadCertificates } from './certificates.ts';
import { ownIngresses } from './choose.ts';
import { INGRESS_CLASSES, INGRESSES, type Ingress } from './objects.ts';
import { type IngressReading, type IngressRoute, readIngress } from './read.ts';
import { type IngressLead, IngressServices } from './services.ts';

/** How Ingresses are served. */
export interface IngressOptions {
  /** Classes that are ours besides those whose controller we are: another controller's that we take the place of. */
  readonly classes: readonly string[];
  readonly ports: EdgePorts;
  /** Where clients reach Envoy. */
  readonly published: Published;
  /** `namespace/name` of the Secret for clients that ask for a name that no Ingress has a certificate for. */
  readonly certificate?: string;
}

/** What is kept from one translation to the next: what is as it was is not read again. */
interface Memory {
  readonly read: WeakMap<Ingress, ReadIngress>;
  readonly certificates: ReadCertificates;
}

/** An Ingress by itself, whatever else there is. */
interface ReadIngress {
  readonly reading: IngressReading;
  readonly words: Words | undefined;
  readonly remarks: readonly Remark[];
}

/** Routes from Ingresses. */
export function ingressRoutes(options: IngressOptions): RouteKind {
  const memory: Memory = { read: new WeakMap(), certificates: new WeakMap() };
  return {
    source: 'Ingress',
    resources: [INGRESSES, INGRESS_CLASSES, SLOT_POLICIES, SERVICES, SECRETS],
    translate: (objects, context) => translateIngresses(objects, options, { ...context, memory }),
  };
}

const HTTP = 'ingress/http' as ListenerName;
const HTTPS = 'ingress/https' as ListenerName;

/** An Ingress with what is told of it this time. */
interface Work extends IngressLead {
  readonly object: Ingress;
  readonly reading: IngressReading;
  readonly before: readonly Remark[];
  /** Hosts with a certificate; `undefined`: every host. */
  readonly secured: ReadonlySet<string | undefined>;
}

/** Everything that Ingresses come to. One that is wrong takes nothing away from the others. */
function translateIngresses(
  objects: Objects,
  { classes, ports, certificate, published }: IngressOptions,
  { now, before, memory }: TranslationContext & { readonly memory: Memory },
): Translation {
  const policies = slotPolicies(objects, now);
  const made = new ObjectServices({ policyOf: ({ metadata }) => policies.wordsOf(keyOf(metadata)), before });
  const services = new IngressServices(objects, made);
  const certificates = new IngressCertificates(objects, memory.certificates, certificate);
  const works = ownIngresses(objects, classes).map((object): Work => {
    const { reading, words, remarks: known } = remember(memory.read, object, read);
    const namespace = object.metadata.namespace ?? '';
    const remarks = new Remarks();
    const secured = certificates.hostsOf(reading.tls, namespace, remarks);
    const subject = formatObject(originOf('Ingress', object));
    return { object, subject, namespace, reading, settings: reading.settings, words, before: known, secured, remarks };
  });
  const isSecure = certificates.all.length > 0;
  const mains = works.filter(({ settings }) => settings.canary === undefined);
  tellConflicts(mains);
  const routes = mains.flatMap((work) =>
    work.reading.routes.flatMap((route) => toRoutes(work, route, { services, isSecure })),
  );
  const canaries = works.filter(({ settings }) => settings.canary !== undefined);
  const listeners = edgeListeners({ http: HTTP, https: HTTPS }, ports, certificates.all);
  const withCanaries = canaries.reduce<readonly Route[]>((all, work) => addCanary(work, all, services), routes);
  const remarked = works.map(({ object, subject, before: known, remarks }) => ({
    object,
    subject,
    all: [...known, ...remarks.all],
  }));
  return {
    part: {
      source: 'Ingress',
      listeners,
      services: [...made.services.values()],
      implied: made.implied,
      routes: withCanaries,
      problems: [...made.problems, ...remarked.flatMap(({ subject, all }) => problemsOf(subject, all))],
    },
    statuses: statusesOf(works, publishedAddresses(objects, published)),
    told: remarked.flatMap(({ object, all }) => toldOf(INGRESSES, object, all)),
  };
}

/** Where each is reached; nothing while nobody knows. */
function statusesOf(works: readonly Work[], addresses: readonly string[]): readonly StatusWish[] {
  if (addresses.length === 0) return [];
  const status = { loadBalancer: { ingress: toLoadBalancer(addresses) } };
  return works.map(({ object }) => ({ resource: INGRESSES, object, status }));
}

function read(object: Ingress): ReadIngress {
  const remarks = new Remarks();
  const reading = readIngress(valueOfJson(object), remarks);
  const { service: keys, places } = reading.settings;
  const words = readableWords({ subject: formatObject(originOf('Ingress', object)), keys }, places, remarks);
  return { reading, words, remarks: remarks.all };
}

/** Of two Ingresses with the same path of the same host the older has it, and both are told. */
function tellConflicts(works: readonly Work[]): void {
  const taken = new Map<string, { readonly work: Work; readonly place: Place }>();
  for (const work of works) {
    for (const { match, place } of work.reading.routes) {
      const hosts = match.hosts.length === 0 ? ['*'] : match.hosts;
      for (const host of hosts) {
        const shown = `${host}${writtenPath(match.path)}`;
        const key = `${match.path.kind} ${shown}`;
        const first = taken.get(key);
        if (first === undefined) {
          taken.set(key, { work, place });
          continue;
        }
        const fix = 'remove one of the two';
        work.remarks.refuse(place, `${shown} is ${first.work.subject}'s as well, which is older and has it`, fix);
        if (first.work !== work) {
          first.work.remarks.note(first.place, `${work.subject} wants ${shown} as well, and does not get it`, fix);
        }
      }
    }
  }
}

interface RouteTools {
  readonly services: IngressServices;
  /** Whether anything is served over TLS. */
  readonly isSecure: boolean;
}

/** What a path becomes: a route at both listeners, or one over TLS and a redirect to it. */
function toRoutes(work: Work, route: IngressRoute, { services, isSecure }: RouteTools): readonly Route[] {
  const listeners = isSecure ? [HTTP, HTTPS] : [HTTP];
  const served = serve(work, route, services);
  if (served === undefined) return [];
  const toHttps = served.kind === 'redirect' ? [] : redirectedHosts(work, route.match.hosts, isSecure);
  if (toHttps === undefined) return [{ ...served, listeners: [HTTPS] }, redirectToHttps(served)];
  if (toHttps.length === 0) return [{ ...served, listeners }];
  const others = served.match.hosts.filter((host) => !toHttps.includes(host));
  return [
    { ...served, listeners: [HTTPS] },
    redirectToHttps({ ...served, match: narrowed(served.match, toHttps) }),
    { ...served, name: `${served.name} over HTTP`, match: narrowed(served.match, others), listeners: [HTTP] },
  ];
}

/** Hosts of a route that are sent to HTTPS; undefined: all of them. */
function redirectedHosts(
  { settings: { toHttps, toHttpsAt }, secured, remarks }: Work,
  hosts: readonly string[],
  isSecure: boolean,
): readonly string[] | undefined {
  if (!isSecure) {
    if (toHttps === 'always' && toHttpsAt !== undefined) {
      const message = 'force-ssl-redirect: nobody is sent to HTTPS, for no Ingress has a certificate';
      remarks.refuse(toHttpsAt.place, message, 'name one under tls, or start Sluice with --ingress-certificate');
    }
    return [];
  }
  if (toHttps === 'never') return [];
  if (toHttps === 'always' || secured.has(undefined)) return undefined;
  const redirected = hosts.filter((host) => secured.has(host));
  return redirected.length > 0 && redirected.length === hosts.length ? undefined : redirected;
}

function narrowed(match: RouteMatch, hosts: readonly string[]): RouteMatch {
  return {
    ...match,
    hosts,
    headers: match.headers.filter((header) => header.name !== AUTHORITY).concat(oneLabel(hosts)),
  };
}

function redirectToHttps({ name, origin, match }: Route): Route {
  return {
    kind: 'redirect',
    name: `${name} to HTTPS`,
    ...(origin && { origin }),
    match,
    listeners: [HTTP],
    redirect: { scheme: 'https', status: 308 },
  };
}

/** The route at no listener yet; undefined: it leads nowhere, as was told. */
function serve(work: Work, { name, match, target }: IngressRoute, services: IngressServices): Route | undefined {
  const { settings, object } = work;
  const origin = originOf('Ingress', object);
  const common = {
    name: `${formatObject(origin)} ${name}`,
    origin,
    match: { ...match, headers: [...match.headers, ...oneLabel(match.hosts)] },
    listeners: [],
    ...(settings.cors && { cors: settings.cors.value }),
    ...(settings.clients && { clients: settings.clients.value }),
  };
  if (settings.closed !== undefined) {
    const body = `This Ingress is not served: ${settings.closed} cannot be kept here.\n`;
    return { kind: 'answer', ...common, status: 503, body };
  }
  if (target.kind === 'redirect') return { kind: 'redirect', ...common, redirect: target.redirect };
  if (target.backend === undefined) return undefined;
  const { rewrite } = target;
  const { host, requestHeaders } = settings;
  const changes = { ...(rewrite && { path: rewrite }), ...(host && { host: host.value }) };
  return {
    kind: 'forward',
    ...common,
    backends: [services.lead(target.backend, work, 1)],
    ...(Object.keys(changes).length === 0 ? {} : { rewrite: changes }),
    ...(requestHeaders.length === 0 ? {} : { requestHeaders: { set: requestHeaders, add: [], remove: [] } }),
  };
}

/** `*.x` is one label in an Ingress, and any depth elsewhere. */
function oneLabel(hosts: readonly string[]): readonly NamedMatch[] {
  if (!hosts.some((host) => host.startsWith('*.'))) return [];
  const each = (host: string) => (host.startsWith('*.') ? `[^.:]+${regexLiteral(host.slice(1))}` : regexLiteral(host));
  return [authorityIs(hosts.map(each))];
}

/** All routes, with a canary's share in those that it is a canary of. */
function addCanary(work: Work, routes: readonly Route[], services: IngressServices): readonly Route[] {
  const { reading, settings, remarks, object, subject } = work;
  const { canary } = settings;
  if (canary === undefined) return routes;
  const fault = canaryFault(canary);
  if (settings.clients !== undefined) {
    const message = 'source ranges of a canary: those of the Ingress that it is a canary of count';
    remarks.refuse(settings.clients.place, message, 'write them there');
  }
  if (fault !== undefined || settings.closed !== undefined) {
    if (fault !== undefined) remarks.refuse(canary.place, `canary-by-header-pattern: ${fault}`, 'write one of RE2');
    return routes;
  }
  return reading.routes.reduce((all, { match, name, place, target }): readonly Route[] => {
    if (target.kind !== 'forward' || target.backend === undefined) return all;
    const { backend } = target;
    const isMain = (route: Route): route is ForwardRoute =>
      route.kind === 'forward' && isSamePath(route, match) && !route.name.includes(' of Ingress ');
    if (!all.some(isMain)) {
      const message = 'a canary of nothing: no other Ingress has this path of this host';
      remarks.refuse(place, message, 'write the same host, path and pathType as the Ingress it is a canary of');
      return all;
    }
    const of = {
      canary,
      name: `${subject} ${name}`,
      origin: originOf('Ingress', object),
      backend: (weight: number): Backend => services.lead(backend, work, weight),
    };
    return all.flatMap((route): readonly Route[] => (isMain(route) ? withCanary(route, of) : [route]));
  }, routes);
}

function isSamePath({ match }: ForwardRoute, { hosts, path }: RouteMatch): boolean {
  const isSameHost = hosts.length === 0 ? match.hosts.length === 0 : hosts.some((host) => match.hosts.includes(host));
  return isSameHost && match.path.kind === path.kind && writtenPath(match.path) === writtenPath(path);
}
