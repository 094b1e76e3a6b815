import { TYPE_URLS, type XdsResource } from '../../snapshot/resource.ts';
import { answer } from './answer.ts';
import { fill, without } from './fill.ts';
import { changeMap } from './share.ts';
import { changeNames, type NameChanges, type Subscription, WILDCARD, wants } from './subscription.ts';
import {
  type Held,
  isUpToDate,
  NO_NAMES,
  noteReached,
  noteSent,
  noteUnfinished,
  type PushEvent,
  type Response,
  type Step,
  type TypeState,
  UNKNOWN_VERSION,
} from './type-state.ts';

/** The state of one type on a delta stream. */
export type DeltaState = TypeState<Held>;

/** A `DeltaDiscoveryRequest`, reduced to what the protocol looks at. */
export interface DeltaRequest extends NameChanges {
  readonly kind: 'request';
  readonly nonce: string;
  /** What the client already holds, name to version; counts in the first request for the type only. */
  readonly initialVersions: ReadonlyMap<string, string>;
  readonly error: string | undefined;
}

/** Stands for a resource the client was told does not exist. */
const ABSENT: Held = { name: '', version: '' };

/**
 * The delta protocol for one type: pure. A request changes what is subscribed and never sends by itself; a push sends
 * at most one response. Names explicitly subscribed are always answered, if only with `removed_resources`.
 *
 * After a NACK the refused version of a resource is not sent again by itself; when its name is subscribed once more the
 * client gets it once more, as every explicit subscription is answered. For clients that take a response as a whole see
 * `TypeState.isolates`.
 */
export function stepDelta(state: DeltaState, event: DeltaRequest | PushEvent): Step<Held> {
  if (event.kind === 'request') return request(state, event);
  if (isUpToDate(state, event)) return [skip(state, event), []];
  return push(state, event);
}

function skip(state: DeltaState, event: PushEvent): DeltaState {
  const done = state.started && event.scope === 'all' && state.complete === event.snapshot.version;
  return done && state.sequence !== event.sequence ? { ...state, sequence: event.sequence } : state;
}

function request(state: DeltaState, event: DeltaRequest): Step<Held> {
  const [answered, effects] = answer(state, event.nonce, event.error);
  // Unlike in state of the world, what a request with an old nonce subscribes or unsubscribes counts: it is said once.
  const quiet = event.subscribe.length === 0 && event.unsubscribe.length === 0;
  return [quiet && state.started ? answered : subscribe(answered, event), effects];
}

function subscribe(state: DeltaState, event: DeltaRequest): DeltaState {
  const first = !state.started;
  const before = state.subscription;
  const next = changeNames(before, state.typeUrl, event, first);
  const known = first ? event.initialVersions : new Map<string, string>();
  // Unsubscribed and subscribed in one request: forgotten in between.
  const left = new Set(first || before.wildcard ? [] : event.unsubscribe);
  const keep = <V>([name]: readonly [string, V]) => wants(next, name) && !left.has(name);
  return {
    ...state,
    started: true,
    subscription: next,
    held: new Map([...state.held, ...holdings(known)].filter(keep)),
    owed: new Set([...state.owed, ...newlyOwed(event, next)].filter((name) => wants(next, name) && !known.has(name))),
    owedAll: next.wildcard && (state.owedAll || !before.wildcard || event.subscribe.includes(WILDCARD)),
    nacks: new Map([...state.nacks].filter(keep)),
    alone: new Set([...state.alone].filter((name) => wants(next, name))),
    added: undefined,
    complete: undefined,
  };
}

/** A client that holds a resource without a version has something, so that it is told when it has gone. */
function holdings(known: ReadonlyMap<string, string>): readonly (readonly [string, Held])[] {
  return [...known].map(([name, version]) => [name, { name, version: version === '' ? UNKNOWN_VERSION : version }]);
}

/** Names that get an answer: those subscribed, and under a wildcard those unsubscribed, as the client let go of them. */
function newlyOwed(event: DeltaRequest, next: Subscription): readonly string[] {
  const names = next.wildcard ? [...event.subscribe, ...event.unsubscribe] : event.subscribe;
  return names.filter((name) => name !== WILDCARD && name !== '');
}

