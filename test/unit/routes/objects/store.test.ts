import { expect, test } from 'vitest';
import { type KubeObject, type Resource, withoutManagedFields } from '../../../../src/routes/objects/object.ts';
import { ObjectStore } from '../../../../src/routes/objects/store.ts';

const THINGS: Resource<KubeObject> = {
  kind: 'Thing',
  group: 'g',
  version: 'v1',
  plural: 'things',
  namespaced: true,
  read: withoutManagedFields,
};

const thing = (name: string, resourceVersion: string, created = 0, uid = name): KubeObject => ({
  metadata: { namespace: 'n', name, uid, resourceVersion, creationTimestamp: new Date(created).toISOString() },
});

test('objects come in the order of their age, and the list is the same until one changes', () => {
  const store = new ObjectStore();
  expect(store.replace(THINGS, [thing('b', '1', 2000), thing('a', '2', 2000), thing('c', '3', 1000)])).toBe(true);
  const names = () => store.all(THINGS).map(({ metadata }) => metadata.name);
  expect(names()).toEqual(['c', 'a', 'b']);
  expect(store.all(THINGS)).toBe(store.all(THINGS));
  expect(store.put(THINGS, thing('d', '4'))).toBe(true);
  expect(names()).toEqual(['d', 'c', 'a', 'b']);
  expect(store.remove(THINGS, 'n', 'c')).toBe(true);
  expect(store.remove(THINGS, 'n', 'c')).toBe(false);
  expect(store.get(THINGS, 'n', 'a')?.metadata.name).toBe('a');
  expect(store.get(THINGS, 'other', 'a')).toBeUndefined();
});

test('what is no news changes nothing: the same version, or one from before', () => {
  const store = new ObjectStore();
  store.put(THINGS, thing('a', '10'));
  expect(store.put(THINGS, thing('a', '10'))).toBe(false);
  expect(store.put(THINGS, thing('a', '9'))).toBe(false);
  expect(store.get(THINGS, 'n', 'a')?.metadata.resourceVersion).toBe('10');
  expect(store.put(THINGS, thing('a', '11'))).toBe(true);
  expect(store.put(THINGS, thing('a', '5', 0, 'made anew'))).toBe(true);
  expect(store.replace(THINGS, [thing('a', '5', 0, 'made anew')])).toBe(false);
  expect(store.replace(THINGS, [])).toBe(true);
  expect(store.all(THINGS)).toEqual([]);
});
