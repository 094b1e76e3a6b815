import { describe, expect, it } from 'vitest';
import { bursts, day, rising, steady } from '../../../bench/compare/arrivals.ts';

const between = (plan: readonly { at: number }[], from: number, to: number) =>
  plan.filter(({ at }) => at >= from && at < to).length;

describe('bursts', () => {
  it('sends all requests of a burst at once, and each burst after the last', () => {
    const plan = bursts({ count: 3, times: 4, everyMs: 100 });
    expect(plan.map(({ at }) => at)).toEqual([0, 0, 0, 100, 100, 100, 200, 200, 200, 300, 300, 300]);
    expect(new Set(plan.map(({ id }) => id)).size).toBe(12);
  });
});

describe('steady', () => {
  it('is a Poisson process of this rate that lasts as long as it should', () => {
    const plan = steady(10_000, 200, { seed: 3, from: 500 });
    expect(plan.length).toBeGreaterThan(1850);
    expect(plan.length).toBeLessThan(2150);
    const last = plan.at(-1)?.at ?? 0;
    expect(last).toBeGreaterThan(10_400);
    expect(last).toBeLessThan(10_500);
    expect(plan[0]?.at).toBeGreaterThan(500);
  });

  it('is the same for the same seed, and another for another', () => {
    expect(steady(1000, 50, { seed: 1 })).toEqual(steady(1000, 50, { seed: 1 }));
    expect(steady(1000, 50, { seed: 1 })).not.toEqual(steady(1000, 50, { seed: 2 }));
  });
});

describe('day', () => {
  it('has its peak at noon and its lowest rate at both ends', () => {
    const plan = day({ durationMs: 10_000, perSecond: 200, peak: 1.8 }, { seed: 5 });
    const [night, noon, evening] = [between(plan, 0, 1000), between(plan, 4500, 5500), between(plan, 9000, 10_000)];
    // 360 and about 47 a second.
    expect(noon).toBeGreaterThan(300);
    expect(night).toBeLessThan(90);
    expect(evening).toBeLessThan(90);
    expect(plan.length).toBeGreaterThan(1800);
    expect(plan.length).toBeLessThan(2200);
  });
});

describe('rising', () => {
  it('begins at one rate and ends at the other', () => {
    const plan = rising({ durationMs: 10_000, from: 20, to: 400 }, { seed: 6 });
    expect(between(plan, 0, 1000)).toBeLessThan(70);
    expect(between(plan, 9000, 10_000)).toBeGreaterThan(320);
  });
});
