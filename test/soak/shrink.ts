import type { Outcome } from './run.ts';
import { cut, type Schedule, type Step } from './schedule.ts';

/** How to look for a small schedule. */
export interface ShrinkOptions {
  /** By `Date.now()`. */
  readonly until: number;
  readonly run: (schedule: Schedule) => Promise<Pick<Outcome, 'violations' | 'at'>>;
  readonly say: (line: string) => void;
}

/** What is real is not quite the same each time: so often is tried whether a schedule breaks the rule. */
const TRIES = 2;

/** Time before the violation that is tried first, in milliseconds; then more. */
const BEFORE = [8000, 20_000, 45_000, 120_000] as const;

/** What follows the step that matters. */
const AFTER_MS = 6000;

/** A schedule with as few steps as can be found in time by which the same rule is broken. */
export async function shrink(
  schedule: Schedule,
  failed: Pick<Outcome, 'violations' | 'at'>,
  options: ShrinkOptions,
): Promise<Schedule> {
  const rule = failed.violations[0]?.rule;
  const breaks = async (one: Schedule): Promise<boolean> => {
    for (let tries = 0; tries < TRIES && Date.now() < options.until; tries += 1) {
      const { violations } = await options.run(one);
      if (violations.some((violation) => violation.rule === rule)) return true;
    }
    return false;
  };
  let small = schedule;
  for (const before of BEFORE) {
    const part = cut(schedule, Math.max(0, failed.at - before), Math.min(schedule.ms, failed.at + AFTER_MS));
    options.say(`trying the ${part.steps.length} steps of the last ${before / 1000} s`);
    if (await breaks(part)) {
      small = part;
      break;
    }
  }
  const steps = await fewest(small.steps, (some) => breaks({ ...small, steps: some }), options);
  return { ...small, steps };
}

/** Leaves out parts, first large and then smaller ones, for as long as what is left still breaks the rule. */
export async function fewest(
  steps: readonly Step[],
  breaks: (steps: readonly Step[]) => Promise<boolean>,
  { until, say }: Pick<ShrinkOptions, 'until' | 'say'>,
): Promise<readonly Step[]> {
  let small = steps;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < small.length && Date.now() < until; ) {
      const rest = [...small.slice(0, from), ...small.slice(from + size)];
      if (rest.length < small.length && (await breaks(rest))) {
        small = rest;
        say(`${small.length} steps do as well`);
      } else from += size;
    }
  }
  return small;
}
