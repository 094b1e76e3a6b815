import { steady } from '../arrivals.ts';
import { FOR_MANY_PODS } from '../opponents/opponent.ts';
import { fixedJobs } from '../service-times.ts';
import type { Scenario } from './scenario.ts';

/** What Sluice is not made for: many short requests. */
export const highRate: Scenario = {
  name: 'high-rate',
  title: 'Short requests at a high rate',
  about:
    'Ten pods with ten workers each, 1,200 requests per second of 5 ms: nobody has to wait, and the milliseconds that a proxy adds are all there is to see. Sluice is made for long jobs.',
  pods: 10,
  members: 10,
  limit: 10,
  protocol: 'http1',
  opponents: FOR_MANY_PODS,
  how: 'in turn',
  picture: 'response',
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => ({
    requests: steady(quick ? 2000 : 3500, 1200, { seed, work: fixedJobs(5).draw }),
    changes: [],
  }),
};
