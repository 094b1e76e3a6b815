import { TYPE_URLS, type XdsResource } from '../../snapshot/resource.ts';
import type { TypeSnapshot } from '../../snapshot/snapshot.ts';
import { NO_SUBSCRIPTION, type Subscription } from './subscription.ts';

/** What a client has been sent under a name; mostly the resource itself, shared by all streams. */
export interface Held {
  readonly name: string;
  readonly version: string;
}

/** The client holds something, nobody knows what; the version of no resource. */
export const UNKNOWN_VERSION = '?';

/** A refusal that stands: this version of a resource is not sent again unasked, but for tries in longer intervals. */
export interface Nack {
  readonly version: string;
  /** The client's own words. */
  readonly message: string;
  /** Whether the client has never taken another version of it: then it has nothing of that name. Listeners only. */
  readonly fresh: boolean;
}

/** A response on its way: the client owes an ACK or NACK. */
export interface Unanswered {
  readonly nonce: string;
  /** The version of the set of resources, as in the response. */
  readonly version: string;
  /** Which state of the cache it belongs to; see `TypeState.sequence`. */
  readonly sequence: number;
  readonly resources: readonly Held[];
  readonly removed: readonly string[];
  /** Names of which the client had nothing before; listeners only. */
  readonly fresh: readonly string[];
  /** Whether types that refer to this one still wait for the answer. */
  readonly awaited: boolean;
}

/** Everything a stream remembers about one type. Plain data; the steps make new ones. */
export interface TypeState<H extends Held = Held> {
  readonly typeUrl: string;
  /** Whether a request for the type has come. */
  readonly started: boolean;
  /** Whether the client had something of this type from a stream before; state of the world only. */
  readonly returning: boolean;
  readonly subscription: Subscription;
  readonly held: ReadonlyMap<string, H>;
  /** Names that get an answer whether they changed or not. */
  readonly owed: ReadonlySet<string>;
  /** The wildcard gets an answer, if an empty one. */
  readonly owedAll: boolean;
  readonly unanswered: readonly Unanswered[];
  readonly nacks: ReadonlyMap<string, Nack>;
  /**
   * Whether a NACK of several resources tells nothing about each: Envoy stops at the first bad one of a response of
   * endpoints or routes, and takes none of those behind it (run on 1.40; clusters and listeners it takes one by one).
   */
  readonly isolates: boolean;
  /** Names to be sent in a response of their own, to learn which one is refused. */
  readonly alone: ReadonlySet<string>;
  readonly lastNonce: string;
  /** The version up to which all additions and changes are sent; undefined: look. */
  readonly added: string | undefined;
  /** The version up to which removals are sent as well. */
  readonly complete: string | undefined;
  /** The newest state of the cache (they are counted) of which everything is sent; -1 for none. */
  readonly sequence: number;
  readonly sentVersion: string;
  readonly ackedVersion: string;
}

/** Nothing in it; one for all streams. */
export const NO_NAMES: ReadonlySet<string> = new Set();

/** The state before the first request. */
export function newTypeState<H extends Held>(typeUrl: string, isolates = false): TypeState<H> {
  return {
    typeUrl,
    started: false,
    returning: false,
    subscription: NO_SUBSCRIPTION,
    held: new Map(),
    owed: NO_NAMES,
    owedAll: false,
    unanswered: [],
    nacks: new Map(),
    isolates,
    alone: NO_NAMES,
    lastNonce: '',
    added: undefined,
    complete: undefined,
    sequence: -1,
    sentVersion: '',
    ackedVersion: '',
  };
}

/** A response to send, not yet encoded. */
export interface Response {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly version: string;
  readonly resources: readonly XdsResource[];
  /** What the client has no more once it has taken it; said in delta only. */
  readonly removed: readonly string[];
}

