import { expect, test } from 'vitest';
import { copyMap } from '../../../src/base/copy-map.ts';

test('the same entries in the same order, in a map of its own', () => {
  const map = new Map([
    ['b', 1],
    ['a', 2],
  ]);
  const copy = copyMap(map);
  expect([...copy]).toEqual([...map]);
  copy.set('c', 3).delete('b');
  expect([...map.keys()]).toEqual(['b', 'a']);
});
