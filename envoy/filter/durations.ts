// The bounds of the histograms, as `Durations` in queue.proto has them. Compiles with tsc and asc.

/** How many buckets there are: 49 with a bound, and the one of all longer durations. */
export const BUCKETS: i32 = 50;

const BOUNDS: Float64Array = bounds();

function bounds(): Float64Array {
  const all = new Float64Array(BUCKETS - 1);
  let power: f64 = 1;
  for (let i: i32 = 0; i < 48; i += 6) {
    all[i] = power;
    all[i + 1] = 1.5 * power;
    all[i + 2] = 2 * power;
    all[i + 3] = 3 * power;
    all[i + 4] = 5 * power;
    all[i + 5] = 7 * power;
    power *= 10;
  }
  all[48] = power;
  return all;
}

/** The bucket of a duration: the first whose bound is not below it. */
export function bucketOf(ms: f64): i32 {
  let low: i32 = 0;
  let high: i32 = BUCKETS - 1;
  while (low < high) {
    const middle: i32 = (low + high) >> 1;
    if ((BOUNDS[middle] as f64) < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
