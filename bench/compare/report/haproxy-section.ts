import type { Results } from '../results.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { table, times } from './format.ts';
import { medianOf, middle, overIdeal, ratios, runsOf } from './statistics.ts';

/** What the mean response may be at most, as a multiple of HAProxy's, by scenario of which the machine's speed is measured. */
export const BOUNDS: Readonly<Record<string, number>> = { 'jobs-20ms': 1.08, 'jobs-100ms': 1.01 };

/** What was found when looking for what a hand-over costs: measured by hand on 2026-11-30 (perf, and one part left out at a time). */
const PROFILE = `### Where the time of a hand-over goes

Four pods of limit 1, exponential jobs of 20 ms, 90 % load, one part left out at a time; all of them in turn, medians of 11 rounds of 4 s:

| | slot time lost per request, ms | CPU of the proxy per request, µs |
| --- | ---: | ---: |
| Sluice | 0.47 | 334 |
| without the guard (who answers those that wait when the filter fails) | 0.43 | 286 |
| without the guard, the try's filter, CORS and the removal of internal headers | 0.42 | 285 |
| HAProxy | 0.20 | 86 |

At this rate the processor's caches are cold for each request. Of Envoy's samples (\`perf record\`, 5,000 a second) 68 % are in Envoy's own code, 24 % in the kernel, 4 % in the compiled filter, 4 % in the C library: WebAssembly itself is not what costs, calls between it and Envoy, and Envoy's router, are. Two things make up most of the distance to HAProxy. Until a slot is free nobody knows which pod the next request will go to, so Envoy's router begins with it only then; a plain Envoy with a queue at its only pod (*Jobs of 20 ms on one pod*) has done that before. And with hot caches, in the closed loop, a plain Envoy without any queue carries half of what HAProxy does. Tried without success: a second connection to each pod (0.02 ms less, but a pod that serves one connection at a time would stand still), and all that the table leaves out. The guard stays: without it a request that waits when the filter fails would wait for ever.`;

/**
 * What Sluice was before its queue became a filter: two hops inside Envoy (commit 4205d27). Measured for the last time on
 * 2026-11-21, the closed loop on 2026-11-30 in turn with the filter.
 */
const HISTORY = `### Before the filter

Until November 2026 the queue was made of two hops inside Envoy. Its last figures, on the same kind of machine:

| | two hops | the filter |
| --- | ---: | ---: |
| jobs of 100 ms: mean response ÷ HAProxy's, slot time lost ÷ HAProxy's | 1.021 ×, 1.97 × | above |
| jobs of 20 ms: mean response ÷ HAProxy's, slot time lost ÷ HAProxy's | 1.234 ×, 2.44 × | above |
| high rate, 5 ms: mean response ÷ HAProxy's | 1.256 × | above |
| closed loop, 64 clients, 4 pods of limit 8, in turn with the filter, 7 rounds: requests per second | 16,634 (15,626–17,554) | 23,681 (22,141–25,313): 1.42 × |`;

/** Sluice's mean response as a multiple of HAProxy's in one scenario. */
export interface Ratio {
  readonly scenario: Scenario;
  readonly values: readonly number[];
  readonly median: number;
  readonly bound: number | undefined;
}

/** The ratios of all scenarios that both took part in. */
export function haproxyRatios(results: Results, scenarios: readonly Scenario[]): readonly Ratio[] {
  return scenarios.flatMap((scenario) => {
    const result = results.scenarios.find(({ name }) => name === scenario.name);
    const values = result === undefined ? [] : ratios(result, 'sluice', 'haproxy');
    return values.length === 0 ? [] : [{ scenario, values, median: middle(values), bound: BOUNDS[scenario.name] }];
  });
}

/** The section that compares the two that hold the limit and keep a queue. */
export function haproxySection(results: Results, scenarios: readonly Scenario[]): string {
  const list = haproxyRatios(results, scenarios);
  if (list.length === 0) return '## Sluice and HAProxy\n\nHAProxy did not take part.';
  const rows = list.map(({ scenario, values, median, bound }) => {
    const result = results.scenarios.find(({ name }) => name === scenario.name);
    const ideal = (name: 'sluice' | 'haproxy') =>
      times(result === undefined ? undefined : medianOf(runsOf(result, name), overIdeal)?.median);
    // Three digits: one of the bounds leaves room for two hundredths.
    const exact = (value: number) => value.toFixed(3);
    const range = values.length === 1 ? '' : ` (${exact(Math.min(...values))}–${exact(Math.max(...values))})`;
    const kept = bound === undefined ? '' : `${times(bound)}: ${median <= bound ? 'kept' : '**not kept**'}`;
    const lost = result === undefined ? [] : ratios(result, 'sluice', 'haproxy', (run) => run.lost.share);
    return [
      scenario.title,
      `${exact(median)} ×${range}`,
      kept,
      times(lost.length === 0 ? undefined : middle(lost)),
      ideal('sluice'),
      ideal('haproxy'),
    ];
  });
  const head = [
    '',
    'mean response, Sluice ÷ HAProxy',
    'bound',
    'slot time lost, Sluice ÷ HAProxy',
    'Sluice ÷ ideal',
    'HAProxy ÷ ideal',
  ];
  return [
    '## Sluice and HAProxy',
    "Both hold the limit and keep one queue. HAProxy hands over a slot faster: its whole way from one request's end to the next one's start is native code for this purpose, Sluice's is Envoy's router and a filter in WebAssembly. What that means for a response depends on how long jobs take; Sluice aims to stay below the bounds. Median of the repeats, each with the same requests for both, and the range.",
    '![Sluice and HAProxy](benchmark/haproxy.svg)',
    table(head, rows),
    PROFILE,
    HISTORY,
  ].join('\n\n');
}
