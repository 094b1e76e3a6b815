import type { Locator } from '../model/locator.ts';
import type { Model } from '../model/model.ts';
import type { Overrides } from '../model/overrides.ts';
import type { Pod } from '../model/pod.ts';
import type { Problem } from '../model/problem.ts';
import type { Routing } from '../model/routing.ts';
import type { SourceState } from '../model/source.ts';
import type { SharingState } from '../slots/sharing.ts';
import type { NodeIdentity } from '../snapshot/cache.ts';
import type { RecentEvent } from '../telemetry/events.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type ConnectedNode, describeNode, nodeProblems } from './describe-node.ts';
import { describeRouting } from './describe-routes.ts';
import { describeService, slotsNow } from './describe-service.ts';
import { describeFollows, describeSharing } from './describe-sharing.ts';
import { describeSource, moment } from './describe-source.ts';
import type { ReadinessInput } from './readiness.ts';
import type { EventStatus, ServiceStatus, Status } from './status.ts';

/** Everything the status is made of. Times are milliseconds since the epoch. */
export interface StatusInput {
  /** Of Sluice. */
  readonly version: string;
  readonly startedAt: number;
  readonly now: number;
  readonly routeFile: { readonly path: string; readonly state: SourceState<Routing> };
  /** What is active; undefined until there was a first configuration. */
  readonly model: Model | undefined;
  readonly problems: readonly Problem[];
  readonly podsOf: (locator: Locator) => SourceState<readonly Pod[]>;
  /** What operators have ordered. */
  readonly overrides: Overrides;
  readonly nodes: readonly ConnectedNode[];
  readonly configuration: { readonly version: string; readonly publishedAt: number } | undefined;
  readonly telemetry: Pick<Telemetry, 'now' | 'traffic' | 'classTotals' | 'mostWanted' | 'members' | 'events'>;
  /** How Envoys share slots. */
  readonly sharing: SharingState;
  /** Whether an Envoy works without the queue filter by its user's choice. */
  readonly isFilterOff: (node: NodeIdentity) => boolean;
}

/** More events than these are only in the log. */
const MOST_EVENTS = 100;

/** Puts together what is true now. Pure: the same inputs make the same status. */
export function describeStatus(input: StatusInput): Status {
  const { version, routeFile, configuration, telemetry, now, model } = input;
  const context = { members: telemetry.members(), isFilterOff: input.isFilterOff };
  const sharing = describeSharing(input.sharing);
  const follows = describeFollows(input.sharing);
  const nodes = input.nodes.map((node) => describeNode(node, context)).sort((a, b) => (a.id < b.id ? -1 : 1));
  return {
    version,
    startedAt: moment(input.startedAt),
    at: moment(now),
    routeFile: { path: routeFile.path, ...describeSource(routeFile.state) },
    ...(configuration && {
      configuration: { version: configuration.version, publishedAt: moment(configuration.publishedAt) },
    }),
    ...describeRouting(model?.routing),
    services: describeServices(input),
    orders: describeOrders(input.overrides),
    nodes,
    ...(sharing && { sharing }),
    ...(follows && { follows }),
    problems: [...input.problems, ...nodeProblems(nodes)],
    events: telemetry.events(MOST_EVENTS).map(describeEvent),
  };
}

/** What readiness depends on; the services, of which there may be many, only when they are asked for. */
export function describeForReadiness(
  {
    routeFile,
    configuration,
    nodes,
    isFilterOff,
    sharing,
  }: Pick<StatusInput, 'routeFile' | 'configuration' | 'nodes' | 'isFilterOff' | 'sharing'>,
  services: ReadinessInput['services'],
): ReadinessInput {
  return {
    routeFile: { path: routeFile.path, state: routeFile.state.kind },
    configured: configuration !== undefined,
    nodes: nodes.map((node) => describeNode(node, { members: [], isFilterOff })),
    takesPart: sharing.takesPart,
    services,
  };
}

function describeServices(input: StatusInput): readonly ServiceStatus[] {
  const { active, pending } = servicesOf(input);
  return [
    ...active.map((service) => describeService(input, service, true)),
    ...pending.map((service) => describeService(input, service, false)),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** How many slots each service of the status has; undefined: it has no limit. */
export function describeSlots(
  input: Pick<StatusInput, 'model' | 'routeFile' | 'overrides'> & { readonly telemetry: Pick<Telemetry, 'podsOf'> },
): ReadonlyMap<string, number | undefined> {
  const { active, pending } = servicesOf(input);
  return new Map([...active, ...pending].map((one) => [one.service.name, slotsNow(input, one)]));
}

/** The active ones, and those that the route file has beyond them: they wait for their first pods. */
function servicesOf({ model, routeFile }: Pick<StatusInput, 'model' | 'routeFile'>) {
  const active = model?.services ?? [];
  const names = new Set(active.map(({ service }) => service.name));
  const wanted = routeFile.state.kind === 'pending' ? [] : routeFile.state.value.services;
  const pending = wanted.filter(({ name }) => !names.has(name)).map((service) => ({ service, pods: [] }));
  return { active, pending };
}

function describeOrders({ paused, drained }: Overrides): Status['orders'] {
  return [
    ...[...paused].map(([service, { by, at }]) => ({ kind: 'paused' as const, service, by, at: moment(at) })),
    ...[...drained].map(([pod, { by, at }]) => ({ kind: 'drained' as const, pod, by, at: moment(at) })),
  ];
}

function describeEvent({ at, ...event }: RecentEvent): EventStatus {
  return { at: moment(at), ...event };
}
