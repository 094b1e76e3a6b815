import type { Problem } from '../model/problem.ts';
import { summarizeEnvoys } from '../nodes/summary.ts';
import type { NodeIdentity } from '../snapshot/cache.ts';
import type { MemberReading } from '../telemetry/telemetry.ts';
import { moment } from './describe-source.ts';
import type { NodeStatus } from './status.ts';

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
    readonly ackedSince?: number;
    readonly active?: readonly string[];
    readonly nack?: { readonly message: string; readonly names: readonly string[]; readonly at: number };
  }[];
}

/** What else is known of the clients. */
export interface NodeContext {
  readonly members: readonly MemberReading[];
  /** Whether an Envoy works without the queue filter by its user's choice. */
  readonly isFilterOff: (node: NodeIdentity) => boolean;
}

/** The last part of a type's URL: `type.googleapis.com/envoy.config.cluster.v3.Cluster` is a `Cluster`. */
export function shortType(typeUrl: string): string {
  return typeUrl.slice(Math.max(typeUrl.lastIndexOf('.'), typeUrl.lastIndexOf('/')) + 1);
}

/** The type by which Envoys get the filter. */
const FILTER_TYPE = 'TypedExtensionConfig';
/** Who asks for these carries requests. */
const LISTENER = 'Listener';

/** What a client has of each type. */
export function describeTypes({ types }: Pick<ConnectedNode, 'types'>): NodeStatus['types'] {
  return types.map(({ typeUrl, status, ackedVersion, active, nack }) => ({
    type: shortType(typeUrl),
    status: status === 'nacked' ? ('rejected' as const) : status,
    ackedVersion,
    ...(active && { active }),
    ...(nack && { rejection: { message: nack.message, resources: nack.names, at: moment(nack.at) } }),
  }));
}

/** One connected client and its queue filter. */
export function describeNode(connected: ConnectedNode, context: NodeContext): NodeStatus {
  const { node, userAgent, connectedSince, peer } = connected;
  const types = describeTypes(connected);
  return {
    id: node.id,
    cluster: node.cluster,
    userAgent,
    connectedSince: moment(connectedSince),
    peer,
    types,
    ...(types.some(({ type }) => type === LISTENER) && { filter: describeFilter(node, types, context) }),
  };
}

function describeFilter(
  node: NodeIdentity,
  types: NodeStatus['types'],
  { members, isFilterOff }: NodeContext,
): NonNullable<NodeStatus['filter']> {
  const own = members.filter((member) => member.node === node.id);
  const described = own.map(({ codeVersion, memoryBytes, connectedSince, lostAt }) => ({
    codeVersion,
    memoryBytes,
    connectedSince: moment(connectedSince),
    ...(lostAt !== undefined && { lostAt: moment(lostAt) }),
  }));
  const isRejected = types.some(({ type, status }) => type === FILTER_TYPE && status === 'rejected');
  const isConnected = own.some(({ lostAt }) => lostAt === undefined);
  const without = isRejected ? 'rejected' : 'disconnected';
  return { state: isFilterOff(node) ? 'off' : isConnected ? 'connected' : without, members: described };
}

/** What Envoys rejected, and those without a queue filter; one that does not work is told by the control plane. */
export function nodeProblems(nodes: readonly NodeStatus[]): readonly Problem[] {
  return summarizeEnvoys(nodes.flatMap((node) => [...rejections(node), ...filterProblems(node)]));
}

function rejections({ id, types }: NodeStatus): readonly Problem[] {
  return types.flatMap(({ type, rejection }) => {
    if (rejection === undefined || type === FILTER_TYPE) return [];
    const what = [type, ...rejection.resources].join(' ');
    return [{ severity: 'error', subject: `Envoy ${id}`, message: `rejected ${what}: ${rejection.message}` } as const];
  });
}

function filterProblems({ id, filter }: NodeStatus): readonly Problem[] {
  if (filter?.state !== 'off') return [];
  return [
    {
      severity: 'warning',
      subject: `Envoy ${id}`,
      message:
        'works without the queue filter: Envoy alone holds the limit, each pod has a queue of its own, and nothing is counted here',
      fix: 'use an Envoy with WebAssembly, and no --filter off, to have one queue for all pods',
    },
  ];
}
