import { describe, expect, it } from 'vitest';
import { ms, percent, table, times, withRange } from '../../../bench/compare/report/format.ts';
import { medianOf, middle, overIdeal, ratios } from '../../../bench/compare/report/statistics.ts';
import { madeUpRun } from './made-up-results.ts';

const runs = [130, 110, 120].map((mean, repeat) => madeUpRun('sluice', repeat, mean));

describe('medianOf', () => {
  it('has the middle and the range', () => {
    expect(medianOf(runs, ({ response }) => response.mean)).toEqual({ median: 120, least: 110, most: 130 });
    expect(medianOf(runs.slice(0, 2), ({ response }) => response.mean)?.median).toBe(120);
    expect(medianOf(runs, overIdeal)?.median).toBeCloseTo(1.2);
  });

  it('passes over what has no value', () => {
    expect(medianOf(runs, ({ repeat }) => (repeat === 0 ? null : repeat))).toEqual({ median: 1.5, least: 1, most: 2 });
    expect(medianOf([], overIdeal)).toBeUndefined();
  });
});

describe('ratios', () => {
  it('compares repeat by repeat, whatever their order', () => {
    const others = [100, 100, 60].map((mean, repeat) => madeUpRun('haproxy', repeat, mean)).reverse();
    const result = { name: 'x', date: '', quick: false, skipped: {}, runs: [...others, ...runs] };
    expect(ratios(result, 'sluice', 'haproxy')).toEqual([1.3, 1.1, 2]);
  });

  it('has nothing where one of them did not run', () => {
    expect(ratios({ name: 'x', date: '', quick: false, skipped: {}, runs }, 'sluice', 'haproxy')).toEqual([]);
  });
});

describe('middle', () => {
  it('is the median', () => {
    expect([middle([3, 1, 2]), middle([4, 1, 2, 3]), middle([])]).toEqual([2, 2.5, Number.NaN]);
  });
});

describe('figures on the page', () => {
  it('have as many digits as mean something', () => {
    expect([1.234, 12.34, 1234.5, null, undefined, Number.NaN].map(ms)).toEqual([
      '1.23',
      '12.3',
      '1235',
      '–',
      '–',
      '–',
    ]);
    expect([0, 0.0001, 0.034, 0.34, undefined].map(percent)).toEqual(['0', '< 0.1 %', '3.4 %', '34 %', '–']);
    expect(times(1.049)).toBe('1.05 ×');
  });

  it('show the range only where there is one', () => {
    expect(withRange({ median: 2, least: 1, most: 3 }, ms)).toBe('2.00 (1.00–3.00)');
    expect(withRange({ median: 2, least: 2, most: 2 }, ms)).toBe('2.00');
    expect(withRange(undefined, ms)).toBe('–');
  });

  it('stand in Markdown tables with the first column to the left', () => {
    expect(table(['', 'a'], [['x', '1']])).toBe('|  | a |\n| --- | ---: |\n| x | 1 |');
  });
});