/** What a step wants done. */
export type Effect =
  | { readonly kind: 'send'; readonly response: Response }
  | { readonly kind: 'acked'; readonly typeUrl: string; readonly version: string; readonly names: readonly string[] }
  | {
      readonly kind: 'nacked';
      readonly typeUrl: string;
      readonly version: string;
      /** The resources the client named; all of the response when it named none. */
      readonly names: readonly string[];
      readonly message: string;
      /** Each is sent once more by itself, so this says nothing about one of them yet. */
      readonly retried: boolean;
      /** All of them were refused before, with the same words. */
      readonly again: boolean;
    };

/** A state and what it wants done. */
export type Step<H extends Held> = readonly [TypeState<H>, readonly Effect[]];

/** Asks for at most one response, so that a stream that cannot take more keeps nothing but the newest state. */
export interface PushEvent {
  readonly kind: 'push';
  readonly snapshot: TypeSnapshot;
  readonly sequence: number;
  /** The nonce to use: unlike any other of the stream, whatever its type. */
  readonly nonce: string;
  /** `owed`: only what a request is waiting for. */
  readonly scope: 'all' | 'owed';
  /** `hold`: what has gone stays, until nothing refers to it any more. */
  readonly removals: 'hold' | 'send';
  /** How many bytes of bodies a response may carry; one resource always fits. */
  readonly maxBytes: number;
}

/** Whether everything of `sequence` was sent and answered. A type nobody asked for has nothing to answer. */
export function isSettled(state: TypeState, sequence: number): boolean {
  if (!state.started) return true;
  return state.sequence >= sequence && !state.unanswered.some((response) => response.sequence <= sequence);
}

/** More responses than this without an answer, and the oldest are forgotten: that client never answers. */
const MOST_UNANSWERED = 1000;

/** The state after `response` was sent for `event`; `before` is what it was when that was made. */
export function noteSent<H extends Held>(
  state: TypeState<H>,
  response: Response,
  { before, sequence, awaited }: Sending<H>,
): TypeState<H> {
  const { nonce, version, resources, removed } = response;
  const unanswered = [
    ...state.unanswered.slice(1 - MOST_UNANSWERED),
    { nonce, version, sequence, resources, removed, fresh: freshNames(before, resources), awaited },
  ];
  return { ...state, unanswered, lastNonce: nonce, sentVersion: version };
}

/** How a response is sent. */
interface Sending<H extends Held> {
  readonly before: TypeState<H>;
  readonly sequence: number;
  readonly awaited: boolean;
}

function freshNames(before: TypeState, resources: readonly Held[]): readonly string[] {
  if (before.typeUrl !== TYPE_URLS.listener) return NO_LIST;
  const underway = new Set(before.unanswered.flatMap(({ fresh }) => fresh));
  const isFresh = ({ name }: Held) =>
    (before.held.get(name)?.version ?? '') === '' || before.nacks.get(name)?.fresh === true || underway.has(name);
  return resources.filter(isFresh).map(({ name }) => name);
}

const NO_LIST: readonly string[] = [];

/** The state once nothing of `event` is left to send, but perhaps what has gone (`removalsLeft`). */
export function noteReached<H extends Held>(
  state: TypeState<H>,
  event: PushEvent,
  removalsLeft: boolean,
): TypeState<H> {
  const added = event.snapshot.version;
  if (removalsLeft) return { ...state, added, complete: undefined };
  return { ...state, added, complete: added, sequence: event.sequence };
}

/** The state while a push is not finished: not even a return to the version before would leave nothing to do. */
export function noteUnfinished<H extends Held>(state: TypeState<H>): TypeState<H> {
  return { ...state, added: undefined, complete: undefined };
}

/** Whether a request waits for an answer. */
export function isOwing(state: TypeState): boolean {
  return state.owed.size > 0 || state.owedAll;
}

/** Whether a push has nothing to look for. */
export function isUpToDate(state: TypeState, event: PushEvent): boolean {
  if (!state.started) return true;
  if (isOwing(state)) return false;
  return (
    event.scope === 'owed' || (event.removals === 'send' ? state.complete : state.added) === event.snapshot.version
  );
}
