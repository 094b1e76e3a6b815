/** First wait after a failure, in milliseconds. */
const FIRST_MS = 200;

/**
 * Longest wait, in milliseconds: a change made while the API server was away has to be seen within five seconds of its
 * return, and a refused connection every three seconds is no burden to anybody.
 */
const LONGEST_MS = 3000;

/**
 * How long to wait before attempt number `attempt` (1 = after the first failure), in milliseconds: twice as long each
 * time, and of that a random part of at least half, so that many clients do not come back in the same moment.
 */
export function backoff(attempt: number, random: () => number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 30));
  return full * (0.5 + random() / 2);
}
