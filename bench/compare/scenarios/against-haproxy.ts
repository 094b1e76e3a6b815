import { rateFor } from '../../../test/e2e/kit/load-plan.ts';
import { steady } from '../arrivals.ts';
import { fixedJobs } from '../service-times.ts';
import type { Scenario } from './scenario.ts';

/** A timer fires this much late on average, in milliseconds, and 90 % of the load means 90 % with that. */
const TIMER_LATE_MS = 0.6;

/** Sluice and HAProxy alone, in turn, with jobs of `ms`. */
function againstHaproxy(ms: number, seconds: number): Pick<Scenario, 'plan' | 'about'> {
  return {
    about: `Four pods with one worker each, Poisson arrivals at 90 % of what they can do, jobs ${fixedJobs(ms).title}. Only the two that hold the limit and keep a queue; they alternate.`,
    plan: (seed, quick) => ({
      requests: steady((quick ? 0.5 : 1) * seconds * 1000, rateFor(0.9, 4, ms + TIMER_LATE_MS), {
        seed,
        work: fixedJobs(ms).draw,
      }),
      changes: [],
    }),
  };
}

const common = {
  pods: 4,
  members: 4,
  limit: 1,
  protocol: 'http1',
  opponents: ['sluice', 'haproxy'],
  how: 'in turn',
  picture: 'response',
} as const;

/** Jobs of 20 ms, where the fractions of a millisecond that handing over a slot takes can be seen. */
export const jobs20ms: Scenario = {
  ...common,
  ...againstHaproxy(20, 8),
  name: 'jobs-20ms',
  title: 'Jobs of 20 ms: Sluice and HAProxy',
  repeats: { full: 5, quick: 2 },
};

/** The same load for one pod, for which an Envoy without Sluice can keep a queue too: what of a hand-over is Envoy's, and what the filter's. */
export const onePod: Scenario = {
  ...common,
  ...againstHaproxy(20, 8),
  about:
    'One pod with four workers, and the same load. For a single pod plain Envoy can keep a queue as well: so this shows how much of a hand-over is Envoy, and how much the filter by which Sluice makes one queue for all pods.',
  pods: 1,
  members: 1,
  limit: 4,
  opponents: ['sluice', 'haproxy', 'max-connections'],
  name: 'one-pod-20ms',
  title: 'Jobs of 20 ms on one pod',
  repeats: { full: 3, quick: 0 },
};

/** Jobs of 100 ms, short for what Sluice is made for. */
export const jobs100ms: Scenario = {
  ...common,
  ...againstHaproxy(100, 12),
  name: 'jobs-100ms',
  title: 'Jobs of 100 ms: Sluice and HAProxy',
  repeats: { full: 4, quick: 1 },
};
