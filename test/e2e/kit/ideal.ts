/** When a request of an ideal line started and ended, in the time of its arrivals. */
export interface IdealRun {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Start minus arrival, per request. */
  readonly waits: readonly number[];
  /** End minus arrival, per request. */
  readonly responses: readonly number[];
  /** From the first arrival to the last end. */
  readonly makespan: number;
}

/**
 * The best that any first-in first-out queue can do: one queue in front of `servers` servers, no time lost in between.
 * `arrivals` and `serviceTimes` are per request, in milliseconds; they need not be sorted. Throws when they do not match.
 */
export function idealFifo(arrivals: readonly number[], serviceTimes: readonly number[], servers: number): IdealRun {
  if (arrivals.length !== serviceTimes.length) throw new Error('one service time per arrival');
  if (servers < 1) throw new Error('a line without a server never ends');
  const order = arrivals.map((at, index) => ({ at, index })).sort((a, b) => a.at - b.at || a.index - b.index);
  const free: number[] = new Array(servers).fill(Number.NEGATIVE_INFINITY);
  const starts: number[] = new Array(arrivals.length);
  const ends: number[] = new Array(arrivals.length);
  for (const { at, index } of order) {
    const server = earliest(free);
    const start = Math.max(at, free[server] ?? at);
    starts[index] = start;
    ends[index] = start + (serviceTimes[index] ?? 0);
    free[server] = ends[index];
  }
  const since = (moments: readonly number[]) => moments.map((moment, index) => moment - (arrivals[index] ?? 0));
  const makespan = arrivals.length === 0 ? 0 : largest(ends) - (order[0]?.at ?? 0);
  return { starts, ends, waits: since(starts), responses: since(ends), makespan };
}

function earliest(free: readonly number[]): number {
  return free.reduce((best, at, index) => (at < (free[best] ?? at) ? index : best), 0);
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
}
