import { expect, test } from 'vitest';
import { clientNames, mayUse } from '../../../../src/xds/protocol/client-names.ts';

test.each([
  [undefined, []],
  ['', []],
  ['DNS:envoy.example', ['envoy.example']],
  ['URI:spiffe://a/b, DNS:envoy.example, IP Address:127.0.0.1', ['spiffe://a/b', 'envoy.example']],
  ['URI:https://a/b, email:a@b', []],
  // What Node makes of a single DNS name that holds a comma.
  ['DNS:"evil.example, URI:spiffe://a/b", DNS:honest.example', ['honest.example']],
  ['URI:"spiffe://a/b\\u002c DNS:c"', []],
])('the names in %s', (subjectAltName, expected) => {
  expect(clientNames(subjectAltName)).toEqual(expected);
});

test.each([
  [['spiffe://a/envoy'], 'one', true],
  [['spiffe://a/envoy'], 'two', false],
  [['spiffe://a/envoy-2'], 'one', false],
  [['spiffe://b/any', 'other'], 'edge-7', true],
  [['spiffe://b'], 'edge-7', false],
  [[], 'one', false],
])('clients with the names %j may speak for %s: %s', (names, node, expected) => {
  const rules = [
    { client: 'spiffe://a/envoy', node: 'one' },
    { client: 'spiffe://b/*', node: 'edge-*' },
  ];
  expect(mayUse(rules, names, node)).toBe(expected);
});
