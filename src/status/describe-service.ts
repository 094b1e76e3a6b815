import { assertNever } from '../base/assert-never.ts';
import { formatAddress, type Locator } from '../model/locator.ts';
import type { ServiceWithPods } from '../model/model.ts';
import type { Order, Overrides } from '../model/overrides.ts';
import type { Pod } from '../model/pod.ts';
import type { Service } from '../model/service.ts';
import type { SourceState } from '../model/source.ts';
import type { SharingState } from '../slots/sharing.ts';
import type { PodReading } from '../telemetry/member-state.ts';
import type { ServiceNow, Telemetry } from '../telemetry/telemetry.ts';
import { describeShared } from './describe-sharing.ts';
import { describeSource, moment } from './describe-source.ts';
import type { LimitedStatus, PodStatus, ServiceStatus } from './status.ts';

/** What a service's description is made of. Times are milliseconds since the epoch. */
export interface ServiceInput {
  readonly now: number;
  readonly telemetry: Pick<Telemetry, 'now' | 'traffic' | 'classTotals' | 'mostWanted'>;
  readonly podsOf: (locator: Locator) => SourceState<readonly Pod[]>;
  readonly overrides: Overrides;
  readonly sharing: SharingState;
}

/** One service and its pods, as its source and the queue filters tell of them. `active`: Envoy has been told of it. */
export function describeService(
  { now, telemetry, podsOf, overrides, sharing }: ServiceInput,
  { service, pods }: Pick<ServiceWithPods, 'service' | 'pods'>,
  active: boolean,
): ServiceStatus {
  const { name, protocol, discipline, locator } = service;
  const source = { kind: locator.kind, target: targetOf(locator), ...describeSource(podsOf(locator)) };
  switch (discipline.kind) {
    case 'limited': {
      const { limit } = discipline;
      const queue = { max: discipline.queue.max, timeoutMs: discipline.queue.timeout };
      const has = telemetry.now(name);
      const described = describePods(pods, { limit, has, overrides });
      const paused = overrides.paused.get(name);
      const slots = paused ? 0 : described.reduce((sum, pod) => sum + slotsOf(pod), 0);
      const most = telemetry.mostWanted(name, service.scaleDownAfter ?? 0);
      const numbers = describeNumbers(has, { limit, most, now });
      const traffic = telemetry.traffic(name);
      const shared = describeShared(sharing, name);
      const seen = { ...numbers, ...(has && traffic && { traffic }) };
      return {
        name,
        kind: 'limited',
        protocol,
        active,
        ...(paused && { paused: describeOrder(paused) }),
        limit,
        slots,
        ...(shared && { shared }),
        queue,
        ...describeClasses(service, has, telemetry),
        ...(discipline.queue.fair && has && { tenants: { busy: has.busyTenants, most: has.tenants } }),
        pods: described,
        ...seen,
        source,
      };
    }
    case 'balanced': {
      const { balance, maxRequests } = discipline;
      const described = pods.map((pod) => ({ ...namesOf(pod), state: pod.state }));
      return { name, kind: 'balanced', protocol, active, balance, maxRequests, pods: described, source };
    }
    default:
      return assertNever(discipline);
  }
}

/** How many slots a service has now, as its description says; undefined: it has no limit. Made every few seconds, for all services. */
export function slotsNow(
  { telemetry, overrides }: Pick<ServiceInput, 'overrides'> & { readonly telemetry: Pick<Telemetry, 'podsOf'> },
  { service: { name, discipline }, pods }: Pick<ServiceWithPods, 'service' | 'pods'>,
): number | undefined {
  if (discipline.kind !== 'limited') return undefined;
  if (overrides.paused.has(name)) return 0;
  const readings = telemetry.podsOf(name);
  return pods.reduce((sum, pod) => {
    const address = formatAddress(pod);
    return sum + slotsOf(stateOf(pod, readings.get(address), { limit: discipline.limit, address, overrides }));
  }, 0);
}

/** Its classes, and who waits in them. */
function describeClasses(
  { name, discipline }: Service,
  has: ServiceNow | undefined,
  telemetry: Pick<Telemetry, 'classTotals'>,
): { readonly classes?: NonNullable<LimitedStatus['classes']> } {
  if (discipline.kind !== 'limited' || discipline.queue.priority === undefined) return {};
  const classes = discipline.queue.priority.classes.map((one) => {
    const { started = 0, waitMs = 0 } = telemetry.classTotals(name, one.name) ?? {};
    return {
      name: one.name,
      ...(has && { waiting: has.classes.get(one.name) ?? 0, started, waitedMs: waitMs }),
    };
  });
  return { classes };
}

