import { PUSH_ORDER, TYPE_URLS, type XdsResource } from '../../snapshot/resource.ts';
import type { Snapshot, TypeSnapshot } from '../../snapshot/snapshot.ts';
import { shareMap, shareSet } from './share.ts';
import {
  type Effect,
  type Held,
  isOwing,
  newTypeState,
  noteSent,
  type PushEvent,
  type Response,
  type Step,
  type TypeState,
  UNKNOWN_VERSION,
} from './type-state.ts';

/** Everything a stream remembers: one state per type, as the types share nothing but the order of their pushes. */
export interface StreamState<H extends Held> {
  readonly types: ReadonlyMap<string, TypeState<H>>;
  /** How many nonces were given out: they differ over all types, so that an ACK cannot be taken for another type's. */
  readonly nonces: number;
  /** See `TypeState.isolates`. */
  readonly isolates: boolean;
}

/** The state of a new stream. */
export function newStreamState<H extends Held>(isolates = false): StreamState<H> {
  return { types: new Map(), nonces: 0, isolates };
}

/** The step of one variant of the protocol, `stepSotw` or `stepDelta`. */
export type StepFunction<H extends Held, Request> = (state: TypeState<H>, event: Request | PushEvent) => Step<H>;

/** What is to be pushed: the newest snapshot and its place in the order of all states of the cache. */
export interface Target {
  readonly snapshot: Snapshot;
  readonly sequence: number;
  readonly maxBytes: number;
}

/** What goes last: first what refers to others, so that nothing ever refers to what has gone. */
const REMOVAL_ORDER = [
  TYPE_URLS.listener,
  TYPE_URLS.routes,
  TYPE_URLS.cluster,
  TYPE_URLS.endpoints,
  TYPE_URLS.extension,
  TYPE_URLS.secret,
];

/** Types that name clusters, and so wait until Envoy can use the new ones. */
const REFER_TO_CLUSTERS: readonly string[] = [TYPE_URLS.listener, TYPE_URLS.routes];

const NO_RESOURCES: TypeSnapshot = { version: 'none', resources: new Map() };

/** Hands a request to the state of its type. */
export function takeRequest<H extends Held, Request>(
  step: StepFunction<H, Request>,
  state: StreamState<H>,
  typeUrl: string,
  request: Request,
): readonly [StreamState<H>, readonly Effect[]] {
  const before = state.types.get(typeUrl) ?? newTypeState<H>(typeUrl, state.isolates);
  const [after, effects] = step(before, request);
  return [withType(state, before, after), effects];
}

/**
 * The next response of an ordered push, or undefined when there is nothing to send now. Additions and changes go in
 * the order clusters, endpoints, extensions, listeners, routes, secrets; then, once all of them are out, removals.
 *
 * Listeners and routes wait for the answer to new or changed clusters: Envoy withholds it until they are warm
 * (ClusterManagerImpl::updateClusterCounts), so that no route leads to a cluster that cannot be used yet. What a
 * request asks for does not wait, but for routes while clusters have changed since the first ones; nor do endpoints, extensions
 * and secrets, which warming needs. `release` ends the wait for clients that do not answer.
 */
export function nextPush<H extends Held, Request>(
  step: StepFunction<H, Request>,
  before: StreamState<H>,
  target: Target,
): readonly [StreamState<H>, Response | undefined] {
  let state = before;
  const others = [...state.types.keys()].filter((typeUrl) => !REMOVAL_ORDER.some((known) => known === typeUrl));
  for (const phase of ['hold', 'send'] as const) {
    for (const typeUrl of phase === 'hold' ? [...PUSH_ORDER, ...others] : [...REMOVAL_ORDER, ...others]) {
      const type = state.types.get(typeUrl);
      if (type === undefined) continue;
      if (typeUrl === TYPE_URLS.routes && awaitsChangedClusters(state)) continue;
      const removals = isOnlyOneLeft(state, typeUrl, target.snapshot) ? 'send' : phase;
      const scope = REFER_TO_CLUSTERS.includes(typeUrl) && awaitsClusters(state) ? 'owed' : 'all';
      const nonce = `${state.nonces + 1}`;
      const [after, effects] = step(type, {
        kind: 'push',
        snapshot: of(target.snapshot, typeUrl),
        sequence: target.sequence,
        maxBytes: target.maxBytes,
        nonce,
        scope,
        removals,
      });
      state = withType(state, type, after);
      const send = effects.find((effect) => effect.kind === 'send');
      if (send !== undefined) return [{ ...state, nonces: state.nonces + 1 }, send.response];
    }
    if (isHeldBack(state, target.snapshot)) break;
  }
  return [state, undefined];
}

