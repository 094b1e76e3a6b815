import { type LastList, remember, rememberEach } from '../base/remember.ts';
import { podsId } from '../model/generation.ts';
import { gatesOf, type Model, type Retiring, type ServiceWithPods } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Routing } from '../model/routing.ts';
import type { Service, ServiceName } from '../model/service.ts';
import { type EncodedResource, groupByType, type ResourcesByType, TYPE_URLS } from '../snapshot/resource.ts';
import { endpoints } from './endpoints.ts';
import { gateCluster } from './gate.ts';
import { kickListener, kickRoutes } from './kick.ts';
import { limitsRuntime } from './limits.ts';
import type { TranslateOptions } from './options.ts';
import { parkingListener } from './parking.ts';
import { podsCluster } from './pods.ts';
import { podsListener, podsRoutes } from './pods-listener.ts';
import { publicListener } from './public-listener.ts';
import { publicRoutes } from './public-routes.ts';
import type { OneIn } from './sampling.ts';
import { publicSecret } from './secret.ts';

/**
 * All resources that make Envoy do what the model says. Total: a model always has a translation. What
 * depends on nothing that has changed is not encoded again: with 10,000 pods, one that changes must not
 * cost a translation of all.
 *
 * An Envoy does not carry the services `absent`: it gets all but their clusters, gates and second hops. The public routes
 * and the public listener are the same for every Envoy: without its route a request for such a service would go where a
 * less exact route leads, so it is answered with 503 as its cluster is not there; and a listener that changes with every
 * service that moves would close connections of those who wait.
 *
 * Of requests that are answered, Envoys are to tell of one in `oneIn`.
 */
export function translate(
  model: Model,
  options: TranslateOptions,
  absent: ReadonlySet<ServiceName> = NONE,
  oneIn: OneIn = 1,
): ResourcesByType {
  const { services, retiring } = absent.size === 0 ? model : without(model, absent);
  const isPlain = absent.size === 0 && retiring.length === 0 && services.every(({ line }) => line === undefined);
  const make = () => groupByType(fixed({ ...model, services, retiring }, options, absent));
  // The public routes are new where the route file is, and where else something of them has changed.
  const all = isPlain ? remember(remember(ofOptions, options, newMemory), routesOf(model), make) : make();
  return {
    ...all,
    [TYPE_URLS.endpoints]: [...rememberEach(lastEndpoints, services, endpointsOf), ...all[TYPE_URLS.endpoints]],
    [TYPE_URLS.runtime]: [limitsRuntime([...services, ...retiring], oneIn)],
  };
}

/** Everything but the pods and the limits: while nothing retires, it depends on the route file and the public routes. */
function fixed(
  model: Model,
  { kickPort }: TranslateOptions,
  absent: ReadonlySet<ServiceName>,
): readonly EncodedResource[] {
  const { common, byService } = remember(ofRouting, model.routing, translateRouting);
  return [
    ...common,
    ...byService.flatMap(([name, resources]) => (absent.has(name) ? [] : resources)),
    routesOf(model),
    ...kicksOf([...gatesOf(model).keys()], kickPort),
    ...model.retiring.flatMap(ofRetiring),
    hopsOf(model, absent),
  ];
}

const NONE: ReadonlySet<ServiceName> = new Set();

let lastKicks: { readonly key: string; readonly made: readonly EncodedResource[] } | undefined;

/** The way of kicks to the gates: the same until a gate comes or goes. */
function kicksOf(gates: readonly ServiceName[], port: number): readonly EncodedResource[] {
  if (gates.length === 0) return [];
  const key = [port, ...gates].join();
  if (lastKicks?.key !== key) lastKicks = { key, made: [kickListener(port), kickRoutes(gates)] };
  return lastKicks.made;
}

/** The model of an Envoy that does not carry these services. Its routing stays: see `translate`. */
function without(model: Model, absent: ReadonlySet<ServiceName>): Model {
  const isCarried = ({ service }: ServiceWithPods) => !absent.has(service.name);
  return { ...model, services: model.services.filter(isCarried), retiring: model.retiring.filter(isCarried) };
}

