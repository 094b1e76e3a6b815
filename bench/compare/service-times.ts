import { bimodal, exponential, fixed, heavyTail, type ServiceTime } from '../../test/e2e/kit/random.ts';

/** How long jobs take. */
export interface Jobs {
  /** As a sentence of the page calls it: "fixed, 20 ms". */
  readonly title: string;
  /** The mean in milliseconds, before anything is cut off. */
  readonly meanMs: number;
  readonly draw: ServiceTime;
}

/** Every job takes the same. */
export function fixedJobs(ms: number): Jobs {
  return { title: `fixed, ${ms} ms`, meanMs: ms, draw: fixed(ms) };
}

/** Memoryless times: many short jobs, some long ones. */
export function exponentialJobs(meanMs: number): Jobs {
  return { title: `exponential, mean ${meanMs} ms`, meanMs, draw: exponential(meanMs) };
}

/** Pareto with shape 1.5, cut off at 20 times the mean: a few jobs are most of the work. */
export function heavyTailJobs(meanMs: number): Jobs {
  const longest = 20 * meanMs;
  return {
    title: `heavy-tailed (Pareto, shape 1.5), mean ${meanMs} ms, at most ${longest} ms`,
    meanMs,
    draw: heavyTail({ mean: meanMs, shape: 1.5, longest }),
  };
}

/** Two kinds of job: a share of `longShare` is long, the others are short. */
export function bimodalJobs(short: number, long: number, longShare: number): Jobs {
  return {
    title: `bimodal, ${(1 - longShare) * 100} % of ${short} ms and ${longShare * 100} % of ${long} ms`,
    meanMs: short * (1 - longShare) + long * longShare,
    draw: bimodal({ short, long, longShare }),
  };
}
