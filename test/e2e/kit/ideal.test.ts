import { describe, expect, it } from 'vitest';
import { idealFifo } from './ideal.ts';
import { exponential, seeded } from './random.ts';

describe('idealFifo', () => {
  it('starts each request at the first free server, in the order of arrival', () => {
    const { starts, waits, responses, makespan } = idealFifo([0, 1, 2, 3], [10, 4, 1, 1], 2);
    expect(starts).toEqual([0, 1, 5, 6]);
    expect(waits).toEqual([0, 0, 3, 3]);
    expect(responses).toEqual([10, 4, 4, 4]);
    expect(makespan).toBe(10);
  });

  it('does not mind the order in which the arrivals are given', () => {
    expect(idealFifo([3, 0], [1, 10], 1).starts).toEqual([10, 0]);
  });

  it('agrees with the known mean wait of an M/M/1 line', () => {
    // Load 0.5, mean service 1: the mean wait is 0.5 / (1 - 0.5) = 1.
    const random = seeded(3);
    const [gap, work] = [exponential(2), exponential(1)];
    let at = 0;
    const arrivals = Array.from({ length: 200_000 }, () => {
      at += gap(random);
      return at;
    });
    const { waits } = idealFifo(
      arrivals,
      arrivals.map(() => work(random)),
      1,
    );
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length;
    expect(mean).toBeGreaterThan(0.93);
    expect(mean).toBeLessThan(1.07);
  });

  it('refuses what cannot be simulated', () => {
    expect(() => idealFifo([0], [], 1)).toThrow('one service time per arrival');
    expect(() => idealFifo([0], [1], 0)).toThrow('never ends');
  });
});
