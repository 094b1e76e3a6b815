import { rateFor } from '../../../test/e2e/kit/load-plan.ts';
import { steady } from '../arrivals.ts';
import { FOR_MANY_PODS } from '../opponents/opponent.ts';
import { exponentialJobs } from '../service-times.ts';
import type { Scenario } from './scenario.ts';

const jobs = exponentialJobs(100);

/** All calls of a client over its one connection, as gRPC clients do. */
export const grpcCalls: Scenario = {
  name: 'grpc',
  title: 'gRPC over one connection',
  about: `Four gRPC pods with one worker each at 80 % load, jobs ${jobs.title}, and one client that makes all its calls over one connection, as gRPC clients do. Whoever chooses a pod per connection, as kube-proxy does, sends everything to one pod.`,
  pods: 4,
  members: 4,
  limit: 1,
  protocol: 'grpc',
  opponents: FOR_MANY_PODS,
  how: 'together',
  picture: 'response',
  repeats: { full: 3, quick: 1 },
  plan: (seed, quick) => ({
    requests: steady(quick ? 4000 : 7000, rateFor(0.8, 4, jobs.meanMs), {
      seed,
      work: jobs.draw,
      each: { body: Buffer.from('x') },
    }),
    changes: [],
  }),
};
