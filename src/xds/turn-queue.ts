/** Something that wants a turn. */
export interface Turn {
  takeTurn(): void;
}

/** How many get their turn before everybody else in the process may run. */
const PER_ROUND = 50;

/**
 * First come, first served, each at most once in the queue however often it asks: many requests and many changes
 * become one push, and a thousand clients that return at once are served in order, in slices, so that neither
 * requests nor timers have to wait for all of them.
 */
export class TurnQueue {
  readonly #waiting = new Set<Turn>();
  readonly #afterRound: () => void;
  #scheduled = false;

  /** `afterRound` is called after every slice. */
  constructor(afterRound: () => void) {
    this.#afterRound = afterRound;
  }

  /** Puts `turn` at the end of the queue, unless it waits already. */
  add(turn: Turn): void {
    this.#waiting.add(turn);
    this.#schedule();
  }

  /** Takes `turn` out. */
  remove(turn: Turn): void {
    this.#waiting.delete(turn);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#round());
  }

  #round(): void {
    this.#scheduled = false;
    for (const turn of [...this.#waiting].slice(0, PER_ROUND)) {
      this.#waiting.delete(turn);
      turn.takeTurn();
    }
    if (this.#waiting.size > 0) this.#schedule();
    this.#afterRound();
  }
}
