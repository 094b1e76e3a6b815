import { expect, test } from 'vitest';
import { rawMethod } from '../../../src/base/raw-method.ts';

test.each([
  ['neither', false, false],
  ['requests', true, false],
  ['responses', false, true],
  ['both', true, true],
] as const)('streaming %s', (streaming, requestStream, responseStream) => {
  expect(rawMethod('/a.Service/Method', streaming)).toMatchObject({
    path: '/a.Service/Method',
    requestStream,
    responseStream,
  });
});

test('bytes go in and out as they are, not copied', () => {
  const method = rawMethod('/a.Service/Method', 'both');
  const bytes = Buffer.from('bytes');
  for (const way of [
    method.requestSerialize,
    method.requestDeserialize,
    method.responseSerialize,
    method.responseDeserialize,
  ]) {
    expect(way(bytes)).toBe(bytes);
  }
});
