import { exposition, type Family, label, series } from './exposition.ts';
import { QUEUE_GAUGES } from './queue-gauges.ts';
import type { PodStatus, ServiceStatus, Status } from './status.ts';

/** A value and its labels beside the service; undefined: not known, and so no series. */
export type Value = readonly [labels: readonly string[], value: number | undefined];

/** A gauge, a counter, or quantiles, with series per service. */
export interface ServiceGauge {
  readonly name: string;
  /** Gauge when left out. */
  readonly type?: 'gauge' | 'counter' | 'summary';
  readonly help: string;
  /** `at`: when the status was made, in milliseconds since the epoch. */
  readonly read: (service: ServiceStatus, at: number) => readonly Value[];
}

const POD_STATES = [
  'ready',
  'draining',
  'ejected',
  'trying',
  'unhealthy',
] as const satisfies readonly PodStatus['state'][];

const SERVICE_GAUGES: readonly ServiceGauge[] = [
  ...QUEUE_GAUGES,
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
    name: 'sluice_pods',
    help: 'Pods of a service: ready, draining (finish what they have), ejected (for how they answer), trying (one request after an ejection), unhealthy (their health check fails).',
    read: ({ pods }) =>
      POD_STATES.map((state) => [[label('state', state)], pods.filter((pod) => pod.state === state).length]),
  },
  {
    name: 'sluice_pod_slots_in_use',
    help: 'Requests that a pod has now; absent while no queue filter reports.',
    read: ({ pods }) => pods.map(({ address, inUse }) => [[label('pod', address)], inUse]),
  },
];

/** The metrics that are read from the status, in Prometheus' text format. Pure: what is gone has no series. */
export function gauges(status: Status): string {
  const { at, routeFile, services, nodes, problems, sharing, follows } = status;
  const count = (severity: 'error' | 'warning') => problems.filter((problem) => problem.severity === severity).length;
  return exposition([
    plain(
      'sluice_route_file_valid',
      'Whether the route file as it is now is in use (1), or an earlier version of it is kept (0).',
      routeFile.state === 'ready' ? 1 : 0,
    ),
    plain('sluice_xds_connected_nodes', 'Envoys that are connected.', nodes.length),
    {
      name: 'sluice_members',
      type: 'gauge',
      help: 'Queue filters that share slots: connected, joining (have not said yet what they hold), away (may hold slots). None: one Envoy has all slots.',
      lines: (['connected', 'joining', 'away'] as const).flatMap((state) => {
        const count = sharing?.members.filter((member) => member.state === state).length;
        return count === undefined ? [] : [series('sluice_members', label('state', state), count)];
      }),
    },
    {
      name: 'sluice_coordinator_term',
      type: 'gauge',
      help: 'Of a Sluice that coordinates the slots that Envoys share: its term, which grows with each coordinator. None: it does not.',
      lines: sharing === undefined ? [] : [series('sluice_coordinator_term', '', sharing.term)],
    },
    {
      name: 'sluice_coordinator_connected',
      type: 'gauge',
      help: 'Of a Sluice that follows another one: whether that is reached, and coordinates the slots of all filters that are connected here (1), or not (0).',
      lines:
        follows === undefined ? [] : [series('sluice_coordinator_connected', '', follows.state === 'away' ? 0 : 1)],
    },
    {
      name: 'sluice_problems',
      type: 'gauge',
      help: 'Problems that somebody has to solve; /status lists them.',
      lines: (['error', 'warning'] as const).map((severity) =>
        series('sluice_problems', label('severity', severity), count(severity)),
      ),
    },
    ...filterGauges(status),
    ...SERVICE_GAUGES.map((gauge) => perService(gauge, services, Date.parse(at))),
  ]);
}

/** Of each Envoy that is connected. */
function filterGauges({ nodes }: Status): readonly Family[] {
  const own = nodes.flatMap(({ id, filter }) => (filter === undefined ? [] : [[label('node', id), filter] as const]));
  return [
    {
      name: 'sluice_filter_connected',
      type: 'gauge',
      help: 'Whether the queue filter of an Envoy is connected to Sluice (1) or not (0).',
      lines: own.map(([node, { state }]) => series('sluice_filter_connected', node, state === 'connected' ? 1 : 0)),
    },
    {
      name: 'sluice_filter_memory_bytes',
      type: 'gauge',
      help: 'Memory of the queue filter of an Envoy, over its workers.',
      lines: own.flatMap(([node, { members }]) =>
        members.length === 0
          ? []
          : [
              series(
                'sluice_filter_memory_bytes',
                node,
                members.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
              ),
            ],
      ),
    },
  ];
}

function plain(name: string, help: string, value: number): Family {
  return { name, type: 'gauge', help, lines: [series(name, '', value)] };
}

function perService(
  { name, type = 'gauge', help, read }: ServiceGauge,
  services: readonly ServiceStatus[],
  at: number,
): Family {
  const lines = services.flatMap((service) => {
    const labels = label('service', service.name);
    return read(service, at).flatMap(([more, value]) =>
      value === undefined ? [] : [series(name, [labels, ...more].join(','), value)],
    );
  });
  return { name, type, help, lines };
}
