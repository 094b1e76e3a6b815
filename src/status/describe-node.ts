import type { Problem } from '../model/problem.ts';
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
    readonly active?: readonly string[];
    readonly nack?: { readonly message: string; readonly names: readonly string[]; readonly at: number };
  }[];
}

/** What else is known of the clients. */
export interface NodeContext {
  readonly now: number;
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
/** An Envoy that has just come opens its filter's stream within this time, in milliseconds. */
const START_MS = 5000;

/** One connected client and its queue filter. */
export function describeNode(connected: ConnectedNode, context: NodeContext): NodeStatus {
  const { node, userAgent, connectedSince, peer } = connected;
  const types = connected.types.map(({ typeUrl, status, ackedVersion, active, nack }) => ({
    type: shortType(typeUrl),
    status: status === 'nacked' ? ('rejected' as const) : status,
    ackedVersion,
    ...(active && { active }),
    ...(nack && { rejection: { message: nack.message, resources: nack.names, at: moment(nack.at) } }),
  }));
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

/** What somebody should do about a client: what it rejected, and a queue filter that does not report. */
export function nodeProblems(nodes: readonly NodeStatus[], now: number): readonly Problem[] {
  return nodes.flatMap((node) => [...rejections(node), ...filterProblems(node, now)]);
}

function rejections({ id, types }: NodeStatus): readonly Problem[] {
  return types.flatMap(({ type, rejection }) => {
    if (rejection === undefined) return [];
    const what = [type, ...rejection.resources].join(' ');
    return [{ severity: 'error', subject: `Envoy ${id}`, message: `rejected ${what}: ${rejection.message}` } as const];
  });
}

function filterProblems({ id, filter, connectedSince, types }: NodeStatus, now: number): readonly Problem[] {
  const subject = `Envoy ${id}`;
  // What Envoy rejected is told with its words, and the rest follows from it.
  if (types.some(({ status }) => status === 'rejected')) return [];
  switch (filter?.state) {
    case 'off':
      return [
        {
          severity: 'warning',
          subject,
          message:
            'works without the queue filter: Envoy alone holds the limit, each pod has a queue of its own, and nothing is counted here',
          fix: 'use an Envoy with WebAssembly to have one queue for all pods',
        },
      ];
    case 'disconnected': {
      const lost = filter.members.flatMap(({ lostAt }) => (lostAt === undefined ? [] : [Date.parse(lostAt)]));
      const since = Math.max(Date.parse(connectedSince), ...lost);
      if (now - since < START_MS) return [];
      return [
        {
          severity: 'error',
          subject,
          message: `its queue filter has not been connected since ${moment(since)}: it gets no changes of pods and limits, and what it does is not known`,
          fix: "look for `wasm` in Envoy's log",
        },
      ];
    }
    case 'connected':
    case 'rejected':
    case undefined:
      return [];
  }
}
