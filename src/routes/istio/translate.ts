import { regexLiteral } from '../../base/regex.ts';
import { remember } from '../../base/remember.ts';
import type { ListenerName } from '../../model/listener.ts';
import { formatObject } from '../../model/origin.ts';
import type { Problem } from '../../model/problem.ts';
import type { Backend, ForwardRoute, Mirror, NamedMatch, Route } from '../../model/route.ts';
import type { Protocol, Service } from '../../model/service.ts';
import { authorityIs } from '../objects/authority.ts';
import { tlsCertificate } from '../objects/certificate.ts';
import { SECRETS, SERVICES, type ServiceObject, type ServicePort } from '../objects/core.ts';
import { type EdgePorts, edgeListeners } from '../objects/edge.ts';
import { type KubeObject, keyOf, type Objects, originOf } from '../objects/object.ts';
import { appProtocolOf, externalFault, ObjectServices } from '../objects/object-services.ts';
import { type Place, type Remark, Remarks } from '../objects/remark.ts';
import { SLOT_POLICIES, slotPolicies } from '../objects/slot-policy.ts';
import { problemsOf, type Told, toldOf } from '../objects/told.ts';
import type { RouteKind, Translation, TranslationContext } from '../objects/translation.ts';
import { valueOfJson } from '../objects/value.ts';
import { readDestinationRule } from './destination-rule.ts';
import { hostKey, type MeshHost } from './hosts.ts';
import { DESTINATION_RULES, VIRTUAL_SERVICES } from './objects.ts';
import { type Said, saidOf } from './rules.ts';
import {
  type IstioMirror,
  type IstioRoute,
  type IstioTarget,
  type IstioWay,
  readVirtualService,
} from './virtual-service.ts';

/** How VirtualServices are served. */
export interface IstioOptions {
  readonly ports: EdgePorts;
  /** `namespace/name` of the TLS Secrets that clients are shown; the first one to those who ask for no name of another. */
  readonly certificates: readonly string[];
}

/** What is kept from one translation to the next: an object that is as it was is not read again. */
interface Memory {
  readonly routes: WeakMap<KubeObject, ReadRoutes>;
  readonly rules: WeakMap<KubeObject, ReadRule>;
}

interface ReadRoutes {
  readonly routes: readonly IstioRoute[];
  readonly remarks: readonly Remark[];
}

interface ReadRule {
  readonly written: string;
  readonly host: MeshHost;
  readonly said: Said;
  readonly place: Place;
  readonly remarks: readonly Remark[];
}

/** Routes from VirtualServices and DestinationRules. */
export function istioRoutes(options: IstioOptions): RouteKind {
  const memory: Memory = { routes: new WeakMap(), rules: new WeakMap() };
  return {
    source: 'Istio',
    resources: [VIRTUAL_SERVICES, DESTINATION_RULES, SLOT_POLICIES, SERVICES, SECRETS],
    translate: (objects, context) => translateIstio(objects, options, { ...context, memory }),
  };
}

const HTTP = 'istio/http' as ListenerName;
const HTTPS = 'istio/https' as ListenerName;

/** An object with what is told of it this time. */
interface Work {
  readonly object: KubeObject;
  readonly subject: string;
  readonly namespace: string;
  readonly known: readonly Remark[];
  readonly remarks: Remarks;
}

