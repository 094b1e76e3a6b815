import { expect, test } from 'vitest';
import { exposition, histogram, label, series } from '../../../src/status/exposition.ts';
import { samples } from './exposition.ts';

test('names, labels and values; what a label says is escaped', () => {
  expect(series('a', '', 1)).toBe('a 1');
  expect(series('a', label('b', 'c\\d"e\nf'), 2)).toBe('a{b="c\\\\d\\"e\\nf"} 2');
});

test('a family has help and type, and ends with a line break', () => {
  expect(exposition([{ name: 'a', type: 'gauge', help: 'h', lines: ['a 1'] }])).toBe(
    '# HELP a h\n# TYPE a gauge\na 1\n',
  );
});

test('a histogram: each bucket has all below it, those that are not shown included', () => {
  const lines = histogram('h', 'x="y"', {
    ends: [1, 2, 5],
    counts: [1, 2, 4, 8],
    sum: 60,
    shown: [
      [0, '1'],
      [2, '5'],
    ],
  });
  expect(Object.fromEntries(samples(lines.join('\n')))).toEqual({
    'h_bucket{le="1",x="y"}': 1,
    'h_bucket{le="5",x="y"}': 7,
    'h_bucket{le="+Inf",x="y"}': 15,
    'h_sum{x="y"}': 60,
    'h_count{x="y"}': 15,
  });
});