/** What one response will carry. */
interface Content {
  readonly resources: readonly XdsResource[];
  readonly removed: readonly string[];
  /** Whether it was too much for one response. */
  readonly more: boolean;
}

function push(state: DeltaState, event: PushEvent): Step<Held> {
  const content = collect(state, event);
  const { resources, removed, more } = content;
  const next = { ...state, ...afterwards(state, content), owedAll: false };
  const settled =
    more || event.scope === 'owed' ? noteUnfinished(next) : noteReached(next, event, hasGone(next.held, event));
  if (resources.length === 0 && removed.length === 0 && !state.owedAll) return [settled, []];
  const response: Response = {
    typeUrl: state.typeUrl,
    nonce: event.nonce,
    version: event.snapshot.version,
    resources,
    removed,
  };
  const awaited = state.typeUrl === TYPE_URLS.cluster && resources.length > 0;
  return [
    noteSent(settled, response, { before: state, sequence: event.sequence, awaited }),
    [{ kind: 'send', response }],
  ];
}

function hasGone(held: DeltaState['held'], event: PushEvent): boolean {
  for (const name of held.keys()) if (isGone(held, event, name)) return true;
  return false;
}

/** By name alone: there are many, and an entry of a map is an object that is made for nothing. */
function isGone(held: DeltaState['held'], { snapshot }: PushEvent, name: string): boolean {
  return !snapshot.resources.has(name) && !snapshot.kept?.has(name) && held.get(name) !== ABSENT;
}

/** The resources that are due: those a request waits for, then those that changed. */
function due(state: DeltaState, { snapshot, scope }: PushEvent): readonly XdsResource[] {
  const found: XdsResource[] = [];
  for (const name of state.owed) {
    const resource = snapshot.resources.get(name);
    if (resource !== undefined) found.push(resource);
  }
  if (scope === 'owed' && !state.owedAll) return found;
  const names: Named = state.subscription.wildcard ? snapshot.resources : state.subscription.names;
  // No iterator: it makes an object for each of thousands of names, and mostly one of them has changed.
  names.forEach((_, name) => {
    const resource = snapshot.resources.get(name);
    if (resource === undefined || state.owed.has(name)) return;
    if (resource.version !== state.held.get(name)?.version) found.push(resource);
  });
  return found;
}

/** What a map by name and a set of names have in common. */
interface Named {
  forEach(callback: (value: unknown, name: string) => void): void;
}

function collect(state: DeltaState, event: PushEvent): Content {
  const { resources, bytes, more } = fill(due(state, event), state.alone, event.maxBytes);
  if (more) return { resources, removed: [], more };
  const removed: string[] = [];
  let size = bytes;
  // What has gone comes last: additions before removals, within a type as well.
  for (const name of gone(state, event)) {
    if (size > 0 && size + name.length > event.maxBytes) return { resources, removed, more: true };
    removed.push(name);
    size += name.length;
  }
  return { resources, removed, more };
}

/** Names to be told as removed: those a request waits for at once, others when it is their turn. */
function* gone(state: DeltaState, event: PushEvent): Generator<string> {
  for (const name of state.owed) if (!event.snapshot.resources.has(name)) yield name;
  if (event.removals === 'hold' || event.scope === 'owed') return;
  for (const name of state.held.keys()) if (isGone(state.held, event, name) && !state.owed.has(name)) yield name;
}

function afterwards(
  state: DeltaState,
  { resources, removed, more }: Content,
): Pick<DeltaState, 'held' | 'owed' | 'nacks' | 'alone'> {
  const { held, nacks, subscription } = state;
  return {
    held: changeMap<Held>(held, [
      ...resources.map((resource) => [resource.name, resource] as const),
      ...removed.map((name) => [name, subscription.names.has(name) ? ABSENT : undefined] as const),
    ]),
    nacks: changeMap(
      nacks,
      removed.filter((name) => nacks.has(name)).map((name) => [name, undefined]),
    ),
    alone: without(state.alone, resources),
    owed: stillOwed(state.owed, { resources, removed, more }),
  };
}

function stillOwed(owed: ReadonlySet<string>, { resources, removed, more }: Content): ReadonlySet<string> {
  if (!more || owed.size === 0) return NO_NAMES;
  const sent = new Set([...removed, ...resources.map((resource) => resource.name)]);
  return new Set([...owed].filter((name) => !sent.has(name)));
}
