import { expect, test } from 'vitest';
import { BucketCounts, exposition, label, series } from '../../../src/status/exposition.ts';

test('a family with its series, each in a line', () => {
  const lines = [series('a_total', label('x', 'y'), 3), series('a_total', '', 4)];
  expect(exposition([{ name: 'a_total', type: 'counter', help: 'What it is.', lines }])).toBe(
    '# HELP a_total What it is.\n# TYPE a_total counter\na_total{x="y"} 3\na_total 4\n',
  );
});

test('nothing in a label ends it', () => {
  expect(label('x', 'a"b\\c\nd')).toBe('x="a\\"b\\\\c\\nd"');
});

test('a bucket has its upper end and all below it', () => {
  const counts = new BucketCounts([0.1, 1]);
  for (const value of [0, 0.1, 0.2, 1, 5]) counts.observe(value);
  expect(counts.lines('w', 'service="a"')).toEqual([
    'w_bucket{le="0.1",service="a"} 2',
    'w_bucket{le="1",service="a"} 4',
    'w_bucket{le="+Inf",service="a"} 5',
    'w_sum{service="a"} 6.3',
    'w_count{service="a"} 5',
  ]);
});
