import { expect, test } from 'vitest';
import { type LastList, remember, rememberEach } from '../../../src/base/remember.ts';

test('makes one value for one object, and another for another that looks the same', () => {
  const memory = new WeakMap<{ name: string }, { of: string }>();
  const make = ({ name }: { name: string }) => ({ of: name });
  const key = { name: 'codec' };
  const value = remember(memory, key, make);
  expect(value).toEqual({ of: 'codec' });
  expect(remember(memory, key, make)).toBe(value);
  expect(remember(memory, { ...key }, make)).not.toBe(value);
});

test('a list is made of what was made before, as far as it is the same', () => {
  const last: LastList<string, { of: string }> = { keys: [], values: [] };
  const made: string[] = [];
  const make = (key: string) => {
    made.push(key);
    return { of: key };
  };
  const first = rememberEach(last, ['a', 'b', 'c'], make);
  expect(rememberEach(last, ['a', 'b', 'c'], make)).toBe(first);
  const second = rememberEach(last, ['a', 'x', 'c', 'd'], make);
  expect(second.map(({ of }) => of)).toEqual(['a', 'x', 'c', 'd']);
  expect(second[0]).toBe(first[0]);
  expect(rememberEach(last, ['a'], make)).toEqual([{ of: 'a' }]);
  expect(made).toEqual(['a', 'b', 'c', 'x', 'd']);
});
