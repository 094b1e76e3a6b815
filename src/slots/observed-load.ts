import type { PodsId } from '../model/generation.ts';
import type { ServiceName } from '../model/service.ts';
import type { Report } from './draining.ts';

/** What one Envoy last reported. */
export interface NodeLoad {
  /** Milliseconds since the epoch when the report came. */
  readonly at: number;
  /** Requests in progress by `formatAddress`, for every cluster that was reported; a pod that is not there holds nothing. */
  readonly pods: ReadonlyMap<PodsId, ReadonlyMap<string, number>>;
  /** Slots in use, for every gate that was reported. */
  readonly gates: ReadonlyMap<ServiceName, number>;
}

/** A change takes a moment to reach Envoy, and a report to come back. */
const LAG_MS = 250;

/** Up to when all Envoys' reports know everything; undefined while nobody has reported. */
function reportedUntil(nodes: ReadonlyMap<string, NodeLoad>): number | undefined {
  if (nodes.size === 0) return undefined;
  return Math.min(...[...nodes.values()].map(({ at }) => at)) - LAG_MS;
}

/**
 * What all Envoys together say about the pods of a service; undefined while nobody has reported on them. An Envoy
 * reports idle clusters too, but leaves out one that came after the report's period had begun (run on 1.40).
 */
export function reportOf(id: PodsId, nodes: ReadonlyMap<string, NodeLoad>): Report | undefined {
  const from = reportedUntil(nodes);
  if (from === undefined) return undefined;
  const reports = [...nodes.values()].flatMap(({ pods }) => pods.get(id) ?? []);
  const [first, ...others] = reports;
  if (first === undefined) return undefined;
  // As it mostly is: one Envoy carries a service.
  if (others.length === 0) return { from, running: first };
  const running = new Map(first);
  for (const other of others) {
    for (const [pod, count] of other) running.set(pod, (running.get(pod) ?? 0) + count);
  }
  return { from, running };
}

/** Slots in use at a gate; undefined while nobody has reported on it since `since`. */
export function inUse(gate: ServiceName, nodes: ReadonlyMap<string, NodeLoad>, since: number): number | undefined {
  const from = reportedUntil(nodes);
  if (from === undefined || from <= since || ![...nodes.values()].some(({ gates }) => gates.has(gate)))
    return undefined;
  return [...nodes.values()].reduce((sum, { gates }) => sum + (gates.get(gate) ?? 0), 0);
}

/** The load after one request on `pod` has ended, told before the next report. */
export function withoutOne(load: NodeLoad, id: PodsId, pod: string): NodeLoad {
  const pods = load.pods.get(id);
  const count = pods?.get(pod) ?? 0;
  if (pods === undefined || count === 0) return load;
  return { ...load, pods: new Map(load.pods).set(id, new Map(pods).set(pod, count - 1)) };
}

/** A request that has ended on a pod. */
export interface EndedRequest {
  readonly id: PodsId;
  readonly pod: string;
  /** Clock time when it was told. */
  readonly at: number;
}

/** A report that comes this soon after the word of an end may have been made before it. */
const CROSSING_MS = 100;

/** A new report, without the requests whose end was told while it was on its way. */
export function withoutEnded(load: NodeLoad, ended: readonly EndedRequest[]): NodeLoad {
  return ended
    .filter(({ at }) => load.at - at < CROSSING_MS)
    .reduce((rest, { id, pod }) => withoutOne(rest, id, pod), load);
}
