import { bursts } from '../arrivals.ts';
import { FOR_MANY_PODS } from '../opponents/opponent.ts';
import { fixedJobs } from '../service-times.ts';
import type { Scenario } from './scenario.ts';

/** Two pods, four requests: the smallest case in which a choice at random goes wrong. */
export const fourRequests: Scenario = {
  name: 'four-requests',
  title: 'Four requests at once on two pods',
  about:
    'Two pods with two workers each, and four requests at the same moment: each pod should get two. Jobs of 100 ms, fixed; the same again and again, with a pause in between.',
  pods: 2,
  members: 2,
  limit: 2,
  protocol: 'http1',
  opponents: FOR_MANY_PODS,
  how: 'together',
  picture: 'pods',
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => ({
    requests: bursts({ count: 4, times: quick ? 8 : 16, everyMs: 450 }, { seed, work: fixedJobs(100).draw }),
    changes: [],
  }),
};
