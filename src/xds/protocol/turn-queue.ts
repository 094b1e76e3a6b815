/** Something that wants a turn. */
export interface Turn {
  takeTurn(): void;
}

/** How many get their turn before everybody else in the process may run. */
const PER_ROUND = 50;
/** How many, and how long until the next, while clients have much to take: then hurry only fills memory. */
const PER_BUSY_ROUND = 5;
const BUSY_PAUSE_MS = 1;

/**
 * First come, first served, each at most once in the queue however often it asks: many requests and many changes
 * become one push, and a thousand clients that return at once are served in order, in slices, so that neither
 * requests nor timers have to wait for all of them.
 */
export class TurnQueue {
  readonly #waiting = new Set<Turn>();
  readonly #isBusy: () => boolean;
  readonly #afterRound: () => void;
  #scheduled = false;

  /** `isBusy` tells whether to go slowly, never to stop; `afterRound` is called after every slice. */
  constructor(isBusy: () => boolean, afterRound: () => void) {
    this.#isBusy = isBusy;
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
    if (this.#isBusy()) setTimeout(() => this.#round(), BUSY_PAUSE_MS);
    else setImmediate(() => this.#round());
  }

  #round(): void {
    this.#scheduled = false;
    let left = this.#isBusy() ? PER_BUSY_ROUND : PER_ROUND;
    for (const turn of this.#waiting) {
      if (left-- === 0) break;
      this.#waiting.delete(turn);
      turn.takeTurn();
    }
    if (this.#waiting.size > 0) this.#schedule();
    this.#afterRound();
  }
}
