import { describe, expect, it } from 'vitest';
import {
  bimodalJobs,
  exponentialJobs,
  fixedJobs,
  heavyTailJobs,
  type Jobs,
} from '../../../bench/compare/service-times.ts';
import { seeded } from '../../e2e/kit/random.ts';

function draws({ draw }: Jobs, count = 20_000): readonly number[] {
  const random = seeded(11);
  return Array.from({ length: count }, () => draw(random));
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('jobs', () => {
  it.each([fixedJobs(20), exponentialJobs(150), bimodalJobs(100, 1500, 0.15)])(
    '$title: has the mean it says',
    (jobs) => {
      const found = mean(draws(jobs));
      expect(found / jobs.meanMs).toBeGreaterThan(0.97);
      expect(found / jobs.meanMs).toBeLessThan(1.03);
    },
  );

  it('with a heavy tail are mostly short, and a few are most of the work', () => {
    const values = [...draws(heavyTailJobs(150))].sort((a, b) => a - b);
    expect(values[10_000]).toBeLessThan(90);
    expect(values.at(-1)).toBe(3000);
    const longest = values.slice(-2000).reduce((sum, value) => sum + value, 0);
    expect(longest / values.reduce((sum, value) => sum + value, 0)).toBeGreaterThan(0.4);
  });

  it('of two kinds are short or long and nothing else', () => {
    const jobs = bimodalJobs(100, 1500, 0.1);
    expect(new Set(draws(jobs))).toEqual(new Set([100, 1500]));
    expect(jobs.title).toBe('bimodal, 90 % of 100 ms and 10 % of 1500 ms');
  });
});