function describeOrder({ by, at }: Order): NonNullable<PodStatus['drained']> {
  return { by, at: moment(at) };
}

/** `most`: the most requests that it had in the time that pods are kept for them. */
function describeNumbers(
  has: ServiceNow | undefined,
  { limit, most, now }: { readonly limit: number; readonly most: number; readonly now: number },
) {
  if (has === undefined) return {};
  const { inUse, waiting, oldestSince, expectedWaitMs, coming, jobs, oldSince } = has;
  return {
    inUse,
    waiting,
    // Another machine's clock may be ahead.
    ...(oldestSince !== undefined && { oldestWaitMs: Math.max(0, Math.round(now - oldestSince)) }),
    ...(expectedWaitMs !== undefined && { expectedWaitMs }),
    ...(coming > 0 && { coming }),
    ...(jobs > 0 && { jobs }),
    desiredPods: Math.ceil(Math.max(inUse + waiting, most) / limit),
    ...(oldSince !== undefined && { oldSince: moment(oldSince) }),
  };
}

/** Those of the source, and those that are no longer there but have requests to finish. */
function describePods(
  pods: readonly Pod[],
  { limit, has, overrides }: { limit: number; has: ServiceNow | undefined; overrides: Overrides },
): readonly PodStatus[] {
  const known = pods.map((pod) => {
    const address = formatAddress(pod);
    const reading = has?.pods.get(address);
    const drained = overrides.drained.get(address);
    return {
      ...namesOf(pod),
      ...stateOf(pod, reading, { limit, address, overrides }),
      ...(has && { inUse: reading?.inUse ?? 0 }),
      ...odd(reading),
      ...(drained && { drained: describeOrder(drained) }),
    };
  });
  const there = new Set(known.map(({ address }) => address));
  const leaving = [...(has?.pods ?? [])]
    .filter(([address]) => !there.has(address))
    .map(([address, reading]) => {
      const { inUse, limit } = reading;
      return { address, state: 'draining' as const, limit, inUse, ...odd({ ...reading, state: 'draining' }) };
    })
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  return [...known, ...leaving];
}

function stateOf(
  pod: Pod,
  reading: PodReading | undefined,
  { limit, address, overrides }: { readonly limit: number; readonly address: string; readonly overrides: Overrides },
): Pick<PodStatus, 'state'> & { readonly limit: number } {
  const isDraining = pod.state === 'draining' || overrides.drained.has(address);
  return {
    state: isDraining ? 'draining' : (reading?.state ?? 'ready'),
    // That of an idle pod is 0 for now.
    limit: reading?.limit || (pod.limit ?? limit),
  };
}

/** Its address, and what people call it. */
function namesOf(pod: Pod): Pick<PodStatus, 'address' | 'name' | 'node'> {
  const { name, node } = pod;
  return { address: formatAddress(pod), ...(name && { name }), ...(node && { node }) };
}

/** What is told of a pod that is not just ready. */
function odd(reading: PodReading | undefined) {
  if (reading === undefined || reading.state === 'ready') return {};
  const { state, since, reason, ejectedUntil } = reading;
  return {
    since: moment(since),
    ...(reason !== 'none' && (state === 'ejected' || state === 'trying') && { reason }),
    ...(ejectedUntil !== undefined && { ejectedUntil: moment(ejectedUntil) }),
  };
}

/** Requests that a pod may be given now. */
function slotsOf({ state, limit = 0 }: Pick<PodStatus, 'state' | 'limit'>): number {
  switch (state) {
    case 'ready':
      return limit;
    case 'trying':
      return Math.min(1, limit);
    case 'draining':
    case 'ejected':
    case 'unhealthy':
      return 0;
    default:
      return assertNever(state);
  }
}

function targetOf(locator: Locator): string {
  switch (locator.kind) {
    case 'kubernetes': {
      const { namespace, service, port } = locator;
      return `${namespace === undefined ? '' : `${namespace}/`}${service}:${port.port}`;
    }
    case 'dns':
      return `${locator.host}:${locator.port}`;
    case 'static':
      return `${locator.addresses.length} ${locator.addresses.length === 1 ? 'address' : 'addresses'}`;
    default:
      return assertNever(locator);
  }
}
