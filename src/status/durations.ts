/** Two of the lengths of time in a set, in milliseconds. */
export interface Quantiles {
  /** Half of them were no longer. */
  readonly p50: number;
  /** 99 of 100 were no longer. */
  readonly p99: number;
}

/** Each bucket ends 2 % above the one before: what is read from them is at most 1 % off. */
const GROWTH = 1.02;
const PER_BUCKET = 1 / Math.log(GROWTH);
/** The first bucket ends here, in milliseconds. */
const SMALLEST_MS = 0.1;
/** Longer ones are counted as this long: 116 days. Times come from outside, and buckets take memory. */
const LONGEST_MS = 1e10;

/** How many lengths of time fell into which bucket; few buckets are in use at a time. */
type Slice = ReadonlyMap<number, number>;

/** Counts lengths of time of the last few slices of time; how long a slice is, its owner decides by `rotate`. */
export class SlidingDurations {
  readonly #length: number;
  /** Those that have ended. */
  readonly #past: Slice[] = [];
  #current = new Map<number, number>();

  constructor(slices: number) {
    this.#length = slices;
  }

  /** Counts one, in milliseconds. */
  add(ms: number): void {
    const bucket = ms > SMALLEST_MS ? Math.ceil(Math.log(Math.min(ms, LONGEST_MS) / SMALLEST_MS) * PER_BUCKET) : 0;
    this.#current.set(bucket, (this.#current.get(bucket) ?? 0) + 1);
  }

  /** Begins a new slice and forgets the oldest one. */
  rotate(): void {
    this.#past.push(this.#current);
    this.#current = new Map();
    if (this.#past.length === this.#length) this.#past.shift();
  }

  /** Over all slices; undefined: nothing was counted. */
  all(): Quantiles | undefined {
    return quantiles([...this.#past, this.#current]);
  }

  /** Over the slice that has not ended yet. */
  current(): Quantiles | undefined {
    return quantiles([this.#current]);
  }
}

function quantiles(slices: readonly Slice[]): Quantiles | undefined {
  const sums = new Map<number, number>();
  let total = 0;
  for (const slice of slices) {
    for (const [bucket, count] of slice) {
      sums.set(bucket, (sums.get(bucket) ?? 0) + count);
      total += count;
    }
  }
  if (total === 0) return undefined;
  const buckets = Float64Array.from(sums.keys()).sort();
  const at = (share: number) => middle(bucketAt(buckets, sums, total * share));
  return { p50: at(0.5), p99: at(0.99) };
}

/** The bucket where the sum of the counts reaches `rank`. */
function bucketAt(buckets: Float64Array, sums: Slice, rank: number): number {
  let seen = 0;
  for (const bucket of buckets) {
    seen += sums.get(bucket) ?? 0;
    if (seen >= rank) return bucket;
  }
  throw new Error('no bucket reaches the rank');
}

/** What is in the middle of a bucket; three digits are more than it knows. */
function middle(bucket: number): number {
  const end = SMALLEST_MS * GROWTH ** bucket;
  return Number((bucket === 0 ? end : end / Math.sqrt(GROWTH)).toPrecision(3));
}
