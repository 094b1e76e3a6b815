/** Upper ends of the buckets that members count in, in milliseconds; one more bucket is above all of them. */
export const BOUNDS_MS: readonly number[] = [
  ...Array.from({ length: 8 }, (_, power) => [1, 1.5, 2, 3, 5, 7].map((step) => step * 10 ** power)).flat(),
  100_000_000,
];

/** How many buckets there are. */
export const BUCKETS: number = BOUNDS_MS.length + 1;

/** Two of the lengths of time in a set, in milliseconds. */
export interface Quantiles {
  /** Half of them were no longer. */
  readonly p50: number;
  /** 99 of 100 were no longer. */
  readonly p99: number;
}

/** Of what was counted in these buckets; undefined: nothing was. */
export function quantilesOf(buckets: ArrayLike<number>): Quantiles | undefined {
  let total = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) total += buckets[bucket] ?? 0;
  return total === 0 ? undefined : { p50: quantile(buckets, total * 0.5), p99: quantile(buckets, total * 0.99) };
}

/** As Prometheus' `histogram_quantile`: evenly spread within a bucket; above all bounds it is the last bound. */
function quantile(buckets: ArrayLike<number>, rank: number): number {
  let below = 0;
  for (let bucket = 0; bucket < BOUNDS_MS.length; bucket++) {
    const count = buckets[bucket] ?? 0;
    if (count > 0 && below + count >= rank) {
      const [start, end] = [BOUNDS_MS[bucket - 1] ?? 0, BOUNDS_MS[bucket] ?? 0];
      // Three digits are more than a bucket knows.
      return Number((start + ((end - start) * (rank - below)) / count).toPrecision(3));
    }
    below += count;
  }
  return BOUNDS_MS.at(-1) ?? 0;
}
