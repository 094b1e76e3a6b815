import { expect, test } from 'vitest';
import { parseAdminUrl } from '../../../src/commands/status.ts';

test.each([
  ['http://127.0.0.1:18001', '127.0.0.1', 18_001],
  ['http://127.0.0.1:18001/', '127.0.0.1', 18_001],
  ['localhost:1', 'localhost', 1],
  ['http://[::1]:18001', '::1', 18_001],
  ['[::1]:18001', '::1', 18_001],
])('%s', (text, host, port) => {
  expect(parseAdminUrl(text)).toEqual({ host, port });
});

test.each(['', '18001', 'http://127.0.0.1', 'https://127.0.0.1:1', '::1:18001', 'a:1/status', 'a:99999', 'http://:1'])(
  'refuses %j with a good one',
  (text) => {
    expect(() => parseAdminUrl(text)).toThrow(/^Write /);
  },
);
