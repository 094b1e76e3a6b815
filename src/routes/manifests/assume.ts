import { CONTROLLER, GATEWAY_CLASSES, GATEWAYS, GRPC_ROUTES, HTTP_ROUTES } from '../gateway-api/objects.ts';
import { INGRESSES } from '../ingress/objects.ts';
import { hostKey, meshHost } from '../istio/hosts.ts';
import { VIRTUAL_SERVICES } from '../istio/objects.ts';
import { SERVICES, type ServicePort } from '../objects/core.ts';
import { type KubeObject, keyOf } from '../objects/object.ts';
import type { ObjectStore } from '../objects/store.ts';

/** What a port is called that is only known by its name. */
const UNKNOWN_PORT = 80;

/**
 * Puts in what the objects refer to and the files do not have: Services with the ports that are named, classes of Gateways,
 * and Gateways that take every host at port 80. The keys of what was put in, by kind.
 */
export function assume(objects: ObjectStore): {
  readonly services: readonly string[];
  readonly gateways: readonly string[];
} {
  const gateways = assumeGateways(objects);
  const services = new Map<string, Map<string, ServicePort>>();
  const want = (namespace: string, name: string, port: ServicePort) => {
    if (objects.get(SERVICES, namespace, name) !== undefined) return;
    const key = keyOf({ namespace, name });
    const ports = services.get(key) ?? new Map<string, ServicePort>();
    services.set(key, ports.set(String(port.name ?? port.port), port));
  };
  for (const resource of [HTTP_ROUTES, GRPC_ROUTES, INGRESSES, VIRTUAL_SERVICES]) {
    for (const object of objects.all<KubeObject>(resource)) collect(object, object.metadata.namespace ?? '', want);
  }
  for (const [key, ports] of services) {
    const [namespace = '', name = ''] = key.split('/');
    objects.put(SERVICES, { metadata: { namespace, name }, spec: { ports: [...ports.values()] } });
  }
  return { services: [...services.keys()].sort(), gateways };
}

/** Whatever looks like a reference to a Service, in any of these kinds. */
function collect(
  value: unknown,
  namespace: string,
  want: (namespace: string, name: string, port: ServicePort) => void,
): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, namespace, want);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const map: Readonly<Record<string, unknown>> = typeof inner === 'object' && inner !== null ? { ...inner } : {};
    if (key === 'service' && typeof map['name'] === 'string') {
      const port: Readonly<Record<string, unknown>> = Object(map['port']);
      if (typeof port['number'] === 'number') want(namespace, map['name'], { port: port['number'] });
      else if (typeof port['name'] === 'string')
        want(namespace, map['name'], { name: port['name'], port: UNKNOWN_PORT });
    }
    if (key === 'backendRefs' || key === 'backendRef') {
      for (const ref of [inner].flat()) {
        const { name, port, namespace: other = namespace, kind = 'Service' } = Object(ref);
        if (typeof name === 'string' && typeof port === 'number' && kind === 'Service')
          want(String(other), name, { port });
      }
    }
    if ((key === 'destination' || key === 'mirror') && typeof map['host'] === 'string') {
      const host = meshHost(map['host'], namespace);
      const number: unknown = Object(map['port']).number;
      if (!host.outside) {
        const [own = '', name = ''] = hostKey(host).split('/');
        want(own, name, { port: typeof number === 'number' ? number : UNKNOWN_PORT });
      }
    }
    collect(inner, namespace, want);
  }
  const { serviceName, servicePort }: Readonly<Record<string, unknown>> = { ...value };
  // As Ingresses of v1beta1 said it.
  if (typeof serviceName === 'string' && servicePort !== undefined) {
    const named =
      typeof servicePort === 'number' ? { port: servicePort } : { name: String(servicePort), port: UNKNOWN_PORT };
    want(namespace, serviceName, named);
  }
}

function assumeGateways(objects: ObjectStore): readonly string[] {
  const put: string[] = [];
  const routes = [...objects.all(HTTP_ROUTES), ...objects.all(GRPC_ROUTES)];
  for (const { metadata, spec } of routes) {
    for (const { kind = 'Gateway', name, namespace = metadata.namespace ?? '' } of spec.parentRefs ?? []) {
      if (kind !== 'Gateway' || objects.get(GATEWAYS, namespace, name) !== undefined) continue;
      put.push(keyOf({ namespace, name }));
      const listeners = [
        { name: 'http', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' as const } } },
      ];
      objects.put(GATEWAYS, { metadata: { namespace, name }, spec: { gatewayClassName: 'sluice', listeners } });
    }
  }
  for (const { spec } of objects.all(GATEWAYS)) {
    const name = spec.gatewayClassName;
    if (objects.get(GATEWAY_CLASSES, '', name) !== undefined) continue;
    objects.put(GATEWAY_CLASSES, { metadata: { name }, spec: { controllerName: CONTROLLER } });
  }
  return [...new Set(put)].sort();
}
