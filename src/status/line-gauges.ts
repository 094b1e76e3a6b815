import { Gauge, type Registry } from 'prom-client';
import type { ServiceStatus } from './status.ts';

type PerService = Gauge<'service'>;

/** Gauges of the lines, read from the status when somebody asks for them. What is not known has no series. */
export class LineGauges {
  readonly #gauges: readonly (readonly [PerService, (service: ServiceStatus) => number | undefined])[];

  constructor(registry: Registry) {
    const gauge = (name: string, help: string): PerService =>
      new Gauge({ name, help, labelNames: ['service'], registers: [registry] });
    this.#gauges = [
      [gauge('sluice_requests_waiting', 'Requests that wait in the line of a service.'), ({ waiting }) => waiting],
      [
        gauge('sluice_oldest_wait_seconds', 'How long the first in the line of a service has waited; 0: nobody waits.'),
        oldestWait,
      ],
      [
        gauge('sluice_requests_in_progress', 'Requests that are at the pods of a service.'),
        ({ requestsInProgress }) => requestsInProgress,
      ],
      [
        gauge('sluice_pods_ejected', 'Pods of a service that get no requests for a while because of how they answer.'),
        ({ ejected }) => ejected,
      ],
      [
        gauge('sluice_pod_limit', 'Requests that one pod of a service may hold at a time.'),
        (service) => (service.kind === 'limited' ? service.limit : undefined),
      ],
      [
        gauge(
          'sluice_desired_pods',
          'Pods that all who work and wait now would fill: (in progress + waiting) / limit.',
        ),
        (service) => (service.kind === 'limited' ? service.desiredPods : undefined),
      ],
    ];
  }

  /** Takes over these services; others are gone from the metrics. */
  collect(services: readonly ServiceStatus[]): void {
    for (const [gauge, read] of this.#gauges) {
      gauge.reset();
      for (const status of services) {
        const value = read(status);
        if (value !== undefined) gauge.set({ service: status.name }, value);
      }
    }
  }
}

function oldestWait({ oldestWaitMs, waiting }: ServiceStatus): number | undefined {
  if (oldestWaitMs !== undefined) return oldestWaitMs / 1000;
  return waiting === 0 ? 0 : undefined;
}
