import { rateFor } from '../../../test/e2e/kit/load-plan.ts';
import { steady } from '../arrivals.ts';
import { FOR_MANY_PODS } from '../opponents/opponent.ts';
import { bimodalJobs } from '../service-times.ts';
import { range, type Scenario } from './scenario.ts';

const jobs = bimodalJobs(100, 1500, 0.1);

/** A rollout under load, with jobs longer than a step of it. */
export const rolling: Scenario = {
  name: 'rolling',
  title: 'Rolling replacement',
  about: `Four pods with one worker each at 85 % load are replaced by four new ones, one by one: each step takes a pod away and adds another at the same moment. Jobs ${jobs.title}: the longest are longer than a step. A pod that is taken away finishes what it has, and its successor should be busy meanwhile.`,
  pods: 8,
  members: 4,
  limit: 1,
  protocol: 'http1',
  opponents: FOR_MANY_PODS,
  how: 'together',
  picture: 'pods',
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => {
    const step = quick ? 1000 : 1500;
    return {
      requests: steady(7 * step, rateFor(0.85, 4, jobs.meanMs), { seed, work: jobs.draw }),
      changes: range(1, 4).map((turn) => ({
        kind: 'members',
        at: (turn + 0.5) * step,
        members: range(turn, turn + 3),
      })),
    };
  },
};
