/** Where made values are kept: a `WeakMap` forgets them with their keys, a `Map` when it is told to. */
interface Memory<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): unknown;
}

/** The value that was made before for this very key, or the one that `make` makes now. */
export function remember<Key, Value>(memory: Memory<Key, Value>, key: Key, make: (key: Key) => Value): Value {
  const before = memory.get(key);
  if (before !== undefined) return before;
  const value = make(key);
  memory.set(key, value);
  return value;
}

/** What was made of a list the last time; begins with `{ keys: [], values: [] }`. */
export interface LastList<Key, Value> {
  keys: readonly Key[];
  values: readonly Value[];
}

/**
 * What `make` makes of each key, taken from the last time where the same key was at the same place. When all of them
 * are, it is the very same array. Far cheaper than `remember` for long lists of which little changes.
 */
export function rememberEach<Key, Value>(
  last: LastList<Key, Value>,
  keys: readonly Key[],
  make: (key: Key) => Value,
): readonly Value[] {
  const before = last.keys;
  let values: Value[] | undefined = keys.length === before.length ? undefined : last.values.slice(0, keys.length);
  // Plain loops over one copy: with a thousand keys, of which one has changed, all else is waste.
  for (let at = 0; at < keys.length; at++) {
    // Not beyond the end.
    const key = keys[at] as Key;
    if (at < before.length && key === before[at]) continue;
    values ??= last.values.slice();
    values[at] = make(key);
  }
  if (values !== undefined) {
    last.values = values;
    last.keys = keys;
  }
  return last.values;
}
