/**
 * The value that was made before for this very object, or the one that `make` makes now: for what is worked out from
 * an object that is never written to. It is forgotten with the object.
 */
export function remember<Key extends object, Value>(
  memory: WeakMap<Key, Value>,
  key: Key,
  make: (key: Key) => Value,
): Value {
  const before = memory.get(key);
  if (before !== undefined) return before;
  const value = make(key);
  memory.set(key, value);
  return value;
}
