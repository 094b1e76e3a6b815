import { steady } from '../arrivals.ts';
import { FOR_MANY_PODS } from '../opponents/opponent.ts';
import { exponentialJobs } from '../service-times.ts';
import { range, type Scenario } from './scenario.ts';

const jobs = exponentialJobs(200);

/** An autoscaler adds pods and takes them away again. */
export const scale: Scenario = {
  name: 'scale',
  title: 'From 2 pods to 10 and back',
  about: `Two pods with one worker each and twice the load they can carry, then ten, then two again with half the load; jobs ${jobs.title}. A pod that is taken away finishes what it has. Each opponent learns of pods in the way its documentation describes: Envoy by its endpoints file, HAProxy by its Runtime API, nginx by a reload, Sluice by its route file.`,
  pods: 10,
  members: 2,
  limit: 1,
  protocol: 'http1',
  opponents: FOR_MANY_PODS,
  how: 'together',
  picture: 'pods',
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => {
    const unit = quick ? 2000 : 3000;
    const work = jobs.draw;
    return {
      requests: [
        ...steady(2.5 * unit, 20, { seed, work, name: 'high' }),
        ...steady(1.5 * unit, 5, { seed: seed + 1, work, name: 'low', from: 2.5 * unit }),
      ],
      changes: [
        { kind: 'members', at: unit, members: range(0, 9) },
        { kind: 'members', at: 2.5 * unit, members: range(0, 1) },
      ],
    };
  },
};
