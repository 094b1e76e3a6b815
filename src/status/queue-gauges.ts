import { label } from './exposition.ts';
import type { ServiceGauge, Value } from './gauges.ts';
import type { LimitedStatus } from './status.ts';

/** Gauges of the services with a limit. */
export const QUEUE_GAUGES: readonly ServiceGauge[] = [
  gauge('sluice_requests_waiting', 'Requests that wait in the queue of a service.', ({ waiting }) => waiting),
  gauge(
    'sluice_requests_waiting_peak',
    'The most requests that waited at a time in the last minute.',
    ({ traffic, waiting }) => traffic?.lastMinute.mostWaiting ?? waiting,
  ),
  gauge(
    'sluice_oldest_wait_seconds',
    'How long the oldest waiting request of a service has waited; 0: none waits.',
    ({ oldestWaitMs, waiting }) => (waiting === undefined ? undefined : (oldestWaitMs ?? 0) / 1000),
  ),
  gauge(
    'sluice_expected_wait_seconds',
    'How long a request of a service that came now would wait, by the usual work; 0: not at all, or that is not known.',
    ({ expectedWaitMs, waiting }) => (waiting === undefined ? undefined : (expectedWaitMs ?? 0) / 1000),
  ),
  gauge(
    'sluice_requests_coming',
    'Requests that have not joined the queue, because their bodies are on their way (queue.wait_for_body).',
    ({ coming, waiting }) => (waiting === undefined ? undefined : (coming ?? 0)),
  ),
  gauge(
    'sluice_jobs',
    'Jobs that go on without their requests (async); they are among the slots in use.',
    ({ jobs, waiting }) => (waiting === undefined ? undefined : (jobs ?? 0)),
  ),
  ofClass(
    'sluice_class_requests_waiting',
    'Requests of a class (queue.priority) that wait in the queue of a service.',
    ({ waiting }) => waiting,
    'gauge',
  ),
  ofClass(
    'sluice_class_requests_started_total',
    'Requests of a class (queue.priority) that got a slot.',
    ({ started }) => started,
  ),
  ofClass(
    'sluice_class_wait_seconds_total',
    'How long the requests of a class (queue.priority) that got a slot had waited, in all.',
    ({ waitedMs }) => (waitedMs === undefined ? undefined : waitedMs / 1000),
  ),
  gauge(
    'sluice_tenants_busy',
    'Tenants (queue.fair) of a service that have a request waiting or a slot in use.',
    ({ tenants }) => tenants?.busy,
  ),
  ofTenant(
    'sluice_tenant_requests_waiting',
    'Requests of a tenant (queue.fair) that wait; of the 10 tenants that have most.',
    ({ waiting }) => waiting,
  ),
  ofTenant(
    'sluice_tenant_slots_in_use',
    'Slots that a tenant (queue.fair) has; of the 10 tenants that have most.',
    ({ inUse }) => inUse,
  ),
  gauge('sluice_slots', 'Requests that may be at all pods of a service together.', ({ slots }) => slots),
  gauge(
    'sluice_slots_missing',
    'Slots that nobody can use: the Envoy that holds them is away, or it is not known yet who holds them.',
    ({ shared }) => ownShare(shared)?.missing,
  ),
  {
    name: 'sluice_slots_held',
    help: 'Slots of a service that an Envoy holds, while several share them.',
    read: (service) =>
      service.kind === 'limited'
        ? (ownShare(service.shared)?.held ?? []).map(({ node, slots }) => [[label('node', node)], slots])
        : [],
  },
  gauge('sluice_slots_in_use', 'Requests that are at the pods of a service.', ({ inUse }) => inUse),
  gauge(
    'sluice_slots_in_use_peak',
    'The most requests that were at the pods of a service at a time in the last minute.',
    ({ traffic, inUse }) => traffic?.lastMinute.mostInUse ?? inUse,
  ),
  gauge('sluice_pod_limit', 'Requests that one pod of a service may have at a time.', ({ limit }) => limit),
  gauge(
    'sluice_desired_pods',
    'Pods that all requests that wait and are in use now would fill: (in use + waiting) / limit, rounded up; the most of the last scale.down_after.',
    ({ desiredPods }) => desiredPods,
  ),
  quantiles('wait', 'From arrival to slot'),
  quantiles('work', 'From slot to last byte'),
];

/** What another Sluice coordinates is among the numbers of that one. */
function ownShare(shared: LimitedStatus['shared']): LimitedStatus['shared'] {
  return shared?.isTold === true ? undefined : shared;
}

function gauge(name: string, help: string, read: (service: LimitedStatus) => number | undefined): ServiceGauge {
  return { name, help, read: (service) => (service.kind === 'limited' ? [[[], read(service)]] : []) };
}

type ClassStatus = NonNullable<LimitedStatus['classes']>[number];

function ofClass(
  name: string,
  help: string,
  read: (one: ClassStatus) => number | undefined,
  type: 'counter' | 'gauge' = 'counter',
): ServiceGauge {
  return {
    name,
    type,
    help,
    read: (service) =>
      service.kind === 'limited' ? (service.classes ?? []).map((one) => [[label('class', one.name)], read(one)]) : [],
  };
}

type TenantStatus = NonNullable<LimitedStatus['tenants']>['most'][number];

function ofTenant(name: string, help: string, read: (one: TenantStatus) => number): ServiceGauge {
  return {
    name,
    help,
    read: (service) =>
      service.kind === 'limited'
        ? (service.tenants?.most ?? []).map((one) => [[label('tenant', one.name)], read(one)])
        : [],
  };
}

/** The same numbers as in `sluice status`. */
function quantiles(what: 'wait' | 'work', help: string): ServiceGauge {
  return {
    name: `sluice_${what}_last_minute_seconds`,
    type: 'summary',
    help: `${help}, quantiles of the last minute as in the status; absent: there was no request.`,
    read: (service): readonly Value[] => {
      const of = service.kind === 'limited' ? service.traffic?.lastMinute[`${what}Ms`] : undefined;
      if (of === undefined) return [];
      return [
        [[label('quantile', '0.5')], of.p50 / 1000],
        [[label('quantile', '0.99')], of.p99 / 1000],
      ];
    },
  };
}
