import type { ClassReport } from '../slots/events.ts';

/** What became of the requests of a class, since Sluice started. */
export interface ClassTotals {
  readonly started: number;
  /** How long those had waited, in all. */
  readonly waitMs: number;
}

/** What is counted of the classes of one service over all members and their restarts: it only grows. */
export class ClassTraffic {
  readonly #totals = new Map<string, ClassTotals>();

  /**
   * Adds what a member has counted since `before`; one that counts less has begun anew. A member counts by the places of classes: where
   * an edit gives them other names or another order, what it had counted at each place stays what it was.
   */
  add(reports: readonly ClassReport[], before: readonly ClassReport[]): void {
    for (const [place, { name, started, waitMs }] of reports.entries()) {
      const last = before[place];
      const known = last !== undefined && last.started <= started && last.waitMs <= waitMs ? last : NOTHING;
      const total = this.#totals.get(name) ?? NOTHING;
      this.#totals.set(name, {
        started: total.started + started - known.started,
        waitMs: total.waitMs + waitMs - known.waitMs,
      });
    }
  }

  /** Of the class of this name. */
  of(name: string): ClassTotals {
    return this.#totals.get(name) ?? NOTHING;
  }
}

const NOTHING: ClassTotals = { started: 0, waitMs: 0 };
