import { expect, test } from 'vitest';
import { formatHostPort } from '../../../src/base/host-port.ts';

test.each([
  ['127.0.0.1', '127.0.0.1:9901'],
  ['localhost', 'localhost:9901'],
  ['::1', '[::1]:9901'],
])('%s', (host, expected) => {
  expect(formatHostPort({ host, port: 9901 })).toBe(expected);
});
