import { expect, test } from 'vitest';
import { type Paint, printable, table } from '../../../src/status/table.ts';

const plain: Paint = (_, text) => text;
const marked: Paint = (tone, text) => `<${tone}>${text}</>`;

test('columns are as wide as their widest cell, and lines have no spaces at their end', () => {
  expect(
    table(
      ['A', 'LONGER', 'C'],
      [
        ['first', 'x', ''],
        ['y', { text: 'good one', tone: 'good' }, 'z'],
      ],
      plain,
    ),
  ).toBe(['A      LONGER    C', 'first  x', 'y      good one  z'].join('\n'));
});

test('colour codes do not count as width', () => {
  expect(table(['A', 'B'], [[{ text: 'x', tone: 'bad' }, 'y']], marked)).toBe(
    ['<heading>A</>  <heading>B</>', '<bad>x</>  y'].join('\n'),
  );
  expect(table(['AAA', 'B'], [[{ text: 'x', tone: 'bad' }, 'y']], marked)).toContain('<bad>x  </>  y');
});

test('what others say cannot steer the terminal or break a line', () => {
  expect(printable('a\u001b[2Jb\u009bc\r\nd\te')).toBe('a\u{fffd}[2Jb\u{fffd}c d e');
  expect(table(['A'], [['x\ny'], [{ text: '\u0007', tone: 'bad' }]], plain)).toBe('A\nx y\n\u{fffd}');
});

test('columns are left out, in the order that is given, as long as the table is too wide', () => {
  const draw = (width: number) =>
    table(['AAA', 'BBB', 'CCC'], [['1', '2', '3']], plain, { width, drop: ['CCC', 'BBB'] });
  expect(draw(13)).toBe('AAA  BBB  CCC\n1    2    3');
  expect(draw(12)).toBe('AAA  BBB\n1    2');
  expect(draw(2)).toBe('AAA\n1');
});
