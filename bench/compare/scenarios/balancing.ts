import { rateFor } from '../../../test/e2e/kit/load-plan.ts';
import { rising } from '../arrivals.ts';
import { exponentialJobs } from '../service-times.ts';
import type { Scenario } from './scenario.ts';

const jobs = exponentialJobs(100);

/** From which share of what the pods can do the load rises to which. */
const load = { from: 0.2, to: 1.05 };

/** Round robin against least request, with a load that rises until the pods are full. */
export const balancing: Scenario = {
  name: 'balancing',
  title: 'ROUND_ROBIN against LEAST_REQUEST with rising load',
  about: `Six pods with two workers each, jobs ${jobs.title}. The load rises evenly from 20 % to 105 % of what the pods can do. Round robin gives each pod the same number of requests, but not the same work; least request follows what pods hold.`,
  pods: 6,
  members: 6,
  limit: 2,
  protocol: 'http1',
  opponents: ['sluice', 'full-scan', 'two-choices', 'round-robin'],
  how: 'together',
  picture: 'rising',
  load,
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => ({
    requests: rising(
      {
        durationMs: quick ? 10_000 : 20_000,
        from: rateFor(load.from, 12, jobs.meanMs),
        to: rateFor(load.to, 12, jobs.meanMs),
      },
      { seed, work: jobs.draw },
    ),
    changes: [],
  }),
};
