/** One metric with all its series, as Prometheus reads it. */
export interface Family {
  /** Without `_bucket` and the like. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Lines as `series` and `BucketCounts` write them. */
  readonly lines: readonly string[];
}

/**
 * The families in Prometheus' text format. (prom-client writes metrics with a few series; those with a series per
 * service and pod are written here: 1,000 services of 10 pods take 40 ms instead of 100, during which nothing else
 * happens (run), and counting a request costs less than finding its labels.)
 */
export function exposition(families: readonly Family[]): string {
  return families
    .map(({ name, type, help, lines }) => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n'))
    .join('\n');
}

/** One series: `sluice_slots{service="codec"} 5`. */
export function series(name: string, labels: string, value: number): string {
  return labels === '' ? `${name} ${value}` : `${name}{${labels}} ${value}`;
}

/** One label: `service="codec"`. */
export function label(name: string, value: string): string {
  return `${name}="${/[\\"\n]/.test(value) ? escaped(value) : value}"`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** Counts values in buckets. */
export class BucketCounts {
  readonly #ends: readonly number[];
  /** Those above all ends come last. */
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** `ends`: the upper end of each bucket, rising. */
  constructor(ends: readonly number[]) {
    this.#ends = ends;
    this.#counts = new Array<number>(ends.length + 1).fill(0);
  }

  /** How many were counted. */
  get count(): number {
    return this.#count;
  }

  /** Counts one, so many times. */
  observe(value: number, times = 1): void {
    let bucket = 0;
    while (value > (this.#ends[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + times;
    this.#sum += value * times;
    this.#count += times;
  }

  /** Its series, each bucket with all below it. */
  lines(name: string, labels: string): readonly string[] {
    let below = 0;
    const buckets = this.#counts.map((count, index) => {
      below += count;
      return series(`${name}_bucket`, `${label('le', String(this.#ends[index] ?? '+Inf'))},${labels}`, below);
    });
    return [...buckets, series(`${name}_sum`, labels, this.#sum), series(`${name}_count`, labels, this.#count)];
  }
}
