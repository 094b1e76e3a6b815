// Several things measured in turns, under the same load in each round: what one costs beside another is the median over the rounds, as one
// round in which the machine had something else to do must not decide.

/** The middle one of some numbers; of an even number the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((x, y) => x - y);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** A figure of each round by that of the same round of `one`; the median of these. */
export function ratio<Round>(rounds: readonly Round[], one: readonly Round[], of: (round: Round) => number): number {
  return median(
    rounds.flatMap((round, i) => {
      const other = one[i];
      return other === undefined ? [] : [of(round) / of(other)];
    }),
  );
}

/** The same ones, beginning with another one in each round: who goes first has another machine than who goes last. */
export function turned<T>(all: readonly T[], round: number): readonly T[] {
  const from = round % all.length;
  return [...all.slice(from), ...all.slice(0, from)];
}
