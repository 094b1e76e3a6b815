/** Two of the lengths of time in a set, in milliseconds. */
export interface Quantiles {
  /** Half of them were no longer. */
  readonly p50: number;
  /** 99 of 100 were no longer. */
  readonly p99: number;
}

/** Each bucket ends 2 % above the one before: what is read from them is at most 1 % off. */
const GROWTH = 1.02;
/** The first bucket ends here, in milliseconds. */
const SMALLEST_MS = 0.1;

/** How many lengths of time fell into which bucket; few buckets are in use at a time. */
type Slice = ReadonlyMap<number, number>;

/** Counts lengths of time of the last few slices of time; how long a slice is, its owner decides by `rotate`. */
export class SlidingDurations {
  readonly #length: number;
  /** The current slice comes last. */
  readonly #slices: Map<number, number>[] = [new Map()];

  constructor(slices: number) {
    this.#length = slices;
  }

  /** Counts one, in milliseconds. */
  add(ms: number): void {
    const bucket = ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log(ms / SMALLEST_MS) / Math.log(GROWTH));
    const slice = this.#slices.at(-1);
    slice?.set(bucket, (slice.get(bucket) ?? 0) + 1);
  }

  /** Begins a new slice and forgets the oldest one. */
  rotate(): void {
    this.#slices.push(new Map());
    if (this.#slices.length > this.#length) this.#slices.shift();
  }

  /** Over all slices; undefined: nothing was counted. */
  all(): Quantiles | undefined {
    return quantiles(this.#slices);
  }

  /** Over the slice that has not ended yet. */
  current(): Quantiles | undefined {
    return quantiles(this.#slices.slice(-1));
  }
}

function quantiles(slices: readonly Slice[]): Quantiles | undefined {
  const sums = new Map<number, number>();
  for (const slice of slices) for (const [bucket, count] of slice) sums.set(bucket, (sums.get(bucket) ?? 0) + count);
  const sorted = [...sums].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return undefined;
  return { p50: at(sorted, total * 0.5), p99: at(sorted, total * 0.99) };
}

/** What is in the middle of the bucket where the sum of the counts reaches `rank`. */
function at(sorted: readonly (readonly [number, number])[], rank: number): number {
  let seen = 0;
  for (const [bucket, count] of sorted) {
    seen += count;
    if (seen >= rank) return middle(bucket);
  }
  throw new Error('no bucket reaches the rank');
}

/** Three digits are more than it knows. */
function middle(bucket: number): number {
  const end = SMALLEST_MS * GROWTH ** bucket;
  return Number((bucket === 0 ? end : end / Math.sqrt(GROWTH)).toPrecision(3));
}
