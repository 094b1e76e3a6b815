import { remember } from '../base/remember.ts';
import type { GateId } from '../model/generation.ts';
import { type GateLimit, gatesOf, type Model, type Retiring, type ServiceWithPods } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Routing } from '../model/routing.ts';
import type { Service, ServiceName } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
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
 */
export function translate(
  model: Model,
  options: TranslateOptions,
  absent: ReadonlySet<ServiceName> = NONE,
): readonly EncodedResource[] {
  const carried = absent.size === 0 ? model : without(model, absent);
  const gates = gatesOf(carried);
  const { common, byService, all } = remember(ofRouting, model.routing, translateRouting);
  return [
    ...(absent.size === 0
      ? all
      : [...common, ...byService.flatMap(([name, resources]) => (absent.has(name) ? [] : resources))]),
    routesOf(model),
    ...kicksOf(gates, options.kickPort),
    ...carried.services.map((service) => endpointsOf(service)),
    ...carried.retiring.flatMap(ofRetiring),
    ...oldHops(carried),
    limitsRuntime(gates),
  ];
}

const NONE: ReadonlySet<ServiceName> = new Set();

let lastKicks: { readonly key: string; readonly made: readonly EncodedResource[] } | undefined;

/** The way of kicks to the gates: the same until a gate comes or goes. */
function kicksOf(gates: ReadonlyMap<GateId, GateLimit>, port: number): readonly EncodedResource[] {
  if (gates.size === 0) return [];
  const key = [port, ...gates.keys()].join();
  if (lastKicks?.key !== key) lastKicks = { key, made: [kickListener(port), kickRoutes(gates.keys())] };
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
  /** Both, for an Envoy that carries every service. */
  readonly all: readonly EncodedResource[];
}

const ofRouting = new WeakMap<Routing, OfRouting>();
const ofRoutes = new WeakMap<Routing, EncodedResource>();
const ofPods = new WeakMap<readonly Pod[], WeakMap<Service, EncodedResource>>();

/** The public routes: those of the route file, unless an edit has left somebody waiting elsewhere. */
function routesOf({ routing, services }: Model): EncodedResource {
  const lines = services.flatMap(({ service, line }) => (line === undefined ? [] : [[service.name, line] as const]));
  if (lines.length > 0) return publicRoutes(routing, new Map(lines));
  return remember(ofRoutes, routing, () => publicRoutes(routing, new Map()));
}

function endpointsOf(service: ServiceWithPods): EncodedResource {
  const ofService = remember(ofPods, service.pods, () => new WeakMap<Service, EncodedResource>());
  return remember(ofService, service.service, () => endpoints(service));
}

/** Everything that depends on the route file alone, and not on which pods there are. */
function translateRouting(routing: Routing): OfRouting {
  const { listen, services } = routing;
  const secret = listen.tls === undefined ? [] : [publicSecret(listen.tls)];
  const common = [publicListener(listen, services), ...secret, parkingListener()];
  const byService = services.map((service) => [service.name, ofService(service, routing)] as const);
  return { common, byService, all: [...common, ...byService.flatMap(([, resources]) => resources)] };
}

function ofService(service: Service, { routes }: Routing): readonly EncodedResource[] {
  if (service.discipline.kind !== 'limited') return [podsCluster(service)];
  const own = routes.filter((route) => route.service === service.name);
  return [
    podsCluster(service),
    gateCluster(service),
    podsListener(service.name),
    podsRoutes(service.name, service, own),
  ];
}

/** The clusters that a service needs until its last request has ended. */
function ofRetiring({ service, pods, gate, heir, ...old }: Retiring): readonly EncodedResource[] {
  const stays = pods.length > 0 || heir === undefined;
  return [
    ...(stays ? [podsCluster(service), endpoints({ ...old, service, pods, gate })] : []),
    ...(gate === undefined ? [] : [gateCluster(service)]),
  ];
}

/** The second hops of gates that are left of services of other names: they lead to the pods of the heir. */
function oldHops({ retiring, routing: { services, routes } }: Model): readonly EncodedResource[] {
  const present = new Set(services.filter(({ discipline }) => discipline.kind === 'limited').map(({ name }) => name));
  const left = new Map(
    retiring
      .filter(({ service, gate }) => gate !== undefined && !present.has(service.name))
      .map((old) => [old.service.name, old]),
  );
  return [...left.values()].flatMap(({ service, heir }) => {
    const target = services.find(({ name }) => name === heir) ?? service;
    const own = routes.filter((route) => route.service === target.name);
    return [podsListener(service.name), podsRoutes(service.name, target, own)];
  });
}
