import { expect, test } from 'vitest';
import { TYPE_URLS } from '../../../../src/snapshot/resource.ts';
import { fill, without } from '../../../../src/xds/protocol/fill.ts';

const resource = (name: string) => ({ typeUrl: TYPE_URLS.routes, name, version: name, body: Buffer.alloc(10) });
const due = ['a', 'b', 'c'].map(resource);
const names = (...args: Parameters<typeof fill>) => {
  const { resources, more } = fill(...args);
  return `${resources.map(({ name }) => name).join('')}${more ? '…' : ''}`;
};

test('takes what fits, but at least one', () => {
  expect(names(due, new Set(), 30)).toBe('abc');
  expect(names(due, new Set(), 29)).toBe('ab…');
  expect(names(due, new Set(), 1)).toBe('a…');
  expect(names([], new Set(), 1)).toBe('');
});

test('one that is to be alone shares with nobody', () => {
  expect(names(due, new Set(['a']), 30)).toBe('a…');
  expect(names(due, new Set(['b']), 30)).toBe('a…');
  expect(names(due, new Set(['c']), 30)).toBe('ab…');
});

test('what was sent is left out', () => {
  expect([...without(new Set(['a', 'z']), due)]).toEqual(['z']);
  const none = new Set<string>();
  expect(without(none, due)).toBe(none);
});
