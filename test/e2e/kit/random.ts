/** A source of numbers from 0 (included) to 1 (not included), the same ones for the same seed. */
export type Random = () => number;

/** How long the next job takes, in milliseconds, drawn from `random`. */
export type ServiceTime = (random: Random) => number;

/** The generator mulberry32 (Tommy Ettinger, public domain): 32 bits of state, good enough for arrivals and jobs. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Every job takes `ms` milliseconds. */
export function fixed(ms: number): ServiceTime {
  return () => ms;
}

/** Exponential times with this mean: memoryless, squared coefficient of variation 1. */
export function exponential(mean: number): ServiceTime {
  return (random) => -Math.log(1 - random()) * mean;
}

/** A share of `longShare` (0 to 1) of the jobs takes `long` milliseconds, the rest `short`. */
export function bimodal({ short, long, longShare }: { short: number; long: number; longShare: number }): ServiceTime {
  return (random) => (random() < longShare ? long : short);
}

/** Log-normal times with this mean; `sigma` is the deviation of the logarithm: 1 is skewed, 2 has a heavy tail. */
export function lognormal({ mean, sigma }: { mean: number; sigma: number }): ServiceTime {
  const location = Math.log(mean) - (sigma * sigma) / 2;
  return (random) => Math.exp(location + sigma * gaussian(random));
}

/** Pareto times with this mean, cut off at `longest`: the heavy tail of video and inference jobs. `shape` > 1. */
export function heavyTail({ mean, shape, longest }: { mean: number; shape: number; longest: number }): ServiceTime {
  const least = (mean * (shape - 1)) / shape;
  return (random) => Math.min(longest, least * (1 - random()) ** (-1 / shape));
}

/** One draw from the normal distribution with mean 0 and deviation 1 (Box and Muller). */
function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
