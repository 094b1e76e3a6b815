/** How many values are looked through: those of the streams that are served at the same time. */
const RECENT = 16;

/**
 * One object for equal values, as far as they are recent: a thousand clients that hold the same resources share one
 * map of them. Only for values that are never written to.
 */
function sharer<T extends { readonly size: number }>(equal: (a: T, b: T) => boolean): (value: T) => T {
  let recent: readonly T[] = [];
  return (value) => {
    const known = recent.find((each) => each.size === value.size && equal(each, value));
    if (known !== undefined) return known;
    recent = [value, ...recent.slice(0, RECENT - 1)];
    return value;
  };
}

const shareAnyMap = sharer<ReadonlyMap<string, unknown>>((a, b) => {
  for (const [key, value] of a) if (b.get(key) !== value) return false;
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
