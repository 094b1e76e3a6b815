import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { narrowerHost, takesHost } from '../../../src/model/host.ts';
import { byPrecedence, byPrecedenceAt, byRoutePrecedence } from '../../../src/model/precedence.ts';
import type { RouteMatch } from '../../../src/model/route.ts';
import { matchOf, originOf, routeOf } from './routing-parts.ts';

const prefix = (text: string) => ({ path: { kind: 'prefix', prefix: text } as const });
const start = (text: string) => ({ path: { kind: 'start', prefix: text } as const });
const exact = (text: string) => ({ path: { kind: 'exact', path: text } as const });
const regex = (text: string) => ({ path: { kind: 'regex', regex: text } as const });
const named = (...names: readonly string[]) => names.map((name) => ({ name, value: { kind: 'present' } as const }));

/** In the order in which they are tried. */
const TRIED: readonly Partial<RouteMatch>[] = [
  { hosts: ['a.b.example'], ...exact('/') },
  { hosts: ['a.b.example'], ...regex('/.*') },
  { hosts: ['*.b.example'], ...exact('/x') },
  { hosts: ['*.example'], ...exact('/x') },
  exact('/x'),
  { ...prefix('/long/er'), methods: ['GET'] },
  { ...prefix('/long/er'), headers: named('a', 'b') },
  { ...prefix('/long/er'), headers: named('a'), query: named('q') },
  { ...prefix('/long/er'), headers: named('a') },
  { ...prefix('/long/er'), query: named('q') },
  prefix('/long/er'),
  start('/long/er'),
  prefix('/long'),
  regex('/long/er'),
];

describe('byPrecedence', () => {
  it('tries hosts before paths before other conditions', () => {
    const wanted = TRIED.map(matchOf);
    fc.assert(
      fc.property(fc.shuffledSubarray([...wanted], { minLength: wanted.length }), (shuffled) => {
        expect(shuffled.toSorted(byPrecedence)).toEqual(wanted);
      }),
    );
  });
});

describe('byRoutePrecedence', () => {
  it('puts the file before objects, older before younger ones, and then goes by name', () => {
    const routes = [
      routeOf('file'),
      routeOf('old', { origin: originOf('z', 1) }),
      routeOf('a', { origin: originOf('a', 2) }),
      routeOf('b', { origin: originOf('b', 2) }),
      routeOf('group, first', {
        origin: originOf('g', 0),
        order: { group: 'g', index: 0 },
        match: matchOf(prefix('/')),
      }),
      routeOf('group, then', {
        origin: originOf('g', 0),
        order: { group: 'g', index: 1 },
        match: matchOf(exact('/x')),
      }),
    ];
    expect(routes.toReversed().toSorted(byRoutePrecedence)).toEqual(routes);
  });

  it('looks, at one host, only at what of a route takes that host', () => {
    const both = routeOf('both', { match: matchOf({ hosts: ['a.example', '*.other'] }) });
    const wild = routeOf('wild', { match: matchOf({ hosts: ['*.example'], ...exact('/x') }) });
    expect([wild, both].toSorted(byPrecedenceAt('a.example'))).toEqual([both, wild]);
    expect([wild, both].toSorted(byRoutePrecedence)).toEqual([wild, both]);
  });
});

describe('hosts', () => {
  it.each([
    ['a.example', 'a.example', true],
    ['*.example', 'a.example', true],
    ['*.example', 'a.b.example', true],
    ['*.example', 'example', false],
    ['*.example', '.example', false],
    ['*.example', '*.b.example', true],
    ['a.example', '*.example', false],
  ])('%s takes %s: %s', (own, host, takes) => {
    expect(takesHost(own, host)).toBe(takes);
  });

  it.each([
    [undefined, undefined, {}],
    [undefined, 'a.x', { host: 'a.x' }],
    ['a.x', undefined, { host: 'a.x' }],
    ['a.x', '*.x', { host: 'a.x' }],
    ['*.x', '*.a.x', { host: '*.a.x' }],
    ['a.x', 'b.x', undefined],
  ])('what %s and %s both take is %o', (a, b, both) => {
    expect(narrowerHost(a, b)).toEqual(both);
  });
});
