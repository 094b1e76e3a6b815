import type { LoadObservation } from './envoy/load-reports.ts';
import { formatAddress } from './model/locator.ts';
import type { ServiceName } from './model/service.ts';
import { serviceOfPods } from './translate/names.ts';

/** Requests in progress by service and pod (`formatAddress`), from what an Envoy reported of its clusters. */
export function runningByService(
  observations: readonly LoadObservation[],
): ReadonlyMap<ServiceName, ReadonlyMap<string, number>> {
  const running = new Map<ServiceName, ReadonlyMap<string, number>>();
  for (const { cluster, endpoints } of observations) {
    const service = serviceOfPods(cluster);
    if (service === undefined) continue;
    running.set(
      service,
      new Map(
        endpoints.map(({ address, port, requestsInProgress }) => [
          formatAddress({ ip: address, port }),
          requestsInProgress,
        ]),
      ),
    );
  }
  return running;
}
