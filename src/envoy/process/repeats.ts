/** The same line is worth telling again after so many milliseconds. */
const AGAIN_MS = 60_000;

/** Lines that are remembered: Envoy has few that it says again and again. */
const MOST_LINES = 200;

/** Knows which lines were said a moment ago: what Envoy is given again, it refuses again in the same words. */
export class Repeats {
  readonly #monotonic: () => number;
  /** When each line was last told, oldest first. */
  readonly #told = new Map<string, number>();

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Whether this very line was told within the last minute; if not, it counts as told now. */
  isRepeat(line: string): boolean {
    const now = this.#monotonic();
    const last = this.#told.get(line);
    if (last !== undefined && now - last < AGAIN_MS) return true;
    this.#told.delete(line);
    this.#told.set(line, now);
    const [oldest] = this.#told.keys();
    if (this.#told.size > MOST_LINES && oldest !== undefined) this.#told.delete(oldest);
    return false;
  }
}
