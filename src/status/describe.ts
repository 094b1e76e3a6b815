import { assertNever } from '../base/assert-never.ts';
import { formatAddress, type Locator } from '../model/locator.ts';
import type { Model, ServiceWithPods } from '../model/model.ts';
import type { Pod } from '../model/pod.ts';
import type { Problem } from '../model/problem.ts';
import type { Routing } from '../model/routing.ts';
import type { ServiceName } from '../model/service.ts';
import type { SourceState } from '../model/source.ts';
import type { NodeIdentity } from '../snapshot/cache.ts';
import type { Traffic } from '../telemetry/traffic.ts';
import type { ReadinessInput } from './readiness.ts';
import type { NodeStatus, PodStatus, ServiceStatus, Status } from './status.ts';

/** What one Envoy last reported; the shape of the observed load. */
export interface ReportedLoad {
  /** Requests in progress by service and by `formatAddress`; what is not there holds nothing. */
  readonly running: ReadonlyMap<ServiceName, ReadonlyMap<string, number>>;
}

/** A connected client, as the xDS server tells it. Times are milliseconds since the epoch. */
export interface ConnectedNode {
  readonly node: NodeIdentity;
  readonly userAgent: string;
  readonly peer: string;
  readonly connectedSince: number;
  readonly types: readonly {
    readonly typeUrl: string;
    readonly status: 'in sync' | 'pending' | 'nacked';
    readonly ackedVersion: string;
    readonly nack?: { readonly message: string; readonly names: readonly string[]; readonly at: number };
  }[];
}

/** Everything the status is made of. Times are milliseconds since the epoch. */
export interface StatusInput {
  /** Of Sluice. */
  readonly version: string;
  readonly startedAt: number;
  readonly now: number;
  readonly routeFile: { readonly path: string; readonly state: SourceState<Routing> };
  /** What is in force; undefined until there was a first configuration. */
  readonly model: Model | undefined;
  readonly problems: readonly Problem[];
  readonly podsOf: (locator: Locator) => SourceState<readonly Pod[]>;
  /** By node id. */
  readonly loads: ReadonlyMap<string, ReportedLoad>;
  readonly nodes: readonly ConnectedNode[];
  readonly configuration: { readonly version: string; readonly publishedAt: number } | undefined;
  readonly traffic: Pick<Traffic, 'read' | 'line' | 'statistics' | 'oneIn'>;
  /** Where Envoy's statistics are asked; undefined: nobody asks. */
  readonly statisticsFrom: string | undefined;
}

/** Puts together what is true now. Pure: the same inputs make the same status. */
export function describeStatus(input: StatusInput): Status {
  const { version, routeFile, configuration, nodes } = input;
  return {
    version,
    startedAt: moment(input.startedAt),
    at: moment(input.now),
    routeFile: { path: routeFile.path, ...describeSource(routeFile.state) },
    ...(configuration && {
      configuration: { version: configuration.version, publishedAt: moment(configuration.publishedAt) },
    }),
    ...describeStatistics(input),
    ...(input.traffic.oneIn > 1 && { sampledOneIn: input.traffic.oneIn }),
    services: describeServices(input),
    nodes: nodes.map(describeNode).sort((a, b) => (a.id < b.id ? -1 : 1)),
    problems: [...input.problems, ...nodes.flatMap(refusals), ...silence(input)],
  };
}

/** What readiness depends on; the services, of which there may be many, only when they are asked for. */
export function describeForReadiness(
  { routeFile, configuration, nodes }: Pick<StatusInput, 'routeFile' | 'configuration' | 'nodes'>,
  services: ReadinessInput['services'],
): ReadinessInput {
  return {
    routeFile: { path: routeFile.path, state: routeFile.state.kind },
    configured: configuration !== undefined,
    nodes: nodes.map(describeNode),
    services,
  };
}

/** The last part of a type's URL: `type.googleapis.com/envoy.config.cluster.v3.Cluster` is a `Cluster`. */
export function shortType(typeUrl: string): string {
  return typeUrl.slice(Math.max(typeUrl.lastIndexOf('.'), typeUrl.lastIndexOf('/')) + 1);
}

function moment(ms: number): string {
  return new Date(ms).toISOString();
}

function describeSource(state: SourceState<unknown>): Pick<Status['routeFile'], 'state' | 'since' | 'problems'> {
  const { kind, problems } = state;
  return { state: kind, ...(kind === 'stale' && { since: moment(state.since) }), problems };
}

