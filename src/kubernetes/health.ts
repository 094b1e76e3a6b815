import type { Problem } from '../model/problem.ts';

/** How well a collection is being followed. */
export interface Health {
  /** It was complete at least once. */
  readonly listed: boolean;
  /** What keeps it from being up to date, and since when that may matter (milliseconds since the Unix epoch). */
  readonly trouble: { readonly problem: Problem; readonly since: number } | undefined;
}

/** Nothing is known yet. */
export const UNKNOWN: Health = { listed: false, trouble: undefined };

/** After a failure. The first moment counts for as long as the trouble lasts. */
export function troubled(health: Health, problem: Problem, since: number): Health {
  return { ...health, trouble: { problem, since: health.trouble?.since ?? since } };
}
