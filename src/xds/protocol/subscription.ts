import { TYPE_URLS } from '../../snapshot/resource.ts';

/** What a stream has asked for of one type. */
export interface Subscription {
  readonly wildcard: boolean;
  /** Names asked for, `*` not among them. */
  readonly names: ReadonlySet<string>;
  /** Characters of all names together. */
  readonly length: number;
  /** Whether a name was ever asked for: from then on an empty list means "nothing" (xDS, "how the client specifies what resources to return"). */
  readonly named: boolean;
}

/** Nothing asked for yet. */
export const NO_SUBSCRIPTION: Subscription = { wildcard: false, names: new Set(), length: 0, named: false };

/** The name that stands for all resources of a type. */
export const WILDCARD = '*';

/**
 * Clusters and listeners: an empty list means all of them, and a state-of-the-world answer always holds the full list,
 * so that leaving one out deletes it.
 */
export function isFullListType(typeUrl: string): boolean {
  return typeUrl === TYPE_URLS.cluster || typeUrl === TYPE_URLS.listener;
}

/** Whether `name` is subscribed, by itself or by the wildcard. */
export function wants(subscription: Subscription, name: string): boolean {
  return subscription.wildcard || subscription.names.has(name);
}

/** State of the world: `list` replaces what was asked for before. The empty name stands for nothing. */
export function replaceNames(before: Subscription, typeUrl: string, list: readonly string[]): Subscription {
  const named = before.named || list.length > 0;
  const names = new Set(list);
  const explicit = names.delete(WILDCARD);
  names.delete('');
  return { wildcard: explicit || (!named && isFullListType(typeUrl)), names, length: lengthOf(names), named };
}

function lengthOf(names: ReadonlySet<string>): number {
  let length = 0;
  for (const name of names) length += name.length;
  return length;
}

/** The names of a delta request. */
export interface NameChanges {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
}

/**
 * Delta: what is unsubscribed goes first, so that a name in both lists is subscribed anew. `first`: the first request
 * for this type, where subscribing to no name means everything, until `*` is unsubscribed.
 */
export function changeNames(before: Subscription, typeUrl: string, changes: NameChanges, first: boolean): Subscription {
  const names = new Set(before.names);
  for (const name of changes.unsubscribe) names.delete(name);
  for (const name of changes.subscribe) names.add(name);
  const explicit = names.delete(WILDCARD);
  names.delete('');
  const legacy = first && changes.subscribe.length === 0 && isFullListType(typeUrl);
  const kept = before.wildcard && !changes.unsubscribe.includes(WILDCARD);
  const named = before.named || changes.subscribe.length > 0;
  return { wildcard: explicit || legacy || kept, names, length: lengthOf(names), named };
}
