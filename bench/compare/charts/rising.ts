import { OPPONENTS, type OpponentName } from '../opponents/opponent.ts';
import { middle, partakers, runsOf } from '../report/statistics.ts';
import { titleOf } from '../report/titles.ts';
import type { ScenarioResult, Series } from '../results.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { lineColour } from './opponent-colour.ts';
import { linear, logarithmic, type Scale } from './scale.ts';
import { curve, line, picture, type Svg, text, WIDTH } from './svg.ts';

const LEFT = 70;
const RIGHT = WIDTH - 24;

interface Shown {
  readonly name: OpponentName;
  readonly series: Series;
}

function shownOf(result: ScenarioResult): readonly Shown[] {
  return partakers(result, OPPONENTS).flatMap((name) => {
    const series = runsOf(result, name)[0]?.series;
    return series === undefined ? [] : [{ name, series }];
  });
}

function secondsOf({ waiting, stepMs }: Series): number {
  return (waiting.length * stepMs) / 1000;
}

/** Requests in flight at each pod while the load rises: one panel per way of choosing, one line per pod. */
export function inFlightChart(scenario: Scenario, result: ScenarioResult): Svg {
  const shown = shownOf(result);
  const most = Math.max(1, ...shown.flatMap(({ series }) => series.held.flat()));
  const seconds = Math.max(...shown.map(({ series }) => secondsOf(series)));
  const x = linear(seconds, [LEFT, RIGHT]);
  const panelHeight = 128;
  const body = shown.flatMap(({ name, series }, index) => {
    const top = 66 + index * panelHeight;
    const y = linear(most, [top + 92, top]);
    return [
      text(LEFT, top - 8, titleOf(name), 'strong'),
      ...marks(y),
      line([LEFT, y.at(scenario.limit)], [RIGHT, y.at(scenario.limit)], 'ideal'),
      ...series.held.map((held) => {
        const points = held.map((value, sample) => point(x, y, ((sample + 0.5) * series.stepMs) / 1000, value));
        return curve(points, lineColour(name), 'stroke-width="1" opacity="0.75"');
      }),
    ];
  });
  const bottom = 66 + shown.length * panelHeight;
  body.push(...secondMarks(x, bottom - 16));
  body.push(
    text(LEFT, bottom + 8, 'one line per pod; dashed: the limit of a pod. The load rises evenly, then ends.', 'soft'),
  );
  const describes = `Requests in flight at each pod with rising load, behind ${names(shown)}; at most ${Math.round(most)}.`;
  return picture('Rising load: requests in flight per pod', describes, { height: bottom + 22, body });
}

/** The difference between the pod that holds most and the one that holds least. */
export function spreadOverTimeChart(scenario: Scenario, result: ScenarioResult): Svg {
  const shown = shownOf(result);
  const spreads = shown.map(({ name, series }) => ({ name, series, values: smoothed(spreadOf(series)) }));
  const most = Math.max(1, ...spreads.flatMap(({ values }) => values));
  const seconds = Math.max(...shown.map(({ series }) => secondsOf(series)));
  const x = linear(seconds, [LEFT, RIGHT]);
  const y = linear(most, [260, 66]);
  const body = [
    ...marks(y),
    ...spreads.map(({ name, series, values }) =>
      curve(
        values.map((value, sample) => point(x, y, ((sample + 0.5) * series.stepMs) / 1000, value)),
        lineColour(name),
        'stroke-width="2"',
      ),
    ),
    ...secondMarks(x, 278),
    ...legend(shown, 304),
  ];
  const describes = `Fullest pod minus emptiest pod of ${scenario.pods}, behind ${names(shown)}.`;
  return picture('Rising load: requests at the fullest pod minus those at the emptiest', describes, {
    height: 318,
    body,
  });
}