/** Everything that the objects come to. One that is wrong takes nothing away from the others. */
function translateIstio(
  objects: Objects,
  { ports, certificates }: IstioOptions,
  { now, before, memory }: TranslationContext & { readonly memory: Memory },
): Translation {
  const policies = slotPolicies(objects, now);
  const made = new ObjectServices({ policyOf: ({ metadata }) => policies.wordsOf(keyOf(metadata)), before });
  const rules = objects.all(DESTINATION_RULES).map((object) => ({
    work: workOf('DestinationRule', object),
    rule: remember(memory.rules, object, readRule),
  }));
  const said = saidByHost(rules);
  const shown = certificates.map((key) => tlsCertificate(objects, key));
  const good = shown.filter((one) => typeof one !== 'string');
  const listeners = edgeListeners({ http: HTTP, https: HTTPS }, ports, good);
  const names = listeners.map(({ name }) => name);
  const services = objects.all(VIRTUAL_SERVICES).map((object) => {
    const { routes, remarks } = remember(memory.routes, object, readRoutes);
    const work = { ...workOf('VirtualService', object), known: remarks };
    const ways = new Ways(objects, made, said, work);
    return { work, routes: routes.flatMap((route, index) => toRoute(route, { work, index, listeners: names, ways })) };
  });
  const works = [
    ...services.map(({ work }) => work),
    ...rules.map(({ work, rule }) => ({ ...work, known: rule.remarks })),
  ];
  const certificateProblems = shown.flatMap((one): readonly Problem[] =>
    typeof one === 'string' ? [{ severity: 'error', subject: '--istio-certificate', message: one }] : [],
  );
  return {
    part: {
      source: 'Istio',
      listeners,
      services: [...made.services.values()],
      implied: made.implied,
      routes: services.flatMap(({ routes }) => routes),
      problems: [
        ...made.problems,
        ...certificateProblems,
        ...works.flatMap(({ subject, known, remarks }) => problemsOf(subject, [...known, ...remarks.all])),
      ],
    },
    statuses: [],
    told: works.flatMap(told),
  };
}

function told({ object, subject, known, remarks }: Work): readonly Told[] {
  const resource = subject.startsWith('VirtualService') ? VIRTUAL_SERVICES : DESTINATION_RULES;
  return toldOf(resource, object, [...known, ...remarks.all]);
}

function workOf(kind: string, object: KubeObject): Work {
  const subject = formatObject(originOf(kind, object));
  return { object, subject, namespace: object.metadata.namespace ?? '', known: [], remarks: new Remarks() };
}

function readRoutes(object: KubeObject): ReadRoutes {
  const remarks = new Remarks();
  return { routes: readVirtualService(valueOfJson(object), remarks), remarks: remarks.all };
}

function readRule(object: KubeObject): ReadRule {
  const remarks = new Remarks();
  const value = valueOfJson(object);
  const reading = readDestinationRule(value, remarks);
  const said = saidOf(formatObject(originOf('DestinationRule', object)), reading, remarks);
  const place = value.deep('spec', 'host') ?? value;
  return { written: reading.written, host: reading.host, said, place, remarks: remarks.all };
}

/** For each host the oldest rule counts; the others are told so. */
function saidByHost(rules: readonly { readonly work: Work; readonly rule: ReadRule }[]): ReadonlyMap<string, Said> {
  const byHost = new Map<string, Said>();
  for (const { work, rule } of rules) {
    const key = hostKey(rule.host);
    const first = byHost.get(key);
    if (first === undefined) byHost.set(key, rule.said);
    else {
      const message = `${first.subject} is older and about ${rule.written} as well, and counts`;
      work.remarks.refuse(rule.place, message, 'write all of it into one DestinationRule');
    }
  }
  return byHost;
}

/** Leads a VirtualService's routes to Services. */
class Ways {
  readonly #objects: Objects;
  readonly #made: ObjectServices;
  readonly #said: ReadonlyMap<string, Said>;
  readonly #work: Work;

  constructor(objects: Objects, made: ObjectServices, said: ReadonlyMap<string, Said>, work: Work) {
    this.#objects = objects;
    this.#made = made;
    this.#said = said;
    this.#work = work;
  }

  backend(way: IstioWay): Backend {
    const { requestHeaders, responseHeaders, weight } = way;
    const service = this.#find(way, way.written, 'until then its requests are answered with 500');
    if (service === undefined) return { kind: 'missing', weight };
    return {
      kind: 'service',
      service: service.name,
      weight,
      ...(requestHeaders && { requestHeaders }),
      ...(responseHeaders && { responseHeaders }),
    };
  }

  mirrors(mirrors: readonly IstioMirror[]): readonly Mirror[] {
    return mirrors.flatMap((mirror): readonly Mirror[] => {
      const service = this.#find(mirror, mirror.host.name, 'until then nothing is mirrored');
      if (service === undefined) return [];
      if (service.discipline.kind === 'limited') {
        const message = `requests are not mirrored to ${service.name}: it has a limit, which copies that do not wait would break`;
        this.#work.remarks.refuse(mirror.place, message, 'mirror to a Service without a limit');
        return [];
      }
      return [{ service: service.name, perMillion: mirror.perMillion }];
    });
  }

