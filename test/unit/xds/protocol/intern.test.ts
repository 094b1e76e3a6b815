import { expect, test } from 'vitest';
import { intern } from '../../../../src/xds/protocol/intern.ts';

test('every text comes back equal, however many there are and however long they are', () => {
  const texts = Array.from({ length: 50_000 }, (_, index) => `name-${index}`);
  expect(texts.map(intern)).toEqual(texts);
  expect(texts.map(intern)).toEqual(texts);
  const long = 'x'.repeat(1000);
  expect(intern(long)).toBe(long);
});
