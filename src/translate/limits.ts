import { envoy } from '#xds';
import type { GateId } from '../model/generation.ts';
import type { GateLimit } from '../model/model.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { resource, struct } from './encode.ts';
import { gateClusterOf, LIMITS } from './names.ts';

const { Runtime } = envoy.service.runtime.v3;

/**
 * The limits of all gates as a runtime layer: they hold at once and touch no cluster, while a cluster changed
 * by CDS is a new one that counts from 0 beside the old one's running requests.
 */
export function limitsRuntime(gates: ReadonlyMap<GateId, GateLimit>): EncodedResource {
  const values = [...gates].flatMap(([id, gate]) => {
    const key = `circuit_breakers.${gateClusterOf(id)}.default`;
    return [[`${key}.max_connections`, gate.slots] as const, [`${key}.max_pending_requests`, gate.pending] as const];
  });
  return resource(Runtime, LIMITS, { name: LIMITS, layer: struct(Object.fromEntries(values)) });
}
