import { rateFor } from '../../../test/e2e/kit/load-plan.ts';
import { day } from '../arrivals.ts';
import { FOR_MANY_PODS } from '../opponents/opponent.ts';
import { bimodalJobs } from '../service-times.ts';
import type { Scenario } from './scenario.ts';

const jobs = bimodalJobs(100, 1500, 0.15);

/** Video jobs: short clips and films, and a rush in the middle. */
export const video: Scenario = {
  name: 'video',
  title: 'Two hours of video jobs, compressed',
  about: `Eight pods with one worker each; two hours in 15 s (480 times as fast). Clips of 48 s and films of 12 min: jobs ${jobs.title}. The load follows a day's curve: 65 % on average, 120 % of what the pods can do at its peak.`,
  pods: 8,
  members: 8,
  limit: 1,
  protocol: 'http1',
  opponents: FOR_MANY_PODS,
  how: 'together',
  picture: 'response',
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => {
    const perSecond = rateFor(0.65, 8, jobs.meanMs);
    return {
      requests: day({ durationMs: quick ? 7000 : 15_000, perSecond, peak: 1.85 }, { seed, work: jobs.draw }),
      changes: [],
    };
  },
};
