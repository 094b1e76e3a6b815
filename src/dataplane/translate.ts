import { DEFAULT_HEADER_BOUNDS, type HeaderBounds } from '../model/header-bounds.ts';
import type { Model, ServiceWithPods } from '../model/model.ts';
import { highestLimit, type Pod } from '../model/pod.ts';
import type { Routing } from '../model/routing.ts';
import type { Service, ServiceName } from '../model/service.ts';
import { socketsOf } from '../model/sockets.ts';
import { type EncodedResource, type ResourcesByType, TYPE_URLS } from '../snapshot/resource.ts';
import { type ClusterOptions, cluster } from './cluster.ts';
import { collectorCluster } from './collector.ts';
import { certificateName, collectorName, serviceOfCluster } from './contract.ts';
import { controlListener, idleListener, selfCluster } from './control-listener.ts';
import { endpoints } from './endpoints.ts';
import { socketListener } from './listener.ts';
import type { TranslateOptions } from './options.ts';
import { filterResources } from './queue-filter.ts';
import { type EncodedRoutes, routeConfigurations } from './routes.ts';
import { certificateSecret } from './secret.ts';

/** A model as Envoy's resources, with what the next translation can take over of it. */
export interface Translation {
  readonly resources: ResourcesByType;
  readonly options: TranslateOptions;
  readonly routing: Routing;
  readonly services: readonly TranslatedService[];
  /** What depends on the options alone. */
  readonly fixed: Fixed;
  readonly routes: EncodedRoutes;
}

interface TranslatedService extends Pick<ServiceWithPods, 'service' | 'pods'> {
  /** Equal where the cluster is. */
  /** The service with the limit that its cluster has. */
  readonly held: Service;
  readonly clusterKey: string;
  readonly cluster: EncodedResource;
  readonly endpoints: EncodedResource;
}

interface Fixed {
  readonly clusters: readonly EncodedResource[];
  readonly listeners: readonly EncodedResource[];
  /** What stands where there are no listeners for clients. */
  readonly idle: readonly EncodedResource[];
}

/**
 * All resources that make Envoy do what the model says. Total: a model always has a translation. What is the same as in
 * the translation `before` is taken from there, so a pod that changes costs the encoding of one service's endpoints.
 */
export function translate({ routing, services }: Model, options: TranslateOptions, before?: Translation): Translation {
  const last = before?.options === options ? before : undefined;
  const fixed = last?.fixed ?? translateFixed(options);
  const bounds = headerBoundsOf(routing);
  const isSameBounds = last !== undefined && sameBounds(bounds, headerBoundsOf(last.routing));
  const translated = translateServices(services, { ...options, bounds }, isSameBounds ? last.services : []);
  const sameServices = translated === last?.services;
  if (sameServices && routing === last?.routing) return last;
  const { resources: was } = last ?? {};
  const isSameRouting = routing === last?.routing;
  const clusters = [...fixed.clusters, ...collectorsOf(routing), ...translated.map(({ cluster }) => cluster)];
  const made =
    isSameRouting && last !== undefined
      ? { resources: ofRoutingAsBefore(last.resources), encoded: last.routes }
      : ofRouting(routing, options, { fixed, routes: last?.routes, extensions: extensionsOf(routing, options, last) });
  const resources: ResourcesByType = {
    [TYPE_URLS.cluster]: sameList(clusters, was?.[TYPE_URLS.cluster]),
    [TYPE_URLS.endpoints]: translated.map(({ endpoints }) => endpoints),
    ...made.resources,
  };
  return { resources, options, routing, services: translated, fixed, routes: made.encoded };
}

/**
 * The same for an Envoy that does not carry these services: without their clusters and endpoints. Routes and listeners are
 * the same for every Envoy: without its route a request for such a service would go where a less exact route leads, so it
 * is answered with 503 as its cluster is not there; and a listener that changes with every service that moves would close
 * connections of those who wait.
 */
export function withoutServices(resources: ResourcesByType, absent: ReadonlySet<ServiceName>): ResourcesByType {
  if (absent.size === 0) return resources;
  const isCarried = ({ name }: EncodedResource) => {
    const service = serviceOfCluster(name);
    return service === undefined || !absent.has(service);
  };
  return {
    ...resources,
    [TYPE_URLS.cluster]: resources[TYPE_URLS.cluster].filter(isCarried),
    [TYPE_URLS.endpoints]: resources[TYPE_URLS.endpoints].filter(isCarried),
  };
}

/** The filter, with what it is to tell of requests; its code is in there, so as it was where that is the same. */
function extensionsOf(routing: Routing, { filter }: TranslateOptions, last: Translation | undefined) {
  const isSame = last !== undefined && factsKey(last.routing) === factsKey(routing);
  return isSame ? last.resources[TYPE_URLS.extension] : filterResources(filter, routing);
}

/** A text that is equal where the filter is to tell the same. */
function factsKey({ accessLog, tracing }: Routing): string {
  return JSON.stringify([accessLog !== undefined, tracing?.otlp, tracing?.name]);
}

