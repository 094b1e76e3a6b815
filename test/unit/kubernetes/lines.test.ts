import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitLines } from '../../../src/kubernetes/lines.ts';

test('lines come out whole, whatever the pieces', () => {
  const line = fc.string({ unit: fc.constantFrom('a', '{', '"', 'é', ' '), maxLength: 12 });
  const cuts = fc.array(fc.nat(200), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(line), cuts, (lines, at) => {
      const text = lines.map((each) => `${each}\n`).join('');
      const places = [...new Set(at.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
      const got: string[] = [];
      const take = splitLines((each) => got.push(each));
      let from = 0;
      for (const place of [...places, text.length]) {
        take(text.slice(from, place));
        from = place;
      }
      expect(got).toEqual(lines.filter((each) => each !== ''));
    }),
  );
});

test('what has no end yet is kept back', () => {
  const got: string[] = [];
  const take = splitLines((each) => got.push(each));
  take('one\ntw');
  expect(got).toEqual(['one']);
  take('o\n');
  expect(got).toEqual(['one', 'two']);
});
