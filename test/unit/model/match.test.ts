import { expect, test } from 'vitest';
import { mismatches, type RequestHead } from '../../../src/model/match.ts';
import type { RouteMatch } from '../../../src/model/route.ts';

const request: RequestHead = {
  method: 'GET',
  host: 'a.example',
  path: '/v1/x',
  headers: new Map([['x-tier', 'gold']]),
  query: new Map([
    ['model', 'large'],
    ['debug', ''],
  ]),
};
const any: RouteMatch = { path: { kind: 'prefix', prefix: '/' }, hosts: [], methods: [], headers: [], query: [] };
const wholeMatch = (regex: string, text: string) => new RegExp(`^(?:${regex})$`).test(text);

function why(match: Partial<RouteMatch>): readonly string[] {
  return mismatches({ ...any, ...match }, request, wholeMatch);
}

test.each<[string, Partial<RouteMatch>]>([
  ['anything', {}],
  ['the prefix', { path: { kind: 'prefix', prefix: '/v1' } }],
  ['the prefix with its slash', { path: { kind: 'prefix', prefix: '/v1/' } }],
  ['the whole path as a prefix', { path: { kind: 'prefix', prefix: '/v1/x' } }],
  ['the exact path', { path: { kind: 'exact', path: '/v1/x' } }],
  ['the regex', { path: { kind: 'regex', regex: '/v[0-9]/.*' } }],
  ['the host', { hosts: ['b.example', 'a.example'] }],
  ['the wildcard', { hosts: ['*.example'] }],
  ['the method', { methods: ['POST', 'GET'] }],
  ['the header', { headers: [{ name: 'x-tier', value: { kind: 'exact', text: 'gold' } }] }],
  ['the parameter', { query: [{ name: 'model', value: { kind: 'exact', text: 'large' } }] }],
  ['that the parameter is there', { query: [{ name: 'debug', value: { kind: 'present' } }] }],
  ['that the header is there', { headers: [{ name: 'x-tier', value: { kind: 'present' } }] }],
])('taken by %s', (_, match) => {
  expect(why(match)).toEqual([]);
});

test.each<[string, Partial<RouteMatch>]>([
  ['the path does not begin with /v1/x/y', { path: { kind: 'prefix', prefix: '/v1/x/y' } }],
  ['the path does not begin with /v as a whole segment', { path: { kind: 'prefix', prefix: '/v' } }],
  ['the path is not exactly /v1', { path: { kind: 'exact', path: '/v1' } }],
  ['the whole path does not match /v1', { path: { kind: 'regex', regex: '/v1' } }],
  ['the host is a.example, not example or *.a.example', { hosts: ['example', '*.a.example'] }],
  ['the method is GET, not POST', { methods: ['POST'] }],
  ['there is no header x-none', { headers: [{ name: 'x-none', value: { kind: 'present' } }] }],
  ['the header x-tier is gold, not tin', { headers: [{ name: 'x-tier', value: { kind: 'exact', text: 'tin' } }] }],
  ['there is no query parameter none', { query: [{ name: 'none', value: { kind: 'present' } }] }],
  ['the query parameter debug is empty, not 1', { query: [{ name: 'debug', value: { kind: 'exact', text: '1' } }] }],
])('not taken: %s', (reason, match) => {
  expect(why(match)).toEqual([reason]);
});

test('every reason is told', () => {
  expect(why({ hosts: ['b.example'], methods: ['POST'], path: { kind: 'exact', path: '/' } })).toHaveLength(3);
});
