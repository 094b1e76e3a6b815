/** One condition in an object's status, as the API has it. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/** What is true of an object now; whether it has just become so, the status that the object has tells. */
export type Finding = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** A finding that holds. */
export function holds(type: string, reason: string, message = ''): Finding {
  return { type, status: 'True', reason, message };
}

/** A finding that does not hold, and why. */
export function fails(type: string, reason: string, message: string): Finding {
  return { type, status: 'False', reason, message };
}

/** When a status is written, and for which generation of the object. */
export interface Stamp {
  readonly generation: number;
  /** RFC 3339. */
  readonly now: string;
}

/** Longest message that the API takes. */
const LONGEST_MESSAGE = 32_768;

/**
 * Findings as conditions. The transition time moves only when the status does; conditions of other types that are there
 * are not ours, and stay.
 */
export function toConditions(
  findings: readonly Finding[],
  before: readonly Condition[],
  { generation, now }: Stamp,
): readonly Condition[] {
  const own = new Set(findings.map(({ type }) => type));
  return [
    ...findings.map((finding): Condition => {
      const was = before.find(({ type }) => type === finding.type);
      return {
        ...finding,
        message: finding.message.slice(0, LONGEST_MESSAGE),
        observedGeneration: generation,
        lastTransitionTime: was?.status === finding.status ? was.lastTransitionTime : now,
      };
    }),
    ...before.filter(({ type }) => !own.has(type)),
  ];
}
