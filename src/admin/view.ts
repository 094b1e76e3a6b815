import { troubleOf } from '../status/order.ts';
import type { LimitedStatus, NodeStatus, PodStatus, ServiceStatus, Status } from '../status/status.ts';

/** A pod as the page draws it: address, state, in use, limit, then as far as they are known: why, since, until, name, node. */
export type PodView = readonly [
  address: string,
  state: PodStatus['state'],
  inUse: number | null,
  limit: number | null,
  reason?: string | null,
  since?: number | null,
  until?: number | null,
  name?: string,
  node?: string,
];

/** A service as the page draws it. */
export type ServiceView = Omit<ServiceStatus, 'source' | 'pods'> & {
  readonly pods: readonly PodView[];
  readonly lastMinute?: NonNullable<LimitedStatus['traffic']>['lastMinute'];
  readonly source: Omit<ServiceStatus['source'], 'problems'>;
  /** How much it needs somebody; 0: not at all. */
  readonly trouble: number;
};

/** Everything but the services, their routes and the events. */
export type HeadView = Omit<Status, 'services' | 'nodes' | 'at' | 'problems' | 'routes' | 'events'> & {
  readonly nodes: readonly NodeView[];
  readonly problems: Status['problems'];
  /** Whether a burst can be sent: in the demo. */
  readonly burst: boolean;
};

/** An Envoy in one word, and what it rejected. */
export interface NodeView {
  readonly id: string;
  readonly userAgent: string;
  readonly peer: string;
  readonly connectedSince: string;
  readonly state: 'in sync' | 'pending' | 'rejected';
  /** Absent for clients that carry no requests. */
  readonly filter?: NonNullable<NodeStatus['filter']>['state'];
  /** The types that are not in sync, with Envoy's words. */
  readonly why: readonly string[];
}

/** See `HeadView`. */
export function headView({ services, nodes, at, problems, routes, events, ...head }: Status, burst: boolean): HeadView {
  return { ...head, nodes: nodes.map(nodeView), problems, burst };
}

/** See `ServiceView`. */
export function serviceView(all: ServiceStatus): ServiceView {
  const { source, pods, ...service } = all;
  const { problems, ...known } = source;
  const common = { pods: pods.map(podView), source: known, trouble: troubleOf(all) };
  if (service.kind === 'balanced') return { ...service, ...common };
  const { traffic, ...limited } = service;
  return { ...limited, ...common, ...(traffic && { lastMinute: traffic.lastMinute }) };
}

function podView(pod: PodStatus): PodView {
  const { address, state, inUse, limit, since, ejectedUntil, drained, name, node } = pod;
  const short = [address, state, inUse ?? null, limit ?? null] as const;
  const reason = drained === undefined ? (pod.reason ?? null) : `drained by ${drained.by}`;
  const from = drained?.at ?? since;
  if (from === undefined && name === undefined) return short;
  const until = ejectedUntil === undefined ? null : Date.parse(ejectedUntil);
  const long = [...short, reason, from === undefined ? null : Date.parse(from), until] as const;
  return name === undefined ? long : [...long, name, node ?? ''];
}

function nodeView({ id, userAgent, peer, connectedSince, types, filter }: NodeStatus): NodeView {
  const odd = types.filter(({ status }) => status !== 'in sync');
  const state = odd.some(({ status }) => status === 'rejected') ? 'rejected' : odd.length > 0 ? 'pending' : 'in sync';
  const why = odd.map(({ type, status, rejection }) =>
    rejection ? `${type}: ${rejection.message}` : `${type} is ${status}`,
  );
  return { id, userAgent, peer, connectedSince, state, ...(filter && { filter: filter.state }), why };
}
