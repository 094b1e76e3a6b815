import { expect, test } from 'vitest';
import { shareMap, shareSet } from '../../../src/xds/share.ts';

test('equal maps become one, others stay themselves', () => {
  const value = { version: '1' };
  const first = shareMap(
    new Map([
      ['a', value],
      ['b', value],
    ]),
  );
  expect(
    shareMap(
      new Map([
        ['b', value],
        ['a', value],
      ]),
    ),
  ).toBe(first);
  const others = [
    new Map([['a', value]]),
    new Map([
      ['a', value],
      ['c', value],
    ]),
    new Map([
      ['a', value],
      ['b', { version: '1' }],
    ]),
  ];
  for (const other of others) expect(shareMap(other)).toBe(other);
});

test('equal sets become one, others stay themselves', () => {
  const first = shareSet(new Set(['a', 'b']));
  expect(shareSet(new Set(['b', 'a']))).toBe(first);
  const other = new Set(['a', 'c']);
  expect(shareSet(other)).toBe(other);
});

test('what is not recent is forgotten', () => {
  const first = shareSet(new Set(['first']));
  for (let count = 0; count < 100; count++) shareSet(new Set([`other ${count}`]));
  expect(shareSet(new Set(['first']))).not.toBe(first);
});
