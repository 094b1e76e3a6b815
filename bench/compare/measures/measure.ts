import type { LoadResult } from '../../../test/e2e/kit/load.ts';
import type { PodRequest } from '../../../test/e2e/kit/pods.ts';
import { outcomeOf } from '../../../test/e2e/kit/summary.ts';
import { overLimit } from '../../../test/e2e/kit/verdict.ts';
import type { Run, Times } from '../results.ts';
import type { Plan, Scenario } from '../scenarios/scenario.ts';
import { distribution } from './distribution.ts';
import { serversOf, simulateIdeal } from './ideal-simulation.ts';
import { lostSlots } from './lost-slots.ts';
import { startOrder } from './order.ts';
import { seriesOf } from './series.ts';

/** What load and pods have seen of one run. */
export interface Observed {
  readonly scenario: Pick<Scenario, 'members' | 'limit' | 'groups'>;
  readonly plan: Plan;
  /** When the run began, by the clock of results and requests. */
  readonly began: number;
  /** The pods' addresses by their numbers in the plan. */
  readonly pods: readonly string[];
  /** In the order of the plan. */
  readonly results: readonly LoadResult[];
  readonly requests: readonly PodRequest[];
}

/** What follows from what was seen; the costs are measured elsewhere. */
export type Measures = Omit<Run, 'opponent' | 'repeat' | 'cpuMs' | 'residentMb'>;

/** Judges a run. `withSeries`: also how it went over time. */
export function measure(observed: Observed, withSeries: boolean): Measures {
  const { scenario, plan, began, results, requests } = observed;
  const answered = results.filter(isAnswered);
  const uses = slotUses(observed);
  const starts = uses.flatMap(({ sent, started }) => (started === undefined ? [] : [{ sent, started }]));
  const changes = plan.changes.map((change) => ({ ...change, at: began + change.at }));
  const held = overLimit(requests, scenario.limit);
  const outcomes = Object.groupBy(results, outcomeOf);
  return {
    sent: results.length,
    answered: answered.length,
    outcomes: Object.fromEntries(Object.entries(outcomes).map(([name, list]) => [name, list?.length ?? 0])),
    held: { peak: held.peak, timesOver: held.unexcused },
    lost: lostSlots(uses, { ...scenario, changes }),
    order: startOrder(starts),
    wait: distribution(starts.map(({ sent, started }) => started - sent)),
    response: distribution(answered.map(({ sent, ended }) => ended - sent)),
    makespan: makespan(results),
    ideal: idealOf(observed),
    ...(scenario.groups !== undefined && { groups: groupsOf(observed, scenario.groups) }),
    ...(withSeries && { series: overTime(observed, uses, answered) }),
  };
}

/** How long those waited whose ids begin like this; who never got a slot, until its end. */
function groupsOf(observed: Observed, groups: readonly string[]): NonNullable<Run['groups']> {
  const uses = slotUses(observed);
  const waits = (group: string) =>
    uses.flatMap(({ sent, started, ended }, index) =>
      observed.results[index]?.id.startsWith(group) ? [(started ?? ended) - sent] : [],
    );
  return Object.fromEntries(groups.map((group) => [group, distribution(waits(group))]));
}

/** True for a full answer with a good status. */
export function isAnswered(result: LoadResult): boolean {
  return result.outcome === 'answered' && result.status === 200 && (result.grpcStatus ?? 0) === 0;
}

/** Each request with the visit to a pod that it was answered from, else its first. */
function slotUses({ results, requests, pods }: Observed) {
  const visits = Map.groupBy(requests, ({ id }) => id);
  return results.map(({ id, sent, ended }) => {
    const own = visits.get(id) ?? [];
    const visit = own.find(({ outcome }) => outcome === 'answered') ?? own.find(({ started }) => started !== undefined);
    const pod = visit === undefined ? undefined : pods.indexOf(visit.pod);
    return { sent, started: visit?.started, pod, ended: visit?.ended ?? ended };
  });
}

/** The ideal line gets the requests when they were sent, and jobs that take what they really took where that is known. */
function idealOf(observed: Observed): Run['ideal'] {
  const { plan, scenario, began } = observed;
  const jobs = slotUses(observed).map(({ sent, started, ended }, index) => {
    const planned = plan.requests[index]?.workMs ?? 0;
    const real = started === undefined ? planned : ended - started;
    // A job that was broken off took less than it would have.
    return { at: sent - began, work: Math.max(planned, real) };
  });
  const outcomes = simulateIdeal(jobs, serversOf(plan, scenario));
  const waits: number[] = [];
  const responses: number[] = [];
  let last = 0;
  for (const [index, outcome] of outcomes.entries()) {
    const at = jobs[index]?.at ?? 0;
    if (outcome.began !== undefined) waits.push(outcome.began - at);
    if (outcome.ended === undefined) continue;
    responses.push(outcome.ended - at);
    last = Math.max(last, outcome.ended);
  }
  const first = jobs.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
  const line: Times = { wait: distribution(waits), response: distribution(responses), makespan: last - first };
  return { ...line, lost: jobs.length - responses.length };
}

function overTime(observed: Observed, uses: ReturnType<typeof slotUses>, answered: readonly LoadResult[]) {
  const { pods, requests } = observed;
  const perPod = Map.groupBy(requests, ({ pod }) => pod);
  const held = pods.map((pod) =>
    (perPod.get(pod) ?? []).map(({ arrived, ended }) => ({ from: arrived, to: ended ?? arrived })),
  );
  const waiting = uses.map(({ sent, started, ended }) => ({ from: sent, to: started ?? ended }));
  return seriesOf(held, waiting, answered);
}

function makespan(results: readonly LoadResult[]): number {
  const first = results.reduce((least, { sent }) => Math.min(least, sent), Number.POSITIVE_INFINITY);
  const last = results.reduce((most, { ended }) => Math.max(most, ended), Number.NEGATIVE_INFINITY);
  return results.length === 0 ? 0 : last - first;
}
