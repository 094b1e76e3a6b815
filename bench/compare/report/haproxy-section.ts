import type { Results } from '../results.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { table, times } from './format.ts';
import { medianOf, middle, overIdeal, ratios, runsOf } from './statistics.ts';

/** What the mean response may be at most, as a multiple of HAProxy's, by scenario. */
export const BOUNDS: Readonly<Record<string, number>> = { 'jobs-20ms': 1.1, 'jobs-100ms': 1.02 };

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

/** The section that compares the two that hold the limit and keep a line. */
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
    return [scenario.title, `${exact(median)} ×${range}`, kept, ideal('sluice'), ideal('haproxy')];
  });
  const head = ['', 'mean response, Sluice ÷ HAProxy', 'bound', 'Sluice ÷ ideal', 'HAProxy ÷ ideal'];
  return [
    '## Sluice and HAProxy',
    'Both hold the limit and keep one line. HAProxy hands over a slot faster: it has one hop, Sluice two inside its Envoy (*one hop and two* has an Envoy with one). What that means for a response depends on how long jobs take; Sluice aims to stay below the bounds. Median of the repeats, each with the same requests for both, and the range.',
    '![Sluice and HAProxy](benchmark/haproxy.svg)',
    table(head, rows),
  ].join('\n\n');
}
