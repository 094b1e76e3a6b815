import { z } from 'zod';
import { OPPONENTS } from './opponents/opponent.ts';

/** A number that may not exist, such as the median of nothing. */
const figure = z.number().nullable();

const distribution = z.object({ count: z.number(), mean: figure, p50: figure, p90: figure, p99: figure, max: figure });

/** What every line has, the ideal one too; times in milliseconds. */
const times = z.object({ wait: distribution, response: distribution, makespan: z.number() });

const pair = z.object({ proxy: z.number(), controlPlane: z.number() });

const series = z.object({
  /** Milliseconds from one sample to the next. */
  stepMs: z.number(),
  /** What each pod held on average from sample to sample: pods, then time. */
  held: z.array(z.array(z.number())),
  /** Requests that waited, in a line or inside a pod. */
  waiting: z.array(z.number()),
  /** Percentiles of the responses of the requests sent from sample to sample, in milliseconds. */
  response: z.object({ stepMs: z.number(), p50: z.array(figure), p99: z.array(figure) }),
});

const run = times.extend({
  opponent: z.enum(OPPONENTS),
  repeat: z.number(),
  sent: z.number(),
  answered: z.number(),
  /** How requests ended: HTTP status, `grpc` with the code, `failed` or `aborted`, and how many did. */
  outcomes: z.record(z.string(), z.number()),
  /** The most that a pod held at a time, and how often a pod held more than its limit without an abort being the reason. */
  held: z.object({ peak: z.number(), timesOver: z.number() }),
  /** Slot time that was lost while somebody waited, and what was used. */
  lost: z.object({ ms: z.number(), busyMs: z.number(), share: z.number() }),
  order: z.object({ compared: z.number(), pairs: z.number(), overtaken: z.number(), mostPlaces: z.number() }),
  /** The same arrivals and jobs in an ideal queue; `lost` counts jobs whose pod died. */
  ideal: times.extend({ lost: z.number() }),
  /** CPU time used during the run. */
  cpuMs: pair,
  /** Resident memory at its end. */
  residentMb: pair,
  /** Of scenarios with groups: how long the requests of each waited. */
  groups: z.record(z.string(), distribution).optional(),
  /** Only where a picture shows it. */
  series: series.optional(),
});

const scenarioResult = z.object({
  name: z.string(),
  /** When it was measured, ISO 8601. */
  date: z.string(),
  quick: z.boolean(),
  runs: z.array(run),
  /** Who did not take part, and why. */
  skipped: z.record(z.string(), z.string()),
});

const growth = z.object({
  services: z.number(),
  readyMs: z.number(),
  /** CPU time from the start until everything was active. */
  cpuMs: pair,
  residentMb: pair,
  /** CPU used without any request, as a share of one core. */
  idleShare: pair,
});

const growthResult = z.object({
  date: z.string(),
  quick: z.boolean(),
  podsPerService: z.number(),
  sizes: z.array(growth),
});

const closedLoopRun = z.object({
  opponent: z.enum(OPPONENTS),
  round: z.number(),
  perSecond: z.number(),
  requests: z.number(),
  /** Requests without an answer or with another status than 200. */
  errors: z.number(),
  cpuMs: pair,
});

const closedLoopResult = z.object({
  date: z.string(),
  quick: z.boolean(),
  pods: z.number(),
  limit: z.number(),
  clients: z.number(),
  runs: z.array(closedLoopRun),
});

const resultsFile = z.object({
  machine: z.object({ cpu: z.string(), cores: z.number(), memoryGb: z.number(), system: z.string() }),
  versions: z.record(z.string(), z.string()),
  scenarios: z.array(scenarioResult),
  closedLoop: closedLoopResult.optional(),
  growth: growthResult.optional(),
});

/** Mean and percentiles; null where there was nothing. */
export type Distribution = z.infer<typeof distribution>;
/** Wait, response and makespan of a line. */
export type Times = z.infer<typeof times>;
/** One opponent under one plan. */
export type Run = z.infer<typeof run>;
/** How a run went over time. */
export type Series = z.infer<typeof series>;
/** All runs of one scenario. */
export type ScenarioResult = z.infer<typeof scenarioResult>;
/** What a number of services costs without any traffic. */
export type Growth = z.infer<typeof growth>;
/** How cost grows with the number of services. */
export type GrowthResult = z.infer<typeof growthResult>;
/** The most that each proxy carried. */
export type ClosedLoopResult = z.infer<typeof closedLoopResult>;
/** Everything the page is made from. */
export type Results = z.infer<typeof resultsFile>;

/** Reads what `formatResults` wrote. Throws when it is something else. */
export function parseResults(text: string): Results {
  return resultsFile.parse(JSON.parse(text));
}

/** All results as JSON: one line per run, so that a diff shows which have changed. */
export function formatResults({ scenarios, closedLoop, growth: costs, ...rest }: Results): string {
  const list = (items: readonly unknown[]) => items.map((item) => JSON.stringify(item)).join(',\n');
  const blocks = scenarios.map(
    ({ runs, ...scenario }) => `${JSON.stringify(scenario).slice(0, -1)},"runs":[\n${list(runs)}\n]}`,
  );
  const last = Object.entries({ closedLoop, growth: costs }).filter(([, value]) => value !== undefined);
  const end = last.map(([name, value]) => `,\n"${name}":${JSON.stringify(value)}`).join('');
  return `${JSON.stringify(rest).slice(0, -1)},"scenarios":[\n${blocks.join(',\n')}\n]${end}}\n`;
}

/** `before` with the scenarios and costs that were measured anew; the others stay, whenever they were measured. */
export function mergeResults(before: Results | undefined, now: Results, order: readonly string[]): Results {
  const fresh = new Set(now.scenarios.map(({ name }) => name));
  const kept = before?.scenarios.filter(({ name }) => !fresh.has(name)) ?? [];
  const scenarios = [...now.scenarios, ...kept].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return {
    ...now,
    scenarios,
    closedLoop: now.closedLoop ?? before?.closedLoop,
    growth: now.growth ?? before?.growth,
  };
}
