import { copyMap } from '../../base/copy-map.ts';

/** How many values are looked through: those of the streams that are served at the same time. */
const RECENT = 16;

/** What is shared already. */
const shared = new WeakSet<object>();

/**
 * One object for equal values, as far as they are recent: a thousand clients that hold the same resources share one
 * map of them. Only for values that are never written to.
 */
function sharer<T extends { readonly size: number }>(equal: (a: T, b: T) => boolean): (value: T) => T {
  let recent: readonly T[] = [];
  let empty: T | undefined;
  return (value) => {
    if (value.size === 0) {
      empty ??= value;
      return empty;
    }
    if (shared.has(value)) return value;
    const known = recent.find((each) => each.size === value.size && equal(each, value));
    if (known !== undefined) return known;
    recent = [value, ...recent.slice(0, RECENT - 1)];
    shared.add(value);
    return value;
  };
}

const shareAnyMap = sharer<ReadonlyMap<string, unknown>>((a, b) => {
  for (const key of a.keys()) if (a.get(key) !== b.get(key)) return false;
  return true;
});

const shareAnySet = sharer<ReadonlySet<string>>((a, b) => {
  for (const item of a) if (!b.has(item)) return false;
  return true;
});

/** `map`, or one with the very same keys and values. */
export function shareMap<V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> {
  // What is returned has the values of `map`, whatever else it was made for.
  return shareAnyMap(map) as ReadonlyMap<string, V>;
}

/** `set`, or one with the same items. */
export function shareSet(set: ReadonlySet<string>): ReadonlySet<string> {
  return shareAnySet(set);
}

/** What is put into a map under a name; undefined: the name is taken out. */
export type Entry<V> = readonly [string, V | undefined];

/** By which change a map was made. */
const origins = new WeakMap<ReadonlyMap<string, unknown>, readonly Entry<unknown>[]>();

/**
 * What a map was changed into lately. Weak: a map that no client holds any more must not live on because of the one it
 * was made of.
 */
const successors = new WeakMap<ReadonlyMap<string, unknown>, readonly WeakRef<ReadonlyMap<string, unknown>>[]>();

/** `map` with these entries. The same change of the very same map is made once, for a thousand clients as for one. */
export function changeMap<V>(map: ReadonlyMap<string, V>, entries: readonly Entry<V>[]): ReadonlyMap<string, V> {
  if (entries.length === 0) return map;
  const others = successors.get(map) ?? [];
  for (const other of others) {
    const known = other.deref();
    // It was made of this map and these values, so its values are of their type.
    if (known && sameEntries(origins.get(known) ?? [], entries)) return known as ReadonlyMap<string, V>;
  }
  const after = copyMap(map);
  for (const [name, value] of entries) {
    if (value === undefined) after.delete(name);
    else after.set(name, value);
  }
  origins.set(after, entries);
  successors.set(map, [new WeakRef(after), ...others.slice(0, RECENT - 1)]);
  shared.add(after);
  return after;
}

function sameEntries(a: readonly Entry<unknown>[], b: readonly Entry<unknown>[]): boolean {
  return a.length === b.length && a.every(([name, value], at) => name === b[at]?.[0] && value === b[at]?.[1]);
}
