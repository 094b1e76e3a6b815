import { millis } from '../../../src/base/duration.ts';
import type { Model, ServiceWithPods } from '../../../src/model/model.ts';
import { normalizePods, type Pod } from '../../../src/model/pod.ts';
import type { Routing } from '../../../src/model/routing.ts';
import type { Service, ServiceName, Slots } from '../../../src/model/service.ts';
import { gateLimit } from '../../../src/slots/gate-limit.ts';

/** A limited service for tests; its pods are `127.0.1.1:9000`, `127.0.1.2:9000`, … */
export function limitedService(name: string, limit = 1): Service {
  return {
    name: name as ServiceName,
    locator: { kind: 'static', addresses: [] },
    protocol: 'http1',
    discipline: {
      kind: 'limited',
      limit: limit as Slots,
      queue: { max: 10, timeout: millis(0), fullStatus: 429 },
    },
    timeout: { request: millis(0), connect: millis(2000) },
    outlier: { consecutive5xx: 0, eject: millis(2000) },
  };
}

/** A pod by its number. */
export function pod(number: number, state: Pod['state'] = 'ready'): Pod {
  return { ip: `127.0.1.${number}`, port: 9000, state };
}

/** A model of one service with these pods. */
export function modelOf(service: Service, pods: readonly Pod[], running: (pod: Pod) => number = () => 0): Model {
  const normalized = normalizePods(pods);
  const withPods: ServiceWithPods = { service, pods: normalized, gate: gateLimit(service, normalized, running) };
  const routing: Routing = { listeners: [], services: [service], routes: [] };
  return { routing, services: [withPods], retiring: [] };
}
