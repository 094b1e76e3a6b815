import { envoy } from '#xds';
import { type LastList, remember, rememberEach } from '../base/remember.ts';
import type { ServiceWithPods } from '../model/model.ts';
import type { EncodedResource } from '../snapshot/resource.ts';
import { merged, resource, struct } from './encode.ts';
import { gateName, LIMITS } from './names.ts';

const { Runtime } = envoy.service.runtime.v3;

/**
 * The limits of all gates as a runtime layer: they hold at once and touch no cluster, while a cluster changed
 * by CDS is a new one that counts from 0 beside the old one's running requests.
 */
export function limitsRuntime(services: readonly ServiceWithPods[]): EncodedResource {
  // What one gate adds is encoded only when it changes, and not with every change of another.
  const parts = rememberEach(lastParts, services, (service) => remember(limits, service, limitOf));
  return remember(layers, parts, () => {
    const name = resource(Runtime, LIMITS, { name: LIMITS, layer: {} });
    return { ...name, body: merged([name.body, ...parts]) };
  });
}

const limits = new WeakMap<ServiceWithPods, Uint8Array>();
const lastParts: LastList<ServiceWithPods, Uint8Array> = { keys: [], values: [] };
const layers = new WeakMap<readonly Uint8Array[], EncodedResource>();
const NOTHING = new Uint8Array();

function limitOf({ service, gate }: ServiceWithPods): Uint8Array {
  if (gate === undefined) return NOTHING;
  const key = `circuit_breakers.${gateName(service)}.default`;
  const layer = struct({ [`${key}.max_connections`]: gate.slots, [`${key}.max_pending_requests`]: gate.pending });
  return resource(Runtime, LIMITS, { layer }).body;
}
