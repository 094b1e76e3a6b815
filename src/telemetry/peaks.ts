/** Longest time that is looked back. */
const LONGEST_MS = 3_600_000;

/** The highest of the values that something had, of any time until now. A value holds until the next one. */
export class Peaks {
  /** Each is higher than all that follow; the last one is the value now. `until`: when it was another. */
  readonly #peaks: { value: number; until: number }[] = [];

  /** From now on it has this value. */
  add(value: number, now: number): void {
    const last = this.#peaks.at(-1);
    if (last?.value === value) {
      last.until = now;
      return;
    }
    if (last !== undefined) last.until = now;
    while ((this.#peaks.at(-1)?.value ?? Number.POSITIVE_INFINITY) <= value) this.#peaks.pop();
    this.#peaks.push({ value, until: now });
    while ((this.#peaks[0]?.until ?? now) < now - LONGEST_MS) this.#peaks.shift();
  }

  /** The highest value that it had since then, or has now; 0: none is known. */
  since(moment: number): number {
    const last = this.#peaks.at(-1);
    return (this.#peaks.find(({ until }) => until >= moment) ?? last)?.value ?? 0;
  }
}