/** Median and 99th percentile of the response by the load at the time of sending; medians of the repeats. */
export function responseOverTimeChart({ load = { from: 0, to: 1 } }: Scenario, result: ScenarioResult): Svg {
  const shown = shownOf(result).map(({ name }) => ({
    name,
    p50: acrossRepeats(result, name, 'p50'),
    p99: acrossRepeats(result, name, 'p99'),
  }));
  const values = shown.flatMap(({ p50, p99 }) => [...p50, ...p99]).filter((value) => value !== undefined);
  const parts = Math.max(1, ...shown.map(({ p50 }) => p50.length));
  const x = (part: number) => LEFT + ((RIGHT - LEFT) * (part + 0.5)) / parts;
  const y = logarithmic([Math.min(...values) * 0.9, Math.max(...values) * 1.1], [290, 66]);
  const loadAt = (part: number) =>
    `${Math.round((load.from + ((load.to - load.from) * (part + 0.5)) / parts) * 100)} %`;
  const body = [
    ...marks(y),
    ...shown.flatMap(({ name, p50, p99 }) =>
      [
        { list: p50, more: 'stroke-width="1.5" stroke-dasharray="5 4"' },
        { list: p99, more: 'stroke-width="2"' },
      ].map(({ list, more }) => {
        const points = list.map((value, part) => (value === undefined ? undefined : ([x(part), y.at(value)] as const)));
        return curve(points, lineColour(name), more);
      }),
    ),
    ...Array.from({ length: parts }, (_, part) => text(x(part), 308, loadAt(part), 'soft mid')),
    ...legend(shown, 334),
    text(
      LEFT,
      354,
      'solid: 99th percentile, dashed: median; milliseconds, logarithmic; by the load when it was sent',
      'soft',
    ),
  ];
  const describes = `Median and 99th percentile of the response with rising load, behind ${names(shown)}.`;
  return picture('Rising load: response', describes, { height: 368, body });
}

/** A percentile of each part of the time, the median of all repeats that have it. */
function acrossRepeats(result: ScenarioResult, name: OpponentName, key: 'p50' | 'p99') {
  const lists = runsOf(result, name).flatMap(({ series }) => (series === undefined ? [] : [series.response[key]]));
  const parts = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: parts }, (_, part) => {
    const values = lists.flatMap((list) => list[part] ?? []);
    return values.length === 0 ? undefined : middle(values);
  });
}

function spreadOf({ held }: Series): readonly number[] {
  const samples = held[0]?.length ?? 0;
  return Array.from({ length: samples }, (_, sample) => {
    const now = held.map((pod) => pod[sample] ?? 0);
    return Math.max(...now) - Math.min(...now);
  });
}

/** The mean of five neighbours: what is between two samples is chance. */
function smoothed(values: readonly number[]): readonly number[] {
  return values.map((_, index) => {
    const near = values.slice(Math.max(0, index - 2), index + 3);
    return near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}

function point(x: Scale, y: Scale, seconds: number, value: number): readonly [number, number] {
  return [x.at(seconds), y.at(value)];
}

function marks(y: Scale): readonly Svg[] {
  return y.ticks.flatMap((tick) => [
    line([LEFT, y.at(tick)], [RIGHT, y.at(tick)]),
    text(LEFT - 8, y.at(tick) + 4, tick.toLocaleString('en'), 'soft end'),
  ]);
}

function secondMarks(x: Scale, y: number): readonly Svg[] {
  return x.ticks.map((tick) => text(x.at(tick), y, `${tick} s`, 'soft mid'));
}

function legend(shown: readonly Pick<Shown, 'name'>[], y: number): readonly Svg[] {
  let next = LEFT;
  return shown.flatMap(({ name }) => {
    const x = next;
    next += 52 + 6.8 * titleOf(name).length;
    return [
      curve(
        [
          [x, y - 4],
          [x + 22, y - 4],
        ],
        lineColour(name),
        'stroke-width="3"',
      ),
      text(x + 28, y, titleOf(name)),
    ];
  });
}

function names(shown: readonly Pick<Shown, 'name'>[]): string {
  return shown.map(({ name }) => titleOf(name)).join(', ');
}
