/** What is known of a pod by its health checks. */
export interface Verdict {
  readonly isWell: boolean;
  /** Failures in a row. */
  readonly failures: number;
}

/** Before the first answer a pod counts as well: it gets requests at once. */
export const UNKNOWN: Verdict = { isWell: true, failures: 0 };

/** So many failures in a row, and a pod is out; one good answer, and it is back. */
const UNHEALTHY_AFTER = 2;

/** The verdict after one more answer, or none in time. */
export function nextVerdict(before: Verdict, isGood: boolean): Verdict {
  if (isGood) return UNKNOWN;
  const failures = before.failures + 1;
  return { isWell: before.isWell && failures < UNHEALTHY_AFTER, failures };
}

/** What counts as a good answer. */
export function status200(status: number | undefined): boolean {
  return status === 200;
}

/**
 * Which of the pods of a service are out. When none of several is well, it is more likely that the one who asks cannot
 * reach them than that all are ill: then none is.
 */
export function unhealthyOf(verdicts: ReadonlyMap<string, Verdict>): ReadonlySet<string> {
  const ill = [...verdicts].filter(([, { isWell }]) => !isWell).map(([address]) => address);
  return ill.length === verdicts.size && verdicts.size > 1 ? new Set() : new Set(ill);
}
