import { expect, test } from 'vitest';
import { grpcTarget, isPrivate } from '../../../../src/xds/server/address.ts';

test.each([
  [{ kind: 'tcp', host: '127.0.0.1', port: 18000 }, '127.0.0.1:18000'],
  [{ kind: 'tcp', host: '::1', port: 18000 }, '[::1]:18000'],
  [{ kind: 'tcp', host: 'localhost', port: 0 }, 'localhost:0'],
  [{ kind: 'unix', path: '/run/sluice/xds.sock' }, 'unix:/run/sluice/xds.sock'],
] as const)('%j is %s', (address, target) => {
  expect(grpcTarget(address)).toBe(target);
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['xds.example', false],
  ['127.evil.example', false],
])('%s is private: %s', (host, expected) => {
  expect(isPrivate({ kind: 'tcp', host, port: 1 })).toBe(expected);
  expect(isPrivate({ kind: 'unix', path: '/run/xds.sock' })).toBe(true);
});
