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

/** All buckets there are: the first, and those up to `LONGEST_MS`. */
const BUCKETS = bucketOf(LONGEST_MS) + 1;

/** How many lengths of time fell into which bucket; few buckets are in use at a time. */
type Slice = Map<number, number>;

/** Counts lengths of time of the last few slices of time; how long a slice is, its owner decides by `rotate`. */
export class SlidingDurations {
  readonly #length: number;
  /** Those that have ended. */
  readonly #past: Slice[] = [];
  #current: Slice = new Map();
  /** Over all slices; undefined: nothing was counted in any of them. */
  #sums: Uint32Array | undefined;
  /** Nothing was counted below or above these since there are sums. */
  #lowest = BUCKETS;
  #highest = 0;

  constructor(slices: number) {
    this.#length = slices;
  }

  /** Counts one, in milliseconds, so many times. */
  add(ms: number, times = 1): void {
    const bucket = bucketOf(ms);
    this.#current.set(bucket, (this.#current.get(bucket) ?? 0) + times);
    this.#sums ??= new Uint32Array(BUCKETS);
    this.#sums[bucket] = (this.#sums[bucket] ?? 0) + times;
    if (bucket < this.#lowest) this.#lowest = bucket;
    if (bucket > this.#highest) this.#highest = bucket;
  }

  /** Begins a new slice and forgets the oldest one. */
  rotate(): void {
    this.#past.push(this.#current);
    this.#current = new Map();
    if (this.#past.length < this.#length) return;
    for (const [bucket, count] of this.#past.shift() ?? [])
      if (this.#sums !== undefined) this.#sums[bucket] = (this.#sums[bucket] ?? 0) - count;
    if (this.#past.some(({ size }) => size > 0)) return;
    this.#sums = undefined;
    this.#lowest = BUCKETS;
    this.#highest = 0;
  }

  /** Over all slices; undefined: nothing was counted. */
  all(): Quantiles | undefined {
    return this.#sums && quantiles(this.#sums, this.#lowest, this.#highest);
  }

  /** Over the slice that has not ended yet. */
  current(): Quantiles | undefined {
    if (this.#current.size === 0) return undefined;
    const sums = new Uint32Array(BUCKETS);
    for (const [bucket, count] of this.#current) sums[bucket] = count;
    const used = [...this.#current.keys()];
    return quantiles(sums, Math.min(...used), Math.max(...used));
  }
}

function bucketOf(ms: number): number {
  return ms > SMALLEST_MS ? Math.ceil(Math.log(Math.min(ms, LONGEST_MS) / SMALLEST_MS) * PER_BUCKET) : 0;
}

/** Of the buckets from `lowest` to `highest`; undefined: nothing was counted. */
function quantiles(sums: Uint32Array, lowest: number, highest: number): Quantiles | undefined {
  let total = 0;
  for (let bucket = lowest; bucket <= highest; bucket++) total += sums[bucket] ?? 0;
  if (total === 0) return undefined;
  let [seen, half] = [0, -1];
  for (let bucket = lowest; bucket <= highest; bucket++) {
    seen += sums[bucket] ?? 0;
    if (half === -1 && seen >= total * 0.5) half = bucket;
    if (seen >= total * 0.99) return { p50: middle(half), p99: middle(bucket) };
  }
  throw new Error('no bucket reaches the rank');
}

/** What is in the middle of a bucket; three digits are more than it knows. */
function middle(bucket: number): number {
  const end = SMALLEST_MS * GROWTH ** bucket;
  return Number((bucket === 0 ? end : end / Math.sqrt(GROWTH)).toPrecision(3));
}
