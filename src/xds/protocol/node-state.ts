import type { NodeIdentity } from '../../snapshot/cache.ts';
import { TYPE_URLS, type TypeUrl } from '../../snapshot/resource.ts';
import type { XdsStream } from '../server/open-stream.ts';
import { type Held, isSettled, type TypeState } from './type-state.ts';

/** A connected client; several streams of one node are one entry. */
export interface NodeState {
  readonly node: NodeIdentity;
  /** Such as `envoy 1.40.0`. */
  readonly userAgent: string;
  readonly peer: string;
  readonly streams: number;
  /** Milliseconds since the epoch, of its oldest open stream. */
  readonly connectedSince: number;
  readonly types: readonly TypeStatus[];
}

/** How far a node is with one type. */
export interface TypeStatus {
  readonly typeUrl: string;
  /** `pending`: something is not sent or not answered yet. `nacked`: all is answered, and a refusal stands. */
  readonly status: 'in sync' | 'pending' | 'nacked';
  readonly wildcard: boolean;
  /** How many it asked for by name. */
  readonly names: number;
  /** Listeners it has taken in some version, sorted; only of that type. */
  readonly active?: readonly string[];
  /** Of the newest response; empty: none yet. */
  readonly sentVersion: string;
  /** Of the newest response it took; empty: none yet. */
  readonly ackedVersion: string;
  /** When it took the first on its stream, in milliseconds since the epoch. */
  readonly ackedSince?: number;
  readonly nack?: {
    readonly message: string;
    readonly names: readonly string[];
    /** Of the first of these resources. */
    readonly version: string;
    /** Milliseconds since the epoch. */
    readonly at: number;
  };
}

/** A resource that a node subscribes to. */
export interface ResourceState {
  readonly typeUrl: string;
  readonly name: string;
  /** What was sent last; empty when nothing was. */
  readonly version: string;
  /** `missing`: asked for by name, and not sent, mostly because there is none. */
  readonly status: 'sent' | 'acked' | 'nacked' | 'missing';
  /** Why it was refused, in the client's words. */
  readonly message?: string;
  /** When this version was first sent to any client, in milliseconds since the epoch; undefined: by a server before. */
  readonly firstSentAt?: number | undefined;
}

/** All nodes of `streams`, by id; `sequence` is the newest state of the cache. */
export function nodeStates(streams: Iterable<XdsStream>, sequence: number): readonly NodeState[] {
  const byId = new Map<string, XdsStream[]>();
  for (const stream of streams) {
    const id = stream.introduction?.node.id;
    if (id !== undefined) byId.set(id, [...(byId.get(id) ?? []), stream]);
  }
  return [...byId].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, own]) => nodeState(own, sequence));
}

function nodeState(streams: readonly XdsStream[], sequence: number): readonly NodeState[] {
  // The newest stream tells best what the node is now.
  const newest = streams.at(-1);
  if (newest?.introduction === undefined) return [];
  const types = new Map<string, TypeStatus>();
  for (const stream of streams) {
    for (const type of stream.types()) {
      const status = typeStatus(type, stream, stream.hasSnapshot() ? sequence : -1);
      const other = types.get(type.typeUrl);
      types.set(type.typeUrl, other === undefined ? status : worse(other, status));
    }
  }
  const { node, userAgent } = newest.introduction;
  const connectedSince = Math.min(...streams.map((stream) => stream.connectedSince));
  const { peer } = newest.identity;
  return [{ node, userAgent, peer, streams: streams.length, connectedSince, types: [...types.values()] }];
}

