import { envoy } from '#xds';
import type { ServiceWithPods } from '../model/model.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { resource, struct } from './encode.ts';
import { gateName, LIMITS } from './names.ts';

const { Runtime } = envoy.service.runtime.v3;

/**
 * The limits of all gates as a runtime layer: they hold at once and touch no cluster, while a cluster changed
 * by CDS is a new one that counts from 0 beside the old one's running requests.
 */
export function limitsRuntime(services: readonly ServiceWithPods[]): EncodedResource {
  const values = services.flatMap(({ service, gate }) => {
    if (gate === undefined) return [];
    const key = `circuit_breakers.${gateName(service.name)}.default`;
    return [[`${key}.max_connections`, gate.slots] as const, [`${key}.max_pending_requests`, gate.pending] as const];
  });
  return resource(Runtime, LIMITS, { name: LIMITS, layer: struct(Object.fromEntries(values)) });
}
