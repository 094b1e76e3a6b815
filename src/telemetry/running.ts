import { gateOfCluster, podsOfCluster } from '../dataplane/contract.ts';
import type { PodsId } from '../model/generation.ts';
import { serviceOf } from '../model/generation.ts';
import { formatAddress } from '../model/locator.ts';
import type { ServiceName } from '../model/service.ts';
import type { NodeLoad } from '../slots/observed-load.ts';
import type { LoadObservation } from './envoy/load-reports.ts';
import type { OutHosts } from './envoy/pod-health.ts';

/** What an Envoy reported of its clusters, as gates and pods. */
export function nodeLoad(observations: readonly LoadObservation[], at: number): NodeLoad {
  const pods = new Map<PodsId, ReadonlyMap<string, number>>();
  const gates = new Map<ServiceName, number>();
  for (const { cluster, endpoints, requestsInProgress } of observations) {
    const gate = gateOfCluster(cluster);
    const ofPods = podsOfCluster(cluster);
    if (gate !== undefined) gates.set(gate, requestsInProgress);
    if (ofPods !== undefined) pods.set(ofPods, busyPods(endpoints));
  }
  return { at, pods, gates };
}

const NOBODY: ReadonlyMap<string, number> = new Map();

/** Requests in progress by pod; of thousands of pods most are idle, and those are left out. */
function busyPods(endpoints: LoadObservation['endpoints']): ReadonlyMap<string, number> {
  const busy = endpoints.filter(({ requestsInProgress: count }) => count > 0);
  if (busy.length === 0) return NOBODY;
  return new Map(
    busy.map(({ address, port, requestsInProgress: count }) => [formatAddress({ ip: address, port }), count]),
  );
}

/** Hosts that an Envoy has taken out, as pods. */
export function outPods(out: OutHosts): ReadonlyMap<PodsId, readonly string[]> {
  const found = [...out].flatMap(([cluster, hosts]) => {
    const id = podsOfCluster(cluster);
    const pods = hosts.map(({ address, port }) => formatAddress({ ip: address, port }));
    return id === undefined ? [] : [[id, pods] as const];
  });
  return new Map(found);
}

/** What Envoys reported by service: what runs under older settings of a service counts as its own. */
export function loadsByService(loads: ReadonlyMap<string, NodeLoad>) {
  return new Map([...loads].map(([nodeId, { at, pods }]) => [nodeId, { at, running: byService(pods) }]));
}

function byService(pods: NodeLoad['pods']): ReadonlyMap<ServiceName, ReadonlyMap<string, number>> {
  const running = new Map<ServiceName, Map<string, number>>();
  for (const [id, counts] of pods) {
    const service = serviceOf(id);
    const sums = running.get(service) ?? new Map<string, number>();
    for (const [pod, count] of counts) sums.set(pod, (sums.get(pod) ?? 0) + count);
    running.set(service, sums);
  }
  return running;
}
