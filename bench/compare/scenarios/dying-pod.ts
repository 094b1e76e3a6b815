import { rateFor } from '../../../test/e2e/kit/load-plan.ts';
import { steady } from '../arrivals.ts';
import { FOR_MANY_PODS } from '../opponents/opponent.ts';
import { exponentialJobs } from '../service-times.ts';
import type { Scenario } from './scenario.ts';

const jobs = exponentialJobs(150);

/** As often as HAProxy's in haproxy.cfg. */
const CHECK_MS = 500;

/** A pod dies and nobody is told. */
export const dyingPod: Scenario = {
  name: 'dying-pod',
  title: 'A pod dies, and comes back',
  about: `Four pods with one worker each at 65 % load, jobs ${jobs.title}. One pod dies: its connections break and new ones are refused. Later it is back. Nobody is told: each opponent has its own means (Sluice and Envoy: outlier detection and health checks; HAProxy: health checks and \`observe\`; nginx: \`max_fails\`). All health checks come every ${CHECK_MS} ms. The request that the pod was working on is lost; every further error is the proxy's.`,
  pods: 4,
  members: 4,
  limit: 1,
  protocol: 'http1',
  checkEvery: CHECK_MS,
  opponents: FOR_MANY_PODS,
  how: 'together',
  picture: 'pods',
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => {
    const unit = quick ? 1500 : 2500;
    return {
      requests: steady(4 * unit, rateFor(0.65, 4, jobs.meanMs), { seed, work: jobs.draw }),
      changes: [
        { kind: 'dies', at: unit, pod: 1 },
        { kind: 'returns', at: 2.5 * unit, pod: 1 },
      ],
    };
  },
};