/** What depends on the route file alone. */
interface OfRouting {
  readonly common: readonly EncodedResource[];
  readonly byService: readonly (readonly [ServiceName, readonly EncodedResource[]])[];
}

const ofRouting = new WeakMap<Routing, OfRouting>();
const ofHops = new WeakMap<Routing, Map<string, EncodedResource>>();
/** So many tables of the second hop are kept for one route file. */
const MOST_HOPS = 16;
const ofRoutes = new WeakMap<Routing, { readonly key: string; readonly routes: EncodedResource }>();
const ofPods = new WeakMap<readonly Pod[], WeakMap<Service, EncodedResource>>();
const lastEndpoints: LastList<ServiceWithPods, EncodedResource> = { keys: [], values: [] };
const ofOptions = new WeakMap<TranslateOptions, WeakMap<EncodedResource, ResourcesByType>>();
const newMemory = () => new WeakMap<EncodedResource, ResourcesByType>();

/** The public routes: those of the route file, and where to line up and when to come again where that is not usual. */
function routesOf({ routing, services }: Model): EncodedResource {
  const unusual = services.filter(({ line, retryAfter }) => line !== undefined || retryAfter !== undefined);
  const key = unusual.map(({ service, line = '', retryAfter = 1 }) => `${service.name} ${line} ${retryAfter}`).join();
  const known = ofRoutes.get(routing);
  if (known?.key === key) return known.routes;
  const lines = unusual.flatMap(({ service, line }) => (line === undefined ? [] : [[service.name, line] as const]));
  const after = unusual.map(({ service, retryAfter = 1 }) => [service.name, retryAfter] as const);
  const routes = publicRoutes(routing, new Map(lines), new Map(after));
  ofRoutes.set(routing, { key, routes });
  return routes;
}

/** The same for other limits: they move more often than pods. */
function endpointsOf(service: ServiceWithPods): EncodedResource {
  const ofService = remember(ofPods, service.pods, () => new WeakMap<Service, EncodedResource>());
  return remember(ofService, service.service, () => endpoints(service));
}

/** Everything that depends on the route file alone, and not on which pods there are. */
function translateRouting(routing: Routing): OfRouting {
  const { listeners, services } = routing;
  const certificates = listeners.flatMap(({ tls }) => tls?.certificates ?? []);
  const secrets = certificates.map(publicSecret);
  const open = listeners.map((listener) => publicListener(listener, services));
  const common = [...open, ...secrets, parkingListener(), podsListener()];
  const byService = services.map((service) => [service.name, ofService(service)] as const);
  return { common, byService };
}

function ofService(service: Service): readonly EncodedResource[] {
  return service.discipline.kind === 'limited' ? [podsCluster(service), gateCluster(service)] : [podsCluster(service)];
}

/** The clusters that a service needs until its last request has ended. */
function ofRetiring({ service, pods, gate, heir, ...old }: Retiring): readonly EncodedResource[] {
  const stays = pods.length > 0 || heir === undefined;
  return [
    ...(stays ? [podsCluster(service), endpoints({ ...old, service, pods, gate })] : []),
    ...(gate === undefined ? [] : [gateCluster(service)]),
  ];
}

/** Where the second hop leads: to each limited service's pods, and from gates whose service has gone to the heir's. */
function hopsOf({ retiring, routing }: Model, absent: ReadonlySet<ServiceName>): EncodedResource {
  const { services } = routing;
  const limited = services.filter(({ discipline }) => discipline.kind === 'limited');
  const present = new Set(limited.map(({ name }) => name));
  const left = retiring.filter(({ service, gate }) => gate !== undefined && !present.has(service.name));
  const hops = new Map<ServiceName, Service>([
    ...left.map(({ service, heir }) => [service.name, services.find(({ name }) => name === heir) ?? service] as const),
    ...limited.filter(({ name }) => !absent.has(name)).map((service) => [service.name, service] as const),
  ]);
  const key = [...hops].map(([from, to]) => `${from} ${podsId(to)}`).join();
  const known = remember(ofHops, routing, () => new Map<string, EncodedResource>());
  // One for each choice of services that an Envoy has, and for each moment of an edit.
  if (known.size > MOST_HOPS) known.clear();
  return remember(known, key, () => podsRoutes(hops));
}
