import { changeMap } from './share.ts';
import { isFullListType } from './subscription.ts';
import {
  type Effect,
  type Held,
  type Nack,
  type Step,
  type TypeState,
  UNKNOWN_VERSION,
  type Unanswered,
} from './type-state.ts';

/** Whether `message` names the resource, not merely a longer name that contains it. */
function mentions(message: string, name: string): boolean {
  // A shorter name is likely to be an ordinary word of the sentence.
  if (name.length < 3) return false;
  for (let at = message.indexOf(name); at >= 0; at = message.indexOf(name, at + 1)) {
    const before = message[at - 1] ?? ' ';
    const after = message.slice(at + name.length, at + name.length + 2);
    if (!/[\w/.-]/.test(before) && !/^([\w/-]|\.\w)/.test(after)) return true;
  }
  return false;
}

/** The resources of a refused response that the client's words name; all of them when it names none. */
export function refusedNames(message: string, names: readonly string[]): readonly string[] {
  const named = names.filter((name) => mentions(message, name));
  return named.length > 0 ? named : names;
}

/** The client has `name` by now: a newer version of it that is on its way is not its first. */
function notFresh(unanswered: readonly Unanswered[], name: string): readonly Unanswered[] {
  if (!unanswered.some(({ fresh }) => fresh.includes(name))) return unanswered;
  return unanswered.map((later) => ({ ...later, fresh: later.fresh.filter((other) => other !== name) }));
}

function acked<H extends Held>(state: TypeState<H>, response: Unanswered): Step<H> {
  const names = response.resources.map((resource) => resource.name);
  const resolved =
    state.nacks.size === 0 ? [] : [...names, ...response.removed].filter((name) => state.nacks.has(name));
  const nacks = changeMap(
    state.nacks,
    resolved.map((name) => [name, undefined]),
  );
  const effect: Effect = { kind: 'acked', typeUrl: state.typeUrl, version: response.version, names };
  const unanswered = names.reduce(notFresh, state.unanswered);
  return [{ ...state, nacks, unanswered, ackedVersion: response.version }, [effect]];
}

function nacked<H extends Held>(state: TypeState<H>, response: Unanswered, message: string): Step<H> {
  const carried = response.resources.map((resource) => resource.name);
  const names = new Set(refusedNames(message, carried));
  const retried = state.isolates && carried.length > 1 && !isFullListType(state.typeUrl);
  const again = [...names].every((name) => state.nacks.get(name)?.message === message);
  const refused = { version: response.version, names: [...names], message, retried, again };
  const effect: Effect = { kind: 'nacked', typeUrl: state.typeUrl, ...refused };
  if (retried) return [isolate(state, response), [effect]];
  const nacks = new Map<string, Nack>(state.nacks);
  for (const { name, version } of response.resources) {
    // Not subscribed any more, or a newer version is on its way: that one is not refused.
    if (!names.has(name) || state.held.get(name)?.version !== version) continue;
    nacks.set(name, { version, message, fresh: response.fresh.includes(name) });
  }
  return [{ ...state, nacks }, [effect]];
}

/** Sends everything in the response once more, each by itself; then only the bad one is refused. */
function isolate<H extends Held>(state: TypeState<H>, response: Unanswered): TypeState<H> {
  const held = new Map(state.held);
  const alone = new Set(state.alone);
  for (const { name, version } of response.resources) {
    const suspect = held.get(name);
    if (suspect?.version !== version) continue;
    alone.add(name);
    // The client may have taken it or not, so that it is also told should it go.
    held.set(name, { ...suspect, version: UNKNOWN_VERSION });
  }
  return { ...state, held, alone, added: undefined, complete: undefined, sequence: -1 };
}

/**
 * Pairs an ACK or NACK with the response it answers; a nonce that is not waited for says nothing. Clients answer in
 * the order in which they receive, so an answer settles all older responses, and comes too late for them.
 */
export function answer<H extends Held>(state: TypeState<H>, nonce: string, error: string | undefined): Step<H> {
  const index = state.unanswered.findIndex((response) => response.nonce === nonce);
  const response = state.unanswered[index];
  if (response === undefined) return [state, []];
  const rest = { ...state, unanswered: state.unanswered.slice(index + 1) };
  return error === undefined ? acked(rest, response) : nacked(rest, response, error);
}
