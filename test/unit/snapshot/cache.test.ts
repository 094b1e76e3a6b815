import { expect, test, vi } from 'vitest';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { TYPE_URLS } from '../../../src/snapshot/resource.ts';
import { emptySnapshot, makeSnapshot } from '../../../src/snapshot/snapshot.ts';

const node = (id: string) => ({ id, cluster: '', metadata: {} });
const full = makeSnapshot([{ typeUrl: TYPE_URLS.cluster, name: 'a', body: Buffer.from('A') }]);

test('nobody gets anything before the first snapshot', () => {
  const cache = new SnapshotCache();
  expect([cache.get(node('a')), cache.changes]).toEqual([undefined, 0]);
});

test('every node gets the one snapshot, and everybody is told once per change', () => {
  const cache = new SnapshotCache();
  const changed = vi.fn();
  const unsubscribe = cache.subscribe({ changed });
  cache.set(emptySnapshot);
  cache.set(makeSnapshot([]));
  expect(changed).toHaveBeenCalledTimes(1);
  expect(cache.changes).toBe(1);
  cache.set(full);
  expect(changed).toHaveBeenCalledTimes(2);
  expect(cache.get(node('a'))).toBe(full);
  unsubscribe();
  cache.set(emptySnapshot);
  expect(changed).toHaveBeenCalledTimes(2);
});

test('a snapshot per node', () => {
  const cache = new SnapshotCache();
  const changed = vi.fn();
  cache.set(full);
  cache.subscribe({ changed });
  cache.select(({ id }) => (id === 'a' ? emptySnapshot : undefined));
  expect([cache.get(node('a')), cache.get(node('b'))]).toEqual([emptySnapshot, undefined]);
  // The common one is not active any more.
  cache.set(full);
  expect(changed).toHaveBeenCalledTimes(2);
  expect(cache.get(node('b'))).toBe(full);
});

test('a choice that has become another for some nodes is told of these alone', () => {
  const cache = new SnapshotCache();
  const [changed, changedFor] = [vi.fn(), vi.fn()];
  cache.subscribe({ changed, changedFor });
  cache.reselect(new Set(['a']));
  cache.reselect(new Set());
  expect(changedFor.mock.calls).toEqual([[new Set(['a'])]]);
  expect([changed.mock.calls, cache.changes]).toEqual([[], 0]);
});
