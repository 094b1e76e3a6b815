import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byPrecedence } from '../../../../src/model/precedence.ts';
import type { NamedMatch, PathMatch, RouteMatch } from '../../../../src/model/route.ts';
import { findHidden } from '../../../../src/routes/file/order.ts';
import { literalBeginning } from '../../../../src/routes/file/regex.ts';

const PATHS = ['/', '/a', '/a/', '/a/b', '/ab', '/b', '/a/b/c', '/b/', '/abb', '/a1'];
const HOSTS = ['x.y', 'z.x.y', 'q'];
const METHODS = ['GET', 'POST'];
const HEADERS = ['', 'one', 'two'];

const path = fc.oneof(
  fc.constantFrom('/', '/a', '/a/b', '/ab').map((text): PathMatch => ({ kind: 'exact', path: text })),
  fc.constantFrom('/', '/a', '/a/', '/b').map((prefix): PathMatch => ({ kind: 'prefix', prefix })),
  fc
    .constantFrom('/.*', '/a', '/a/.*', '/ab*', '/a/b|/b', '/a/?', '^/a/b$', '.*', '/a[1b]', '/a/b{0}')
    .map((regex): PathMatch => ({ kind: 'regex', regex })),
);
const header = fc.oneof(
  fc.constantFrom('one', 'two').map((text): NamedMatch => ({ name: 'h', value: { kind: 'exact', text } })),
  fc.constant<NamedMatch>({ name: 'h', value: { kind: 'present' } }),
);
const match: fc.Arbitrary<RouteMatch> = fc.record({
  path,
  hosts: fc.subarray(['x.y', '*.x.y', 'q']),
  methods: fc.subarray(METHODS),
  headers: fc.array(header, { maxLength: 1 }),
  query: fc.array(header, { maxLength: 1 }),
});

/** What a match takes, worked out without the code under test. */
function takes({ path: wanted, hosts, methods, headers, query }: RouteMatch, request: readonly string[]): boolean {
  const [at = '', host = '', method = '', value = '', parameter = ''] = request;
  const pathFits =
    wanted.kind === 'exact'
      ? at === wanted.path
      : wanted.kind === 'regex'
        ? new RegExp(`^(?:${wanted.regex})$`).test(at)
        : at.startsWith(wanted.prefix) &&
          (wanted.prefix.endsWith('/') || at === wanted.prefix || at[wanted.prefix.length] === '/');
  const hostFits =
    hosts.length === 0 || hosts.some((one) => (one.startsWith('*') ? host.endsWith(one.slice(1)) : host === one));
  const fits = (got: string) => (one: NamedMatch) => (one.value.kind === 'exact' ? got === one.value.text : got !== '');
  const headersFit = headers.every(fits(value)) && query.every(fits(parameter));
  return pathFits && hostFits && (methods.length === 0 || methods.includes(method)) && headersFit;
}

const REQUESTS = PATHS.flatMap((at) =>
  HOSTS.flatMap((host) =>
    METHODS.flatMap((method) =>
      HEADERS.flatMap((value) => HEADERS.map((parameter) => [at, host, method, value, parameter])),
    ),
  ),
);

describe('findHidden', () => {
  it('accuses nobody falsely: what it calls hidden takes nothing that the other does not take first', () => {
    let found = 0;
    fc.assert(
      fc.property(fc.array(match, { minLength: 2, maxLength: 6 }), (matches) => {
        const tried = matches.map((one) => ({ match: one })).sort((a, b) => byPrecedence(a.match, b.match));
        for (const { route, by } of findHidden(tried)) {
          found++;
          expect(tried.indexOf(by)).toBeLessThan(tried.indexOf(route));
          for (const request of REQUESTS) if (takes(route.match, request)) expect(takes(by.match, request)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
    expect(found).toBeGreaterThan(50);
  });

  it('finds every pair of equal paths where the first asks for less, or for the same', () => {
    fc.assert(
      fc.property(match, fc.subarray(METHODS), (outer, methods) => {
        const inner = { ...outer, methods: outer.methods.length === 0 ? methods : outer.methods };
        const [hidden] = findHidden([{ match: outer }, { match: inner }]);
        expect(hidden?.because).toBe(inner.methods.length === outer.methods.length ? 'same' : 'order');
      }),
    );
  });

  const at = (...hosts: readonly string[]) => ({
    match: { path: { kind: 'exact', path: '/' }, hosts, methods: [], headers: [], query: [] } as const,
  });

  it('knows which hosts fall under which', () => {
    expect(findHidden([at(), at('x.y')])).toHaveLength(1);
    expect(findHidden([at('*.y'), at('x.y', '*.x.y')])).toHaveLength(1);
    expect(findHidden([at('a.y', 'x.y'), at('x.y')])).toHaveLength(1);
    expect(findHidden([at('*.y'), at('y')])).toEqual([]);
    expect(findHidden([at('*.x.y'), at('*.y')])).toEqual([]);
    expect(findHidden([at('x.y'), at()])).toEqual([]);
  });

  it('never finds a route for hosts hidden by one for more hosts, for it is tried before', () => {
    const sorted = [at(), at('*.y'), at('*.x.y'), at('x.y')].sort((a, b) => byPrecedence(a.match, b.match));
    expect(sorted.map(({ match: { hosts } }) => hosts)).toEqual([['x.y'], ['*.x.y'], ['*.y'], []]);
    expect(findHidden(sorted)).toEqual([]);
  });
});

describe('literalBeginning', () => {
  it.each([
    ['/v1/.*', '/v1/'],
    ['^/v1', '/v1'],
    ['/v1?', '/v'],
    ['/ab*', '/a'],
    ['/ab{0}', '/a'],
    ['/a|/b', ''],
    ['(?i)/a', ''],
    ['/v1\\.0', '/v1'],
    ['/v1.0', '/v1'],
  ])('of %s is %j', (regex, beginning) => {
    expect(literalBeginning(regex)).toBe(beginning);
  });
});