/** Whether listeners or routes have something to send that waits for the answer to a cluster response. */
export function isHeldBack<H extends Held>(state: StreamState<H>, snapshot: Snapshot): boolean {
  return (
    awaitsClusters(state) &&
    REFER_TO_CLUSTERS.some((typeUrl) => {
      const type = state.types.get(typeUrl);
      return type !== undefined && (type.added !== of(snapshot, typeUrl).version || isOwing(type));
    })
  );
}

/** Ends the wait for the answers to all cluster responses sent so far. */
export function release<H extends Held>(state: StreamState<H>): StreamState<H> {
  const type = state.types.get(TYPE_URLS.cluster);
  if (type === undefined) return state;
  const unanswered = type.unanswered.map((response) => ({ ...response, awaited: false }));
  return withType(state, type, { ...type, unanswered });
}

/**
 * A response for clusters that changes nothing, and that the client has to answer; `repeat`: what has to be in it.
 * Undefined: there is none, as the client has not asked for clusters, or has none that could be said again.
 */
export function question<H extends Held>(
  state: StreamState<H>,
  repeat: (type: TypeState<H>) => readonly XdsResource[] | undefined,
): readonly [StreamState<H>, Response] | undefined {
  const type = state.types.get(TYPE_URLS.cluster);
  const resources = type?.started ? repeat(type) : undefined;
  if (type === undefined || resources === undefined) return undefined;
  const { typeUrl, sentVersion: version, sequence } = type;
  const response: Response = { typeUrl, nonce: `${state.nonces + 1}`, version, resources, removed: [] };
  const asked = noteSent(type, response, { before: type, sequence, awaited: false });
  return [{ ...withType(state, type, asked), nonces: state.nonces + 1 }, response];
}

/**
 * Makes the next pushes send what was refused once more: what stood in its way (a port that was busy, an address that was
 * not there yet) may be gone. Each goes by itself, as far as the protocol allows, so that one keeps no other from being
 * taken. Undefined: nothing is refused.
 */
export function retryRefused<H extends Held>(state: StreamState<H>): StreamState<H> | undefined {
  const refused = [...state.types.values()].filter(({ nacks }) => nacks.size > 0);
  if (refused.length === 0) return undefined;
  return refused.reduce((after, type) => withType(after, type, forgetRefused(type)), state);
}

function forgetRefused<H extends Held>(type: TypeState<H>): TypeState<H> {
  const held = new Map(type.held);
  for (const [name, { version }] of type.nacks) {
    const refused = held.get(name);
    if (refused?.version === version) held.set(name, { ...refused, version: UNKNOWN_VERSION });
  }
  const alone = new Set([...type.alone, ...type.nacks.keys()]);
  return { ...type, held, alone, added: undefined, complete: undefined };
}

/** Whether no other type has anything to send: then what has gone need not wait for them. */
function isOnlyOneLeft<H extends Held>(state: StreamState<H>, typeUrl: string, snapshot: Snapshot): boolean {
  return [...state.types.values()].every(
    (type) => type.typeUrl === typeUrl || (type.complete === of(snapshot, type.typeUrl).version && !isOwing(type)),
  );
}

function awaitsClusters<H extends Held>(state: StreamState<H>): boolean {
  return state.types.get(TYPE_URLS.cluster)?.unanswered.some((response) => response.awaited) ?? false;
}

/** An Envoy that starts may ask for its routes when an edit has just changed what it has taken. */
function awaitsChangedClusters<H extends Held>(state: StreamState<H>): boolean {
  return awaitsClusters(state) && state.types.get(TYPE_URLS.cluster)?.ackedVersion !== '';
}

function of(snapshot: Snapshot, typeUrl: string): TypeSnapshot {
  const types: Readonly<Record<string, TypeSnapshot>> = snapshot.types;
  // A client may ask for a type called "constructor".
  return (Object.hasOwn(types, typeUrl) ? types[typeUrl] : undefined) ?? NO_RESOURCES;
}

function withType<H extends Held>(state: StreamState<H>, before: TypeState<H>, after: TypeState<H>): StreamState<H> {
  if (before === after) return state;
  return { ...state, types: new Map(state.types).set(after.typeUrl, compact(before, after)) };
}

/** The same state in less memory: what equals another stream's is that stream's. */
function compact<H extends Held>(before: TypeState<H>, after: TypeState<H>): TypeState<H> {
  const { held, owed, nacks, alone, subscription } = after;
  const { names } = subscription;
  return {
    ...after,
    held: held === before.held ? held : shareMap(held),
    owed: owed === before.owed ? owed : shareSet(owed),
    nacks: nacks === before.nacks ? nacks : shareMap(nacks),
    alone: alone === before.alone ? alone : shareSet(alone),
    subscription: names === before.subscription.names ? subscription : { ...subscription, names: shareSet(names) },
  };
}
