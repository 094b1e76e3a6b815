import { rateFor } from '../../../test/e2e/kit/load-plan.ts';
import { steady } from '../arrivals.ts';
import { FOR_MANY_PODS } from '../opponents/opponent.ts';
import { heavyTailJobs } from '../service-times.ts';
import type { Scenario } from './scenario.ts';

const jobs = heavyTailJobs(150);

/** High load with jobs of which a few are most of the work. */
export const heavyTails: Scenario = {
  name: 'heavy-tails',
  title: '90 % load with heavy tails',
  about: `Four pods with two workers each, Poisson arrivals at 90 % of what they can do, jobs ${jobs.title}. Behind one long job on the wrong pod others wait for nothing.`,
  pods: 4,
  members: 4,
  limit: 2,
  protocol: 'http1',
  opponents: FOR_MANY_PODS,
  how: 'together',
  picture: 'response',
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => ({
    requests: steady(quick ? 6000 : 15_000, rateFor(0.9, 8, jobs.meanMs), { seed, work: jobs.draw }),
    changes: [],
  }),
};