  #find({ place, host, port: wanted }: IstioMirror | IstioWay, written: string, fix: string): Service | undefined {
    const refuse = (message: string): undefined => {
      this.#work.remarks.refuse(place, message, fix);
    };
    if (host.outside)
      return refuse(`${written} is no Service of this cluster: write a service of the route file with dns`);
    const namespace = host.namespace ?? this.#work.namespace;
    const key = keyOf({ namespace, name: host.name });
    const object = this.#objects.get(SERVICES, namespace, host.name);
    if (object === undefined) return refuse(`there is no Service ${key}`);
    const external = externalFault(object);
    if (external !== undefined) return refuse(external);
    const port = portOf(object, wanted);
    if (port === undefined) {
      const known = (object.spec?.ports ?? []).map((one) => one.port).join(', ') || 'none';
      return refuse(
        wanted === undefined
          ? `Service ${key} has ports ${known}: the destination must name one`
          : `Service ${key} has no TCP port ${wanted}; it has ${known}`,
      );
    }
    const said = this.#said.get(hostKey({ ...host, namespace }));
    if (typeof said?.tls === 'string') return refuse(said.tls);
    const made = this.#made.make({ object, port, words: said?.words, protocol: protocolOf(port), tls: said?.tls });
    return made.kind === 'made' ? made.service : refuse(made.message);
  }
}

function portOf({ spec }: ServiceObject, wanted: string | undefined): ServicePort | undefined {
  const ports = (spec?.ports ?? []).filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  if (wanted === undefined) return ports.length === 1 ? ports[0] : undefined;
  return ports.find(({ port }) => String(port) === wanted);
}

/** By `appProtocol`, else by the port's name: `grpc-api`, `http2`. */
function protocolOf(port: ServicePort): Protocol | undefined {
  if (port.appProtocol !== undefined) return appProtocolOf(port)?.protocol;
  return /^(grpc|http2)(-(?!web)|$)/.test(port.name ?? '') ? 'h2c' : 'http1';
}

interface RouteTools {
  readonly work: Work;
  /** Its place among those of the VirtualService: the first match wins. */
  readonly index: number;
  readonly listeners: readonly ListenerName[];
  readonly ways: Ways;
}

function toRoute(route: IstioRoute, { work, index, listeners, ways }: RouteTools): Route {
  const { match, authority, target, cors, requestHeaders, responseHeaders } = route;
  const origin = originOf('VirtualService', work.object);
  const common = {
    name: `${work.subject} ${route.name}`,
    origin,
    listeners,
    order: { group: work.subject, index },
    match: { ...match, headers: [...match.headers, ...authorityOf(authority)] },
    ...(responseHeaders && { responseHeaders }),
    ...(cors && { cors: cors.value }),
  };
  switch (target.kind) {
    case 'redirect':
      return { kind: 'redirect', ...common, redirect: target.redirect };
    case 'answer':
      return { kind: 'answer', ...common, status: target.status, body: target.body };
    case 'forward':
      return { ...common, ...forward(target, ways), ...(requestHeaders && { requestHeaders }) };
  }
}

function forward(
  { ways: written, rewrite, timeout, mirrors }: Extract<IstioTarget, { readonly kind: 'forward' }>,
  ways: Ways,
): Pick<ForwardRoute, 'kind' | 'backends' | 'rewrite' | 'requestTimeout' | 'mirrors'> {
  const copies = ways.mirrors(mirrors);
  const { host, path } = rewrite ?? {};
  const changes = { ...(host === undefined ? {} : { host }), ...(path === undefined ? {} : { path }) };
  return {
    kind: 'forward',
    backends: written.map((way) => ways.backend(way)),
    ...(Object.keys(changes).length === 0 ? {} : { rewrite: changes }),
    ...(timeout === undefined ? {} : { requestTimeout: timeout.ms }),
    ...(copies.length === 0 ? {} : { mirrors: copies }),
  };
}

/** As a condition beside others: as hosts of the route it would count before the order of the VirtualService. */
function authorityOf(hosts: readonly string[]): readonly NamedMatch[] {
  return hosts.length === 0 ? [] : [authorityIs(hosts.map(regexLiteral))];
}
