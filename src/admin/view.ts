import type { NodeStatus, ServiceStatus, Status } from '../status/status.ts';

/** A service as the dashboard draws it. */
export type ServiceView = Omit<ServiceStatus, 'traffic' | 'source' | 'pods'> & {
  /** Address, state, requests in progress. */
  readonly pods: readonly (readonly [string, 'ready' | 'draining' | 'ejected', number | null])[];
  readonly lastMinute?: NonNullable<ServiceStatus['traffic']>['lastMinute'];
  readonly source: Omit<ServiceStatus['source'], 'problems'>;
};

/** Everything but the services. */
export type HeadView = Omit<Status, 'services' | 'nodes' | 'at' | 'problems'> & {
  readonly nodes: readonly NodeView[];
  readonly problems: Status['problems'];
  /** Whether a burst can be sent: in the demo. */
  readonly burst: boolean;
};

/** An Envoy in one word, and what it refuses. */
export interface NodeView {
  readonly id: string;
  readonly userAgent: string;
  readonly peer: string;
  readonly connectedSince: string;
  readonly state: 'in sync' | 'pending' | 'nacked';
  /** The types that are not in sync, with Envoy's words. */
  readonly why: readonly string[];
}

/** See `HeadView`. */
export function headView({ services, nodes, at, problems, ...head }: Status, burst: boolean): HeadView {
  return { ...head, nodes: nodes.map(nodeView), problems, burst };
}

/** See `ServiceView`. */
export function serviceView({ traffic, source, pods, ...service }: ServiceStatus): ServiceView {
  const { problems, ...known } = source;
  return {
    ...service,
    pods: pods.map(({ address, state, requestsInProgress }) => [address, state, requestsInProgress ?? null] as const),
    ...(traffic && { lastMinute: traffic.lastMinute }),
    source: known,
  };
}

function nodeView({ id, userAgent, peer, connectedSince, types }: NodeStatus): NodeView {
  const odd = types.filter(({ status }) => status !== 'in sync');
  const state = odd.some(({ status }) => status === 'nacked') ? 'nacked' : odd.length > 0 ? 'pending' : 'in sync';
  const why = odd.map(({ type, status, nack }) => (nack ? `${type}: ${nack.message}` : `${type} is ${status}`));
  return { id, userAgent, peer, connectedSince, state, why };
}
