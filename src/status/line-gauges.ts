import type { ServiceGauge } from './gauges.ts';
import type { ServiceStatus } from './status.ts';

/** Gauges of the lines. */
export const LINE_GAUGES: readonly ServiceGauge[] = [
  gauge('sluice_requests_waiting', 'Requests that wait in the line of a service.', ({ waiting }) => waiting),
  gauge(
    'sluice_oldest_wait_seconds',
    'How long the first in the line of a service has waited; 0: nobody has for a second.',
    oldestWait,
  ),
  gauge(
    'sluice_requests_in_progress',
    'Requests that are at the pods of a service.',
    ({ requestsInProgress }) => requestsInProgress,
  ),
  gauge(
    'sluice_pods_ejected',
    'Pods of a service that get no requests for a while because of how they answer.',
    ({ ejected }) => ejected,
  ),
  gauge('sluice_pod_limit', 'Requests that one pod of a service may hold at a time.', (service) =>
    service.kind === 'limited' ? service.limit : undefined,
  ),
  gauge(
    'sluice_desired_pods',
    'Pods that all who work and wait now would fill: (in progress + waiting) / limit.',
    (service) => (service.kind === 'limited' ? service.desiredPods : undefined),
  ),
];

function gauge(name: string, help: string, read: (service: ServiceStatus) => number | undefined): ServiceGauge {
  return { name, help, read: (service) => [[[], read(service)]] };
}

function oldestWait({ oldestWaitMs, waiting, traffic }: ServiceStatus): number | undefined {
  if (oldestWaitMs !== undefined) return oldestWaitMs / 1000;
  return waiting === 0 || traffic !== undefined ? 0 : undefined;
}