function typeStatus(
  state: TypeState,
  stream: Pick<XdsStream, 'nackedAt' | 'ackedSince'>,
  sequence: number,
): TypeStatus {
  const [at, ackedSince] = [stream.nackedAt(state.typeUrl), stream.ackedSince(state.typeUrl)];
  const [first] = state.nacks.values();
  const settled = isSettled(state, sequence) && state.unanswered.length === 0;
  return {
    typeUrl: state.typeUrl,
    status: first !== undefined ? 'nacked' : settled ? 'in sync' : 'pending',
    wildcard: state.subscription.wildcard,
    names: state.subscription.names.size,
    sentVersion: state.sentVersion,
    ackedVersion: state.ackedVersion,
    ...(ackedSince !== undefined && { ackedSince }),
    ...(state.typeUrl === TYPE_URLS.listener && { active: activeNames(state) }),
    ...(first && {
      nack: { message: first.message, version: first.version, names: [...state.nacks.keys()], at: at ?? 0 },
    }),
  };
}

/** What was refused, or is not answered yet, the client has if it had another version before. */
function activeNames({ held, nacks, unanswered }: TypeState): readonly string[] {
  const underway = new Set(unanswered.flatMap(({ fresh }) => fresh));
  const names = [...held].filter(([, { version }]) => version !== '').map(([name]) => name);
  return names.filter((name) => !underway.has(name) && nacks.get(name)?.fresh !== true).sort();
}

const ORDER: readonly TypeStatus['status'][] = ['in sync', 'pending', 'nacked'];

function worse(a: TypeStatus, b: TypeStatus): TypeStatus {
  return ORDER.indexOf(b.status) >= ORDER.indexOf(a.status) ? b : a;
}

/** How far all nodes are with `types` of the state `sequence` of the cache; undefined: somebody has not answered. */
export function answered(
  streams: Iterable<XdsStream>,
  types: readonly TypeUrl[],
  sequence: number,
): 'acked' | 'nacked' | 'no nodes' | undefined {
  const waitsForListeners = types.includes(TYPE_URLS.listener);
  let result: 'acked' | 'nacked' | 'no nodes' = 'no nodes';
  // Asked at every answer, of up to a thousand streams: nothing is made for it.
  for (const stream of streams) {
    if (stream.introduction === undefined) continue;
    if (result === 'no nodes') result = 'acked';
    if (waitsForListeners && isStarting(stream)) return undefined;
    if (!stream.hasSnapshot()) continue;
    for (const typeUrl of types) {
      const state = stream.type(typeUrl);
      if (state === undefined) continue;
      if (!isSettled(state, sequence)) return undefined;
      if (state.nacks.size > 0) result = 'nacked';
    }
  }
  return result;
}

/** An Envoy asks for its listeners once its clusters are warm: before that it cannot have everything. */
function isStarting(stream: XdsStream): boolean {
  if (!stream.isAggregated || stream.introduction?.userAgent.startsWith('envoy') !== true) return false;
  return stream.hasSnapshot() && stream.type(TYPE_URLS.listener) === undefined;
}

/** When each version of a resource was first sent to any client, in milliseconds since the epoch. */
type FirstSent = Pick<WeakMap<Held, number>, 'get'>;

/** Every resource that was sent over `streams` and is still subscribed, and every name that waits for one. */
export function resourceStates(streams: Iterable<XdsStream>, firstSent: FirstSent): readonly ResourceState[] {
  return [...streams].flatMap((stream) => [...stream.types()].flatMap((state) => resourcesOf(state, firstSent)));
}

function resourcesOf(state: TypeState, firstSent: FirstSent): readonly ResourceState[] {
  const { typeUrl } = state;
  const underway = new Map(
    state.unanswered.flatMap((response) => response.resources.map(({ name, version }) => [name, version])),
  );
  const sent = [...state.held].filter(([, held]) => held.version !== '');
  const missing = [...state.subscription.names].filter((name) => (state.held.get(name)?.version ?? '') === '');
  return [
    ...sent.map(([name, held]): ResourceState => {
      const { version } = held;
      const which = { typeUrl, name, version, firstSentAt: firstSent.get(held) };
      const nack = state.nacks.get(name);
      if (nack?.version === version) return { ...which, status: 'nacked', message: nack.message };
      return { ...which, status: underway.get(name) === version ? 'sent' : 'acked' };
    }),
    ...missing.map((name): ResourceState => ({ typeUrl, name, version: '', status: 'missing' })),
  ];
}