/** Those in force, and those that the route file has beyond them: they wait for their first pods. */
function describeServices(input: StatusInput): readonly ServiceStatus[] {
  const { model, routeFile } = input;
  const inForce = model?.services ?? [];
  const names = new Set(inForce.map(({ service }) => service.name));
  const wanted = routeFile.state.kind === 'pending' ? [] : routeFile.state.value.services;
  const waiting = wanted.filter(({ name }) => !names.has(name));
  return [
    ...inForce.map((service) => describeService(input, service, true)),
    ...waiting.map((service) => describeService(input, { service, pods: [], gate: undefined }, false)),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function describeService(
  input: StatusInput,
  { service, pods, gate }: ServiceWithPods,
  inForce: boolean,
): ServiceStatus {
  const { name, protocol, discipline, locator } = service;
  const described = describePods(name, pods, input.loads);
  const common = {
    protocol,
    inForce,
    pods: described,
    // Nobody's reports, nobody's sum: 0 would claim that the pods are idle.
    ...(input.loads.size > 0 && { requestsInProgress: described.reduce((sum, pod) => sum + held(pod), 0) }),
    ...describeTraffic(input.traffic, name),
    source: { kind: locator.kind, target: targetOf(locator), ...describeSource(input.podsOf(locator)) },
  };
  switch (discipline.kind) {
    case 'limited': {
      const queue = { max: discipline.queue.max, timeoutMs: discipline.queue.timeout };
      const { limit } = discipline;
      const desired = desiredPods(common, limit);
      return { name, kind: 'limited', limit, slots: gate?.slots ?? 0, queue, ...common, ...desired };
    }
    case 'balanced':
      return { name, kind: 'balanced', balance: discipline.balance, maxRequests: discipline.maxRequests, ...common };
    default:
      return assertNever(discipline);
  }
}

function describeTraffic(traffic: StatusInput['traffic'], name: ServiceName) {
  const line = traffic.line(name);
  const reading = traffic.read(name);
  const { oldestWaitMs } = reading ?? {};
  return {
    ...line,
    // Both are a moment old, each another one: where nobody waits, nobody waits for long.
    ...(oldestWaitMs !== undefined && line?.waiting !== 0 && { oldestWaitMs: Math.round(oldestWaitMs) }),
    ...(reading && { traffic: { total: reading.total, lastMinute: reading.lastMinute } }),
  };
}

function desiredPods(held: Pick<ServiceStatus, 'requestsInProgress' | 'waiting'>, limit: number) {
  const { requestsInProgress, waiting } = held;
  if (requestsInProgress === undefined || waiting === undefined) return {};
  return { desiredPods: Math.ceil((requestsInProgress + waiting) / limit) };
}

function describeStatistics({ traffic, statisticsFrom: from }: StatusInput): Pick<Status, 'statistics'> {
  if (from === undefined) return {};
  const state = traffic.statistics();
  return { statistics: { from, state: state.kind, ...(state.kind === 'silent' && { reason: state.reason }) } };
}

/** What is not known, and how it would be. */
function silence({ traffic, statisticsFrom }: StatusInput): readonly Problem[] {
  const state = traffic.statistics();
  if (state.kind !== 'silent' || statisticsFrom === undefined) return [];
  return [
    {
      severity: 'warning',
      subject: `Envoy's admin ${statisticsFrom}`,
      message: `does not answer, so nobody knows how many wait and which pods are ejected: ${state.reason}`,
      fix: 'say with --envoy-admin where it answers',
    },
  ];
}

function describePods(
  name: ServiceName,
  pods: readonly Pod[],
  loads: ReadonlyMap<string, ReportedLoad>,
): readonly PodStatus[] {
  const reports = [...loads.values()].map(({ running }) => running.get(name));
  return pods.map((pod) => {
    const address = formatAddress(pod);
    const { state } = pod;
    if (reports.length === 0) return { address, state };
    return {
      address,
      state,
      requestsInProgress: reports.reduce((sum, report) => sum + (report?.get(address) ?? 0), 0),
    };
  });
}

function held({ requestsInProgress = 0 }: PodStatus): number {
  return requestsInProgress;
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

function describeNode({ node, userAgent, connectedSince, peer, types }: ConnectedNode): NodeStatus {
  return {
    id: node.id,
    cluster: node.cluster,
    userAgent,
    connectedSince: moment(connectedSince),
    peer,
    types: types.map(({ typeUrl, status, ackedVersion, nack }) => ({
      type: shortType(typeUrl),
      status,
      ackedVersion,
      ...(nack && { nack: { message: nack.message, resources: nack.names, at: moment(nack.at) } }),
    })),
  };
}

/** A refusal is somebody's to mend like every other problem. */
function refusals({ node, types }: ConnectedNode): readonly Problem[] {
  return types.flatMap(({ typeUrl, nack }) => {
    if (nack === undefined) return [];
    const what = [shortType(typeUrl), ...nack.names].join(' ');
    return [{ severity: 'error', subject: `Envoy ${node.id}`, message: `refuses ${what}: ${nack.message}` } as const];
  });
}
