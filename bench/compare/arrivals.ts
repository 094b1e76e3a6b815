import { burst, type Planned, type PlanOptions, poisson, poissonCurve } from '../../test/e2e/kit/load-plan.ts';

/** `times` bursts of `count` requests each, one every `everyMs` milliseconds. */
export function bursts(
  { count, times, everyMs }: { count: number; times: number; everyMs: number },
  options: PlanOptions = {},
): readonly Planned[] {
  return Array.from({ length: times }, (_, index) =>
    burst(count, { ...options, name: `b${index}-`, seed: (options.seed ?? 1) + index, from: index * everyMs }),
  ).flat();
}

/** Poisson arrivals at `perSecond` for `durationMs` milliseconds. */
export function steady(durationMs: number, perSecond: number, options: PlanOptions = {}): readonly Planned[] {
  const from = options.from ?? 0;
  // Four deviations more than are needed, so that the process does not end before the time does.
  const expected = (durationMs / 1000) * perSecond;
  const plan = poisson(Math.ceil(expected + 4 * Math.sqrt(expected) + 10), perSecond, options);
  return plan.filter(({ at }) => at - from < durationMs);
}

/**
 * A day compressed into `durationMs`: Poisson arrivals whose rate follows a cosine from its lowest at night to its
 * highest at noon (`peak` times the mean, at most 2) and back.
 */
export function day(
  { durationMs, perSecond, peak }: { durationMs: number; perSecond: number; peak: number },
  options: PlanOptions = {},
): readonly Planned[] {
  const rateAt = (ms: number) => perSecond * (1 - (peak - 1) * Math.cos((2 * Math.PI * ms) / durationMs));
  return poissonCurve({ durationMs, highest: perSecond * peak, rateAt }, options);
}

/** Poisson arrivals whose rate rises evenly from `from` to `to` per second. */
export function rising(
  { durationMs, from, to }: { durationMs: number; from: number; to: number },
  options: PlanOptions = {},
): readonly Planned[] {
  const rateAt = (ms: number) => from + ((to - from) * ms) / durationMs;
  return poissonCurve({ durationMs, highest: Math.max(from, to), rateAt }, options);
}
