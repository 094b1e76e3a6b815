import { exposition, type Family, label, series } from './exposition.ts';
import { LINE_GAUGES } from './line-gauges.ts';
import type { ServiceStatus, Status } from './status.ts';

/** A value and its labels beside the service; undefined: not known, and so no series. */
export type Value = readonly [labels: readonly string[], value: number | undefined];

/** A gauge with series per service. */
export interface ServiceGauge {
  readonly name: string;
  readonly help: string;
  /** `at`: when the status was made, in milliseconds since the epoch. */
  readonly read: (service: ServiceStatus, at: number) => readonly Value[];
}

const SERVICE_GAUGES: readonly ServiceGauge[] = [
  ...LINE_GAUGES,
  {
    name: 'sluice_service_source_stale_seconds',
    help: 'For how long what is known of the pods of a service may have been out of date; 0: it is up to date.',
    read: ({ source: { kind, state, since } }, at) => {
      const seconds = since === undefined ? 0 : (at - Date.parse(since)) / 1000;
      return [[[label('source', kind)], state === 'pending' ? undefined : seconds]];
    },
  },
  {
    name: 'sluice_service_source_up',
    help: 'Whether what is known of the pods of a service is up to date (1), or old or unknown (0).',
    read: ({ source: { kind, state } }) => [[[label('source', kind)], state === 'ready' ? 1 : 0]],
  },
  {
    name: 'sluice_slots',
    help: 'Requests that may be at all pods of a service together.',
    read: (service) => [[[], service.kind === 'limited' ? service.slots : undefined]],
  },
  {
    name: 'sluice_pods',
    help: 'Pods of a service, by whether they get new requests (ready), only finish those they have (draining), or are left out for a while (ejected).',
    read: ({ pods }) =>
      (['ready', 'draining', 'ejected'] as const).map((state) => [
        [label('state', state)],
        pods.filter((pod) => pod.state === state).length,
      ]),
  },
  {
    name: 'sluice_pod_requests_in_progress',
    help: 'Requests a pod works on, as Envoy last reported; absent while no Envoy reports.',
    read: ({ pods }) => pods.map(({ address, requestsInProgress }) => [[label('pod', address)], requestsInProgress]),
  },
];

/** The metrics that are read from the status, in Prometheus' text format. Pure: what is gone has no series. */
export function gauges(status: Status): string {
  const { at, routeFile, services, nodes, problems, sampledOneIn = 1 } = status;
  const count = (severity: 'error' | 'warning') => problems.filter((problem) => problem.severity === severity).length;
  return exposition([
    plain(
      'sluice_route_file_valid',
      'Whether the route file as it is now is in use (1), or an earlier version of it is kept (0).',
      routeFile.state === 'ready' ? 1 : 0,
    ),
    plain(
      'sluice_requests_sampled_ratio',
      'Share of the requests answered with a status below 500, or refused, that are counted; below 1 they stand for the others too.',
      1 / sampledOneIn,
    ),
    plain('sluice_xds_connected_nodes', 'Envoys that are connected.', nodes.length),
    {
      name: 'sluice_problems',
      type: 'gauge',
      help: 'Problems that somebody has to mend; /status lists them.',
      lines: (['error', 'warning'] as const).map((severity) =>
        series('sluice_problems', label('severity', severity), count(severity)),
      ),
    },
    ...SERVICE_GAUGES.map((gauge) => perService(gauge, services, Date.parse(at))),
  ]);
}

function plain(name: string, help: string, value: number): Family {
  return { name, type: 'gauge', help, lines: [series(name, '', value)] };
}

function perService({ name, help, read }: ServiceGauge, services: readonly ServiceStatus[], at: number): Family {
  const lines = services.flatMap((service) => {
    const labels = label('service', service.name);
    return read(service, at).flatMap(([more, value]) =>
      value === undefined ? [] : [series(name, [labels, ...more].join(','), value)],
    );
  });
  return { name, type: 'gauge', help, lines };
}
