/** One metric with all its series, as Prometheus reads it. */
export interface Family {
  /** Without `_bucket` and the like. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly help: string;
  /** Lines as `series` and `histogram` write them. */
  readonly lines: readonly string[];
}

/**
 * The families in Prometheus' text format. (prom-client writes metrics with a few series; those with a series per
 * service and pod are written here: 1,000 services of 10 pods take 40 ms instead of 100, during which nothing else
 * happens.)
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

/** What was counted in buckets; the last count is of what is above all ends. */
export interface Buckets {
  /** The upper end of each bucket, rising, as it was counted. */
  readonly ends: readonly number[];
  readonly counts: ArrayLike<number>;
  readonly sum: number;
  /** The ends that get a series, as Prometheus reads them, by their place in `ends`. */
  readonly shown: readonly (readonly [place: number, le: string])[];
}

/** The series of a histogram, each bucket with all below it. */
export function histogram(name: string, labels: string, { ends, counts, sum, shown }: Buckets): readonly string[] {
  let [below, next] = [0, 0];
  const lines = shown.map(([place, le]) => {
    for (; next <= place; next++) below += counts[next] ?? 0;
    return series(`${name}_bucket`, `${label('le', le)},${labels}`, below);
  });
  for (; next <= ends.length; next++) below += counts[next] ?? 0;
  return [
    ...lines,
    series(`${name}_bucket`, `${label('le', '+Inf')},${labels}`, below),
    series(`${name}_sum`, labels, sum),
    series(`${name}_count`, labels, below),
  ];
}
