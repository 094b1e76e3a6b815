import type { Model } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Routing } from '../model/routing.ts';
import type { Service } from '../model/service.ts';
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
 */
export function translate(model: Model, options: TranslateOptions): readonly EncodedResource[] {
  return [
    ...remember(ofRouting, model.routing, options.kickPort, () => translateRouting(model.routing, options)),
    ...model.services.map((service) => remember(ofPods, service.pods, service.service.name, () => endpoints(service))),
    limitsRuntime(model.services),
  ];
}

const ofRouting = new WeakMap<Routing, Map<number, readonly EncodedResource[]>>();
const ofPods = new WeakMap<readonly Pod[], Map<string, EncodedResource>>();

/** The value made before for these very objects, or the one made now. */
function remember<Key extends object, Second, Value>(
  memory: WeakMap<Key, Map<Second, Value>>,
  key: Key,
  second: Second,
  make: () => Value,
): Value {
  let values = memory.get(key);
  if (values === undefined) {
    values = new Map();
    memory.set(key, values);
  }
  let value = values.get(second);
  if (value === undefined) {
    value = make();
    values.set(second, value);
  }
  return value;
}

/** Everything that depends on the route file alone, and not on which pods there are. */
function translateRouting(routing: Routing, { kickPort }: TranslateOptions): readonly EncodedResource[] {
  const { listen, services } = routing;
  const limited = services.filter(({ discipline }) => discipline.kind === 'limited');
  return [
    publicListener(listen, services),
    publicRoutes(routing),
    ...(listen.tls === undefined ? [] : [publicSecret(listen.tls)]),
    parkingListener(),
    ...(limited.length === 0 ? [] : [kickListener(kickPort), kickRoutes(limited)]),
    ...services.flatMap((service) => ofService(service, routing)),
  ];
}

function ofService(service: Service, { routes }: Routing): readonly EncodedResource[] {
  if (service.discipline.kind !== 'limited') return [podsCluster(service)];
  const own = routes.filter((route) => route.service === service.name);
  return [podsCluster(service), gateCluster(service), podsListener(service), podsRoutes(service, own)];
}
