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
  const name = resource(Runtime, LIMITS, { name: LIMITS, layer: {} });
  // Messages one after the other are one message with the fields of all (protobuf's merging): what one gate adds is
  // encoded only when it changes, and not with every change of another.
  const parts = [...gates].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, gate]) => limitOf(id, gate));
  return { ...name, body: concat([name.body, ...parts]) };
}

/** What was made of each gate last. */
const known = new Map<GateId, { readonly gate: GateLimit; readonly bytes: Uint8Array }>();

function limitOf(id: GateId, gate: GateLimit): Uint8Array {
  const before = known.get(id);
  if (before?.gate.slots === gate.slots && before.gate.pending === gate.pending) return before.bytes;
  const key = `circuit_breakers.${gateClusterOf(id)}.default`;
  const layer = struct({ [`${key}.max_connections`]: gate.slots, [`${key}.max_pending_requests`]: gate.pending });
  const bytes = resource(Runtime, LIMITS, { layer }).body;
  known.set(id, { gate, bytes });
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
