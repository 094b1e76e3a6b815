import type { GateLimit } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Service } from '../model/service.ts';

/** Requests a pod works on at the moment, as Envoy last reported. */
export type Running = (pod: Pod) => number;

/**
 * What a service's gate may let through: every ready pod's limit, and one slot for each request that still
 * runs on a draining or ejected pod, since such a request keeps a slot of the gate busy until it ends. Undefined for
 * a service without a limit.
 */
export function gateLimit({ discipline }: Service, pods: readonly Pod[], running: Running): GateLimit | undefined {
  if (discipline.kind !== 'limited') return undefined;
  const slots = pods.reduce(
    (sum, pod) => sum + (pod.state === 'ready' ? discipline.limit : Math.min(running(pod), discipline.limit)),
    0,
  );
  // Envoy counts a request as waiting while its connection through the gate opens: with fewer places than slots
  // some of those that come at once would be refused beside free slots.
  return { slots, pending: Math.max(discipline.queue.max, slots) };
}
