import type { ServiceName } from '../model/service.ts';
import type { Report } from './draining.ts';

/** What one Envoy last reported. */
export interface NodeLoad {
  /** Milliseconds since the epoch when the report came. */
  readonly at: number;
  /** Requests in progress by service and by `formatAddress`; what is not there holds nothing. */
  readonly running: ReadonlyMap<ServiceName, ReadonlyMap<string, number>>;
}

/** A change takes a moment to reach Envoy, and a report to come back. */
const LAG_MS = 250;

/** What all Envoys together say about one service; undefined while nobody has reported. */
export function reportOf(service: ServiceName, nodes: ReadonlyMap<string, NodeLoad>): Report | undefined {
  if (nodes.size === 0) return undefined;
  const running = new Map<string, number>();
  for (const node of nodes.values()) {
    for (const [pod, count] of node.running.get(service) ?? []) running.set(pod, (running.get(pod) ?? 0) + count);
  }
  return { from: Math.min(...[...nodes.values()].map(({ at }) => at)) - LAG_MS, running };
}

/** The load after one request on `pod` has ended, told before the next report. */
export function withoutOne({ at, running }: NodeLoad, service: ServiceName, pod: string): NodeLoad {
  const pods = running.get(service);
  const count = pods?.get(pod) ?? 0;
  if (pods === undefined || count === 0) return { at, running };
  return { at, running: new Map(running).set(service, new Map(pods).set(pod, count - 1)) };
}
