/** All ways in which a request ends. */
export const OUTCOMES = ['answered', 'failed', 'refused', 'timed out', 'abandoned'] as const;

/** How a request ended. `failed`: with a status of 500 or above. `abandoned`: its client left before. */
export type Outcome = (typeof OUTCOMES)[number];

/** How many requests ended how. */
export interface Counts {
  readonly answered: number;
  readonly failed: number;
  readonly refused: number;
  /** Given up while they waited, or while a pod worked on them. */
  readonly timedOut: number;
  readonly abandoned: number;
}

/** Counts that grow: a new object for every request would be a large part of what counting it costs. */
export class Tally {
  #answered = 0;
  #failed = 0;
  #refused = 0;
  #timedOut = 0;
  #abandoned = 0;

  /** So many more. */
  count(outcome: Outcome, times: number): void {
    switch (outcome) {
      case 'answered':
        this.#answered += times;
        break;
      case 'failed':
        this.#failed += times;
        break;
      case 'refused':
        this.#refused += times;
        break;
      case 'timed out':
        this.#timedOut += times;
        break;
      case 'abandoned':
        this.#abandoned += times;
        break;
    }
  }

  /** One of the failures was one of Envoy's own: it may be told before the failure itself is. */
  gaveUp(): void {
    this.#failed--;
    this.#timedOut++;
  }

  /** Adds this one to `sum`. */
  addTo(sum: { -readonly [Key in keyof Counts]: number }): void {
    sum.answered += this.#answered;
    sum.failed += this.#failed;
    sum.refused += this.#refused;
    sum.timedOut += this.#timedOut;
    sum.abandoned += this.#abandoned;
  }
}

/** What all of them have counted: never below 0 failures, though one that was given up may be told before it failed. */
export function sumOf(tallies: readonly Tally[]): Counts {
  const sum = { answered: 0, failed: 0, refused: 0, timedOut: 0, abandoned: 0 };
  for (const tally of tallies) tally.addTo(sum);
  return { ...sum, failed: Math.max(0, sum.failed) };
}
