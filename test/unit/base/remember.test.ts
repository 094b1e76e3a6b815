import { expect, test } from 'vitest';
import { remember } from '../../../src/base/remember.ts';

test('makes one value for one object, and another for another that looks the same', () => {
  const memory = new WeakMap<{ name: string }, { of: string }>();
  const make = ({ name }: { name: string }) => ({ of: name });
  const key = { name: 'codec' };
  const value = remember(memory, key, make);
  expect(value).toEqual({ of: 'codec' });
  expect(remember(memory, key, make)).toBe(value);
  expect(remember(memory, { ...key }, make)).not.toBe(value);
});
