import { describe, expect, it } from 'vitest';
import { burst, poisson, poissonCurve, rateFor, spaced } from './load-plan.ts';
import { bimodal, exponential, fixed, heavyTail, lognormal, type ServiceTime, seeded } from './random.ts';
import { spread } from './spread.ts';

const draw = (time: ServiceTime, count = 100_000) => {
  const random = seeded(11);
  return spread(Array.from({ length: count }, () => time(random)));
};

describe('the seeded generator', () => {
  it('gives the same numbers for the same seed and others for another', () => {
    const [a, b, c] = [seeded(1), seeded(1), seeded(2)];
    const first = [a(), a(), a()];
    expect([b(), b(), b()]).toEqual(first);
    expect([c(), c(), c()]).not.toEqual(first);
  });

  it('spreads evenly over 0 to 1', () => {
    const { mean, median, max } = draw((random) => random());
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(median - 0.5)).toBeLessThan(0.01);
    expect(max).toBeLessThan(1);
  });
});

describe('service times', () => {
  it.each([
    ['fixed', fixed(20), 20],
    ['exponential', exponential(20), 20],
    ['bimodal', bimodal({ short: 10, long: 110, longShare: 0.1 }), 20],
    ['log-normal', lognormal({ mean: 20, sigma: 1 }), 20],
    ['heavy tail', heavyTail({ mean: 20, shape: 2.5, longest: 100_000 }), 20],
  ] as const)('%s has the mean it was asked for', (_name, time, mean) => {
    expect(Math.abs(draw(time).mean - mean)).toBeLessThan(mean * 0.05);
  });

  it('differ in their tails', () => {
    expect(draw(fixed(20)).p99).toBe(20);
    expect(draw(exponential(20)).p99).toBeGreaterThan(80);
    expect(draw(lognormal({ mean: 20, sigma: 2 })).p99).toBeGreaterThan(200);
    expect(draw(heavyTail({ mean: 20, shape: 1.5, longest: 300 })).max).toBe(300);
  });
});

describe('plans', () => {
  it('say when each request is sent, under names of their own', () => {
    expect(burst(3, { name: 'b' }).map(({ id, at }) => [id, at])).toEqual([
      ['b0', 0],
      ['b1', 0],
      ['b2', 0],
    ]);
    expect(spaced(3, 5, { from: 100 }).map(({ at }) => at)).toEqual([100, 105, 110]);
    expect(burst(1, { work: fixed(7), each: { path: '/x', abortAfter: 5 } })).toEqual([
      { id: 'r0', at: 0, workMs: 7, path: '/x', abortAfter: 5 },
    ]);
  });

  it('are the same for the same seed', () => {
    const one = poisson(50, 100, { seed: 4, work: exponential(3) });
    expect(poisson(50, 100, { seed: 4, work: exponential(3) })).toEqual(one);
    expect(poisson(50, 100, { seed: 5, work: exponential(3) })).not.toEqual(one);
  });

  it('have the rate that was asked for', () => {
    expect(rateFor(0.9, 4, 20)).toBeCloseTo(180);
    const last = poisson(20_000, 180).at(-1)?.at ?? 0;
    expect(Math.abs(20_000 / (last / 1000) - 180)).toBeLessThan(5);
  });

  it('follow a curve', () => {
    const rateAt = (ms: number) => (ms < 50_000 ? 50 : 150);
    const plan = poissonCurve({ durationMs: 100_000, highest: 200, rateAt });
    const early = plan.filter(({ at }) => at < 50_000).length;
    expect(Math.abs(early - 2500)).toBeLessThan(250);
    expect(Math.abs(plan.length - early - 7500)).toBeLessThan(400);
  });
});
