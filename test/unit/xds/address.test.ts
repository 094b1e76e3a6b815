import { expect, test } from 'vitest';
import { grpcTarget } from '../../../src/xds/address.ts';

test.each([
  [{ kind: 'tcp', host: '127.0.0.1', port: 18000 }, '127.0.0.1:18000'],
  [{ kind: 'tcp', host: '::1', port: 18000 }, '[::1]:18000'],
  [{ kind: 'tcp', host: 'localhost', port: 0 }, 'localhost:0'],
  [{ kind: 'unix', path: '/run/sluice/xds.sock' }, 'unix:/run/sluice/xds.sock'],
] as const)('%j is %s', (address, target) => {
  expect(grpcTarget(address)).toBe(target);
});
