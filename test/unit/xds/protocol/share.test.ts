import { expect, test } from 'vitest';
import { changeMap, shareMap, shareSet } from '../../../../src/xds/protocol/share.ts';

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

test('the same change of the same map is one map', () => {
  const before = new Map([
    ['a', 1],
    ['b', 2],
  ]);
  const after = changeMap(before, [
    ['b', 3],
    ['a', undefined],
    ['c', 4],
  ]);
  expect([...after]).toEqual([
    ['b', 3],
    ['c', 4],
  ]);
  expect([...before].length).toBe(2);
  const same = [
    ['b', 3],
    ['a', undefined],
    ['c', 4],
  ] as const;
  expect(changeMap(before, same)).toBe(after);
  expect(changeMap(before, [['b', 3]])).not.toBe(after);
  // The newest is not the only one that is known.
  expect(changeMap(before, same)).toBe(after);
  expect(changeMap(new Map(before), same)).not.toBe(after);
  expect(changeMap(before, [])).toBe(before);
  expect(shareMap(after)).toBe(after);
});