/** The clusters of who is told about requests. */
function collectorsOf({ accessLog, tracing }: Routing): readonly EncodedResource[] {
  const addresses = [accessLog?.otlp, tracing?.otlp].filter((one) => one !== undefined);
  const byName = new Map(addresses.map((one) => [collectorName(one), one]));
  return [...byName.values()].map(collectorCluster);
}

function translateFixed(options: TranslateOptions): Fixed {
  const { filter } = options;
  if (filter.kind === 'off') return { clusters: [], listeners: [], idle: [] };
  return {
    clusters: [selfCluster()],
    listeners: [controlListener(filter)],
    idle: [idleListener()],
  };
}

type OfRouting = Pick<
  ResourcesByType,
  typeof TYPE_URLS.extension | typeof TYPE_URLS.listener | typeof TYPE_URLS.routes | typeof TYPE_URLS.secret
>;

interface OfBefore {
  readonly fixed: Fixed;
  readonly routes: EncodedRoutes | undefined;
  readonly extensions: readonly EncodedResource[];
}

function ofRouting(
  routing: Routing,
  options: TranslateOptions,
  { fixed, routes, extensions }: OfBefore,
): { readonly resources: OfRouting; readonly encoded: EncodedRoutes } {
  const { listeners } = routing;
  const sockets = socketsOf(listeners);
  const certificates = new Map(
    [
      ...listeners.flatMap(({ tls }) => tls?.certificates ?? []),
      ...routing.services.flatMap(({ tls }) => tls?.certificate ?? []),
    ].map((one) => [certificateName(one), one] as const),
  );
  const configurations = routeConfigurations(sockets, routing, options.filter, routes);
  const resources: OfRouting = {
    [TYPE_URLS.extension]: extensions,
    [TYPE_URLS.listener]: [
      ...(sockets.length === 0 ? fixed.idle : sockets.map((socket) => socketListener(socket, routing, options))),
      ...fixed.listeners,
    ],
    [TYPE_URLS.routes]: configurations.resources,
    [TYPE_URLS.secret]: [...certificates.values()].map(certificateSecret),
  };
  return { resources, encoded: configurations.encoded };
}

function ofRoutingAsBefore(was: ResourcesByType): OfRouting {
  return {
    [TYPE_URLS.extension]: was[TYPE_URLS.extension],
    [TYPE_URLS.listener]: was[TYPE_URLS.listener],
    [TYPE_URLS.routes]: was[TYPE_URLS.routes],
    [TYPE_URLS.secret]: was[TYPE_URLS.secret],
  };
}

function headerBoundsOf({ headerBounds = DEFAULT_HEADER_BOUNDS }: Routing): HeaderBounds {
  return headerBounds;
}

function sameBounds(a: HeaderBounds, b: HeaderBounds): boolean {
  return a.lines === b.lines && a.size === b.size;
}

/** The very same array when nothing has changed. */
function translateServices(
  services: readonly ServiceWithPods[],
  options: ClusterOptions,
  before: readonly TranslatedService[],
): readonly TranslatedService[] {
  // Mostly each is where it was; after an edit of the route file each is somewhere under its name.
  const isInPlace =
    services.length === before.length && services.every(({ service }, at) => service === before[at]?.service);
  const byName = isInPlace ? undefined : new Map(before.map((one) => [one.service.name, one]));
  const translated = services.map((one, at) =>
    translateService(one, options, byName === undefined ? before[at] : byName.get(one.service.name)),
  );
  return sameList(translated, before);
}

function translateService(
  { service, pods }: ServiceWithPods,
  options: ClusterOptions,
  before: TranslatedService | undefined,
): TranslatedService {
  if (before?.service === service && before.pods === pods) return before;
  const held = heldByEnvoy(service, pods);
  const clusterKey = before?.service === service && before.held === held ? before.clusterKey : keyOf(held);
  return {
    service,
    pods,
    clusterKey,
    held,
    cluster: before?.clusterKey === clusterKey ? before.cluster : cluster(held, options),
    endpoints: before?.pods === pods ? before.endpoints : endpoints({ service, pods }),
  };
}

/** Envoy knows one bound for all pods of a service: where some have a limit of their own, the highest. */
function heldByEnvoy(service: Service, pods: readonly Pod[]): Service {
  const { discipline } = service;
  if (discipline.kind !== 'limited') return service;
  const limit = highestLimit(discipline.limit, pods);
  return limit === discipline.limit ? service : { ...service, discipline: { ...discipline, limit } };
}

/** A route file that was read anew has new objects for services that are as they were: their clusters are not made again. */
function keyOf({ protocol, tls, discipline, timeout, health, outlier }: Service): string {
  return JSON.stringify([protocol, tls ?? null, discipline, timeout.connect, health ?? null, outlier]);
}

function sameList<T>(list: readonly T[], before: readonly T[] | undefined): readonly T[] {
  const isSame = list.length === before?.length && list.every((one, at) => one === before[at]);
  return isSame ? before : list;
}
