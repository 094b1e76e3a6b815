import { rateFor } from '../../../test/e2e/kit/load-plan.ts';
import { steady } from '../arrivals.ts';
import { exponentialJobs } from '../service-times.ts';
import type { Plan, Scenario } from './scenario.ts';

const jobs = exponentialJobs(50);
const PODS = 4;

/** The arrivals of some groups, each with a share of what the pods can do. */
function mixed(
  groups: readonly (readonly [name: string, share: number])[],
  { header, seconds, seed }: { header: string; seconds: number; seed: number },
): Plan {
  const requests = groups.flatMap(([name, share], index) =>
    steady(seconds * 1000, rateFor(share, PODS, jobs.meanMs), {
      name,
      seed: seed * 10 + index,
      work: jobs.draw,
      each: { headers: { [header]: name } },
    }),
  );
  return { requests: requests.sort((a, b) => a.at - b.at), changes: [] };
}

const common = {
  pods: PODS,
  members: PODS,
  limit: 1,
  protocol: 'http1',
  opponents: ['sluice', 'haproxy'],
  how: 'in turn',
  picture: 'groups',
  repeats: { full: 3, quick: 1 },
} as const;

/** More than the pods can do, in three classes. */
export const priority: Scenario = {
  ...common,
  name: 'priority',
  title: 'Three classes of requests',
  about: `Four pods with one worker each, jobs ${jobs.title}; 30 % of what the pods can do comes as high, 40 % as normal, 40 % as low: together more than they can do. Sluice has \`queue.priority\`, HAProxy \`set-priority-class\`.`,
  order: 'priority',
  groups: ['high', 'normal', 'low'],
  plan: (seed, quick) =>
    mixed(
      [
        ['high', 0.3],
        ['normal', 0.4],
        ['low', 0.4],
      ],
      { header: 'x-priority', seconds: quick ? 6 : 12, seed },
    ),
};

/** One client that wants all there is, and others that want little. */
export const fairShares: Scenario = {
  ...common,
  name: 'fair-shares',
  title: 'One tenant that wants everything',
  about: `Four pods with one worker each, jobs ${jobs.title}. One tenant sends 110 % of what the pods can do, two others 10 % each. Sluice has \`queue.fair\`; HAProxy knows no turns of tenants: its queue is first in, first out.`,
  order: 'fair',
  groups: ['greedy', 'small', 'little'],
  plan: (seed, quick) =>
    mixed(
      [
        ['greedy', 1.1],
        ['small', 0.1],
        ['little', 0.1],
      ],
      { header: 'x-tenant', seconds: quick ? 6 : 12, seed },
    ),
};
