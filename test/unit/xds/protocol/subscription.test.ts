import { expect, test } from 'vitest';
import { TYPE_URLS } from '../../../../src/snapshot/resource.ts';
import {
  changeNames,
  isFullListType,
  NO_SUBSCRIPTION,
  replaceNames,
  type Subscription,
  wants,
} from '../../../../src/xds/protocol/subscription.ts';

const { cluster, endpoints, listener, routes, extension, secret } = TYPE_URLS;
const of = ({ wildcard, names }: Subscription) => (wildcard ? ['*', ...names] : [...names]);

test('clusters and listeners are the types whose answers hold the full list', () => {
  expect([cluster, listener, endpoints, routes, secret, extension].map(isFullListType)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test.each([
  ['an empty first list is everything', cluster, [[]], ['*']],
  ['but not of endpoints', endpoints, [[]], []],
  ['it stays everything while no name is asked for', listener, [[], []], ['*']],
  ['a name replaces everything', cluster, [[], ['a']], ['a']],
  ['after a name an empty list is nothing', cluster, [['a'], []], []],
  ['after * an empty list is nothing', cluster, [['*'], []], []],
  ['* is everything, of any type', endpoints, [['*', 'a']], ['*', 'a']],
  ['the empty name is nothing', cluster, [['']], []],
  ['and counts as a name', cluster, [[''], []], []],
  ['names count once', endpoints, [['a', 'b', 'a']], ['a', 'b']],
])('state of the world: %s', (_, typeUrl, lists, expected) => {
  const result = lists.reduce((before, list) => replaceNames(before, typeUrl, list), NO_SUBSCRIPTION);
  expect(of(result)).toEqual(expected);
});

type Change = readonly [subscribe: readonly string[], unsubscribe: readonly string[]];
const cases: readonly (readonly [string, string, readonly Change[], readonly string[]])[] = [
  ['an empty first list is everything', cluster, [[[], []]], ['*']],
  ['but not of endpoints', endpoints, [[[], []]], []],
  [
    'an empty list later on changes nothing',
    cluster,
    [
      [['a'], []],
      [[], []],
    ],
    ['a'],
  ],
  [
    'names join everything',
    cluster,
    [
      [[], []],
      [['a'], []],
    ],
    ['*', 'a'],
  ],
  [
    '* unsubscribed leaves the names',
    cluster,
    [
      [[], []],
      [['a'], []],
      [[], ['*']],
    ],
    ['a'],
  ],
  [
    'a name unsubscribed leaves everything',
    cluster,
    [
      [['*', 'a'], []],
      [[], ['a']],
    ],
    ['*'],
  ],
  [
    'a name in both lists is subscribed',
    endpoints,
    [
      [['a'], []],
      [['a'], ['a']],
    ],
    ['a'],
  ],
  [
    '* in both lists is subscribed',
    cluster,
    [
      [['*'], []],
      [['*'], ['*']],
    ],
    ['*'],
  ],
  ['the empty name is nothing', cluster, [[[''], []]], []],
];
test.each(cases)('delta: %s', (_, typeUrl, changes, expected) => {
  const result = changes.reduce((before, [subscribe, unsubscribe], index) => {
    return changeNames(before, typeUrl, { subscribe, unsubscribe }, index === 0);
  }, NO_SUBSCRIPTION);
  expect(of(result)).toEqual(expected);
});

test('a name is wanted by itself or by the wildcard', () => {
  const names = new Set(['a']);
  expect(wants({ wildcard: false, names, length: 1, named: true }, 'a')).toBe(true);
  expect(wants({ wildcard: false, names, length: 1, named: true }, 'b')).toBe(false);
  expect(wants({ wildcard: true, names, length: 1, named: true }, 'b')).toBe(true);
});
