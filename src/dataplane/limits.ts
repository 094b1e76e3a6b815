import { envoy } from '#xds';
import { type LastList, rememberEach } from '../base/remember.ts';
import type { GateLimit, ServiceWithPods } from '../model/model.ts';
import type { Service } from '../model/service.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { gateName, LIMITS } from './contract.ts';
import { merged, resource, struct } from './encode.ts';
import { PENDING_UNSAID } from './gate.ts';
import { type OneIn, sampleRuntime } from './sampling.ts';

const { Runtime } = envoy.service.runtime.v3;

/**
 * The limits of all gates as a runtime layer: they hold at once and touch no cluster, while a cluster changed
 * by CDS is a new one that counts from 0 beside the old one's running requests. Beside them, which sample of the requests
 * Envoys are to tell of.
 */
export function limitsRuntime(services: readonly ServiceWithPods[], oneIn: OneIn): EncodedResource {
  // What one gate adds is encoded only when it changes, and not with every change of another.
  const parts = rememberEach(lastParts, services, limitOf);
  // Pods that change without their limit change nothing here.
  if (lastLayer === undefined || oneIn !== lastLayer.oneIn || !sameParts(parts, lastLayer.parts)) {
    lastLayer = { parts, oneIn, layer: layerOf([...parts, sampleOf(oneIn)]) };
  }
  return lastLayer.layer;
}

const lastParts: LastList<ServiceWithPods, Uint8Array> = { keys: [], values: [] };
let lastLayer:
  | { readonly parts: readonly Uint8Array[]; readonly oneIn: OneIn; readonly layer: EncodedResource }
  | undefined;

function sameParts(parts: readonly Uint8Array[], before: readonly Uint8Array[]): boolean {
  return parts === before || (parts.length === before.length && parts.every((part, at) => part === before[at]));
}

function layerOf(parts: readonly Uint8Array[]): EncodedResource {
  const name = resource(Runtime, LIMITS, { name: LIMITS, layer: {} });
  return { ...name, body: merged([name.body, ...parts]) };
}

const limits = new WeakMap<Service, { readonly gate: GateLimit; readonly part: Uint8Array }>();
const NOTHING = new Uint8Array();

/** What one gate adds: the same array for the same limit, since a service's pods change more often than its limit. */
function limitOf({ service, gate }: ServiceWithPods): Uint8Array {
  if (gate === undefined) return NOTHING;
  const known = limits.get(service);
  if (known?.gate.slots === gate.slots && known.gate.pending === gate.pending) return known.part;
  const part = encodeLimit(service, gate);
  limits.set(service, { gate, part });
  return part;
}

function sampleOf(oneIn: OneIn): Uint8Array {
  return resource(Runtime, LIMITS, { layer: struct(sampleRuntime(oneIn)) }).body;
}

function encodeLimit(service: Service, { slots, pending }: GateLimit): Uint8Array {
  const key = `circuit_breakers.${gateName(service)}.default`;
  const line = pending === PENDING_UNSAID ? {} : { [`${key}.max_pending_requests`]: pending };
  return resource(Runtime, LIMITS, { layer: struct({ [`${key}.max_connections`]: slots, ...line }) }).body;
}
