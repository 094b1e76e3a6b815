import type { GrpcKind } from './grpc-service.ts';
import { type Random, type ServiceTime, seeded } from './random.ts';

/** One request to send. */
export interface Planned {
  /** Unique within a run; the pods log it. */
  readonly id: string;
  /** When to send it, in milliseconds after the start of the run. */
  readonly at: number;
  /** The work it asks of the pod, in milliseconds; the pod's own default when left out. */
  readonly workMs?: number;
  /** The client goes away this many milliseconds after sending it, if it has no full answer by then. */
  readonly abortAfter?: number;
  /** Overrides the client's path. */
  readonly path?: string;
  /** Added to the client's headers. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Which kind of call a gRPC client makes; unary when left out. */
  readonly call?: GrpcKind;
}

/** What all requests of a plan have in common. */
export interface PlanOptions {
  /** The first part of every id; `r` when left out. Name the plans of one run differently. */
  readonly name?: string;
  /** The work of each request; the pod's own default when left out. */
  readonly work?: ServiceTime;
  /** The seed of arrivals and work; 1 when left out. */
  readonly seed?: number;
  /** Milliseconds from the run's start to the plan's; 0 when left out. */
  readonly from?: number;
  /** Goes into every request. */
  readonly each?: Omit<Partial<Planned>, 'id' | 'at'>;
}

/** `count` requests at one moment. */
export function burst(count: number, options: PlanOptions = {}): readonly Planned[] {
  return spaced(count, 0, options);
}

/** `count` requests, one every `gapMs` milliseconds: with 2 ms and more their order is beyond doubt. */
export function spaced(count: number, gapMs: number, options: PlanOptions = {}): readonly Planned[] {
  return plan(
    Array.from({ length: count }, (_, index) => index * gapMs),
    options,
  );
}

/** Open loop: Poisson arrivals at `perSecond` until there are `count`, whether or not the earlier ones have answers. */
export function poisson(count: number, perSecond: number, options: PlanOptions = {}): readonly Planned[] {
  const random = seeded((options.seed ?? 1) ^ 0x5bd1e995);
  let at = 0;
  const arrivals = Array.from({ length: count }, () => {
    at += gap(random, perSecond);
    return at;
  });
  return plan(arrivals, options);
}

/**
 * Open loop with a rate that changes: a Poisson process of `rateAt(ms)` requests per second for `durationMs`, never
 * above `highest` (thinning, Lewis and Shedler 1979). For a day's curve compressed into seconds.
 */
export function poissonCurve(
  curve: { durationMs: number; highest: number; rateAt: (ms: number) => number },
  options: PlanOptions = {},
): readonly Planned[] {
  const random = seeded((options.seed ?? 1) ^ 0x5bd1e995);
  const arrivals: number[] = [];
  for (let at = gap(random, curve.highest); at < curve.durationMs; at += gap(random, curve.highest)) {
    if (random() * curve.highest < curve.rateAt(at)) arrivals.push(at);
  }
  return plan(arrivals, options);
}

function plan(arrivals: readonly number[], options: PlanOptions): readonly Planned[] {
  const { name = 'r', work, seed = 1, from = 0, each = {} } = options;
  const random = seeded(seed);
  return arrivals.map((at, index) => ({
    ...each,
    id: `${name}${index}`,
    at: from + at,
    ...(work && { workMs: work(random) }),
  }));
}

function gap(random: Random, perSecond: number): number {
  return (-Math.log(1 - random()) * 1000) / perSecond;
}

/** The rate in requests per second that keeps `slots` busy for the share `load` with jobs of mean `workMs`. */
export function rateFor(load: number, slots: number, workMs: number): number {
  return (load * slots * 1000) / workMs;
}
