import { TYPE_URLS, type XdsResource } from '../../snapshot/resource.ts';
import { answer } from './answer.ts';
import { fill, without } from './fill.ts';
import { changeMap } from './share.ts';
import { isFullListType, replaceNames, type Subscription, wants } from './subscription.ts';
import {
  isUpToDate,
  NO_NAMES,
  noteReached,
  noteSent,
  noteUnfinished,
  type PushEvent,
  type Response,
  type Step,
  type TypeState,
} from './type-state.ts';

/** The state of one type on a state-of-the-world stream. */
export type SotwState = TypeState<XdsResource>;

/** A `DiscoveryRequest`, reduced to what the protocol looks at. */
export interface SotwRequest {
  readonly kind: 'request';
  readonly nonce: string;
  /** The version that the client took last, on this stream or one before; empty: none. */
  readonly version: string;
  readonly names: readonly string[];
  /** What the client said was wrong; undefined: it did not refuse anything. */
  readonly error: string | undefined;
}

/**
 * The state-of-the-world protocol for one type: pure. A request changes what is subscribed and never sends by itself;
 * a push sends at most one response. Names that do not exist are met with silence, and sent once they do.
 *
 * After a NACK nothing is sent until it changes, which needs no rule of its own: what was refused counts as sent. A
 * list of clusters or listeners necessarily repeats the refused one when another of them changes.
 */
export function stepSotw(state: SotwState, event: SotwRequest | PushEvent): Step<XdsResource> {
  if (event.kind === 'request') return request(state, event);
  if (isUpToDate(state, event)) return [skip(state, event), []];
  return isFullListType(state.typeUrl) ? pushList(state, event) : pushNamed(state, event);
}

function skip(state: SotwState, event: PushEvent): SotwState {
  const done = state.started && event.scope === 'all' && state.complete === event.snapshot.version;
  return done && state.sequence !== event.sequence ? { ...state, sequence: event.sequence } : state;
}

function request(state: SotwState, event: SotwRequest): Step<XdsResource> {
  const [answered, effects] = answer(state, event.nonce, event.error);
  // A newer answer is on its way, and the client will say what it wants when it has that one; xDS says ignore this one.
  if (event.nonce !== '' && state.lastNonce !== '' && event.nonce !== state.lastNonce) return [answered, effects];
  const names = replaceNames(state.subscription, state.typeUrl, event.names);
  return [subscribe(answered, names, state.started ? state.returning : event.version !== ''), effects];
}

function subscribe(state: SotwState, next: Subscription, returning: boolean): SotwState {
  const before = state.subscription;
  const fresh = [...next.names].filter((name) => !before.names.has(name));
  const same = fresh.length === 0 && next.names.size === before.names.size && next.wildcard === before.wildcard;
  if (state.started && same) return next.named === before.named ? state : { ...state, subscription: next };
  // The client forgets what it does not ask for; should it ask again, it gets it again.
  const wanted = <V>([name]: readonly [string, V]) => wants(next, name);
  const held = new Map([...state.held].filter(wanted));
  return {
    ...state,
    started: true,
    returning,
    subscription: next,
    held,
    owed: new Set([...state.owed, ...fresh].filter((name) => next.names.has(name) && !held.has(name))),
    owedAll: next.wildcard && (state.owedAll || !before.wildcard),
    nacks: new Map([...state.nacks].filter(wanted)),
    alone: new Set([...state.alone].filter((name) => wants(next, name))),
    added: undefined,
    complete: undefined,
  };
}

/** Clusters and listeners: every response is the whole list, so leaving one out deletes it. */
function pushList(state: SotwState, event: PushEvent): Step<XdsResource> {
  const { snapshot } = event;
  const list = new Map(
    [...snapshot.resources, ...keptOf(state, snapshot)].filter(([name]) => wants(state.subscription, name)),
  );
  const gone = [...state.held].filter(([name]) => !list.has(name));
  const hold = event.removals === 'hold' && gone.length > 0;
  // What has gone stays in the list until the types that refer to it were sent without it.
  if (hold) for (const [name, resource] of gone) list.set(name, resource);
  const changed = [...list.values()].some((resource) => state.held.get(resource.name)?.version !== resource.version);
  const settled: SotwState = noteReached({ ...state, owed: NO_NAMES, owedAll: false }, event, hold);
  if (!changed && list.size === state.held.size && !state.owedAll) return [settled, []];
  return send({ ...settled, held: list }, event, {
    before: state,
    version: hold ? `${snapshot.version}+removing` : snapshot.version,
    resources: [...list.values()],
    removed: hold ? [] : gone.map(([name]) => name),
    awaited: changed && state.typeUrl === TYPE_URLS.cluster,
  });
}

/** What stays in the list, as nothing is known of it: what the client was sent, or had when it came. */
function keptOf({ held, returning }: SotwState, { kept }: PushEvent['snapshot']): (readonly [string, XdsResource])[] {
  return [...(kept ?? [])].flatMap(([name, probably]) => {
    const resource = held.get(name) ?? (returning ? probably : undefined);
    return resource === undefined ? [] : [[name, resource] as const];
  });
}

/** All other types: only what changed; deletion goes unsaid, as the client lets go of them with what refers to them. */
function pushNamed(state: SotwState, event: PushEvent): Step<XdsResource> {
  const { snapshot } = event;
  const { resources, more } = fill(due(state, event), state.alone, event.maxBytes);
  // What has gone the client still holds: should it come back unchanged, there is nothing to say.
  const held = changeMap(
    state.held,
    resources.map((resource) => [resource.name, resource]),
  );
  const alone = without(state.alone, resources);
  const next: SotwState = { ...state, held, alone, owed: more ? state.owed : NO_NAMES, owedAll: false };
  const settled = more || event.scope === 'owed' ? noteUnfinished(next) : noteReached(next, event, false);
  if (resources.length === 0 && !state.owedAll) return [settled, []];
  return send(settled, event, { before: state, version: snapshot.version, resources, removed: [], awaited: false });
}

function* due(state: SotwState, { snapshot, scope }: PushEvent): Generator<XdsResource> {
  const all = state.subscription.wildcard ? snapshot.resources.keys() : state.subscription.names;
  for (const name of scope === 'owed' && !state.owedAll ? state.owed : all) {
    const resource = snapshot.resources.get(name);
    if (resource !== undefined && resource.version !== state.held.get(name)?.version) yield resource;
  }
}

/** What is sent, and the state it was made of. */
interface Sending extends Pick<Response, 'version' | 'resources' | 'removed'> {
  readonly before: SotwState;
  readonly awaited: boolean;
}

function send(state: SotwState, event: PushEvent, { before, awaited, ...content }: Sending): Step<XdsResource> {
  const response: Response = { typeUrl: state.typeUrl, nonce: event.nonce, ...content };
  return [noteSent(state, response, { before, sequence: event.sequence, awaited }), [{ kind: 'send', response }]];
}
