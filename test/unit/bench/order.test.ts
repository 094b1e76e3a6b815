import { describe, expect, it } from 'vitest';
import { startOrder } from '../../../bench/compare/measures/order.ts';

const starts = (...pairs: [sent: number, started: number][]) => pairs.map(([sent, started]) => ({ sent, started }));

describe('startOrder', () => {
  it('finds nothing in a line', () => {
    expect(startOrder(starts([0, 1], [10, 50], [20, 90]))).toEqual({
      compared: 3,
      pairs: 0,
      overtaken: 0,
      mostPlaces: 0,
    });
  });

  it('counts pairs, those overtaken, and the most places that one lost', () => {
    const line = starts([20, 2], [0, 100], [10, 50], [40, 45]);
    // The first by two and three others, the second by two.
    expect(startOrder(line)).toEqual({ compared: 4, pairs: 4, overtaken: 2, mostPlaces: 3 });
  });

  it('does not call what happens at about the same time an overtaking', () => {
    expect(startOrder(starts([0, 100], [1.9, 50])).pairs).toBe(0);
    expect(startOrder(starts([0, 100], [2.1, 50])).pairs).toBe(1);
    expect(startOrder(starts([0, 54.9], [10, 50])).pairs).toBe(0);
  });
});
