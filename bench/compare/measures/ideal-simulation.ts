import type { Plan } from '../scenarios/scenario.ts';

/** A worker of a pod and the time in which it may begin jobs. */
export interface IdealServer {
  readonly from: number;
  readonly until: number;
  /** True: what it works on at `until` is lost, else it finishes that. */
  readonly dies: boolean;
}

/** A job, when it comes and how long it takes, in milliseconds. */
export interface IdealJob {
  readonly at: number;
  readonly work: number;
}

/** When each job began and ended; `ended` is undefined when its server died, both when no server was there any more. */
export interface IdealOutcome {
  readonly began: number | undefined;
  readonly ended: number | undefined;
}

/**
 * The best that a first-in first-out queue can do with servers that come and go: the next job begins at the server that
 * can take it first, and no time is lost in between. `jobs` in any order; the outcomes are in the same order.
 */
export function simulateIdeal(jobs: readonly IdealJob[], servers: readonly IdealServer[]): readonly IdealOutcome[] {
  const free = servers.map(({ from }) => from);
  const outcomes: IdealOutcome[] = new Array(jobs.length);
  const order = jobs.map((job, index) => ({ ...job, index })).sort((a, b) => a.at - b.at || a.index - b.index);
  for (const { at, work, index } of order) {
    const first = firstServer(servers, free, at);
    if (first === undefined) {
      outcomes[index] = { began: undefined, ended: undefined };
      continue;
    }
    const { server, number, began } = first;
    const lost = server.dies && began + work > server.until;
    free[number] = lost ? server.until : began + work;
    outcomes[index] = { began, ended: lost ? undefined : began + work };
  }
  return outcomes;
}

function firstServer(servers: readonly IdealServer[], free: readonly number[], at: number) {
  let best: { server: IdealServer; number: number; began: number } | undefined;
  for (const [number, server] of servers.entries()) {
    const began = Math.max(at, free[number] ?? server.from);
    if (began < server.until && (best === undefined || began < best.began)) best = { server, number, began };
  }
  return best;
}

/** The workers that the pods of a plan have, each pod `limit` of them for as long as it is a member and alive. */
export function serversOf(plan: Plan, setup: { members: number; limit: number }): readonly IdealServer[] {
  const open = new Map<number, number>(
    Array.from({ length: setup.members }, (_, pod) => [pod, Number.NEGATIVE_INFINITY]),
  );
  const servers: IdealServer[] = [];
  const close = (pod: number, until: number, dies: boolean) => {
    const from = open.get(pod);
    if (from === undefined) return;
    open.delete(pod);
    for (let worker = 0; worker < setup.limit; worker += 1) servers.push({ from, until, dies });
  };
  for (const change of [...plan.changes].sort((a, b) => a.at - b.at)) {
    if (change.kind === 'dies') close(change.pod, change.at, true);
    else if (change.kind === 'returns') open.set(change.pod, change.at);
    else {
      for (const pod of [...open.keys()]) if (!change.members.includes(pod)) close(pod, change.at, false);
      for (const pod of change.members) if (!open.has(pod)) open.set(pod, change.at);
    }
  }
  for (const pod of [...open.keys()]) close(pod, Number.POSITIVE_INFINITY, false);
  return servers;
}
