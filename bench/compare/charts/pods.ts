import { OPPONENTS, type OpponentName } from '../opponents/opponent.ts';
import { partakers, runsOf } from '../report/statistics.ts';
import { titleOf } from '../report/titles.ts';
import type { ScenarioResult, Series } from '../results.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { linear } from './scale.ts';
import { box, colour, line, picture, type Svg, short, text, WIDTH } from './svg.ts';

const LEFT = 190;
const RIGHT = WIDTH - 24;
const TOP = 58;
const WAITING = 26;
const GAP = 16;

/** What each pod held over time, one strip per pod, and below them what waited: one panel per opponent. */
export function podsChart(scenario: Scenario, result: ScenarioResult): Svg {
  const panels = partakers(result, OPPONENTS).flatMap((name) => {
    const series = runsOf(result, name)[0]?.series;
    return series === undefined ? [] : [{ name, series }];
  });
  const strip = scenario.pods > 5 ? 6 : 11;
  const height = scenario.pods * (strip + 1) + WAITING + GAP;
  // An opponent that took far longer than the others would press them together: it is cut off.
  const ends = panels.map(({ series }) => lengthOf(series)).sort((a, b) => a - b);
  const longest = Math.min(ends.at(-1) ?? 1, 1.5 * (ends[ends.length >> 1] ?? 1));
  const mostWaiting = Math.max(1, ...panels.flatMap(({ series }) => series.waiting));
  const axis = linear(longest / 1000, [LEFT, RIGHT]);
  const bottom = TOP + panels.length * height;
  const body = [
    ...panels.flatMap(({ name, series }, index) =>
      panel(name, series, { scenario, top: TOP + index * height, strip, mostWaiting, longest }),
    ),
    ...axis.ticks.map((tick) => text(axis.at(tick), bottom + 6, `${tick} s`, 'soft mid')),
    ...legend(bottom + 28),
  ];
  const describes = `What each of ${scenario.pods} pods held over time behind ${panels.map(({ name }) => titleOf(name)).join(', ')}.`;
  return picture(`${scenario.title}: what each pod holds`, describes, { height: bottom + 44, body });
}

function lengthOf({ waiting, stepMs }: Series): number {
  return waiting.length * stepMs;
}

interface Panel {
  readonly scenario: Scenario;
  readonly top: number;
  readonly strip: number;
  readonly mostWaiting: number;
  readonly longest: number;
}

function panel(name: OpponentName, series: Series, options: Panel): readonly Svg[] {
  const { scenario, top, strip, mostWaiting, longest } = options;
  const step = ((RIGHT - LEFT) * series.stepMs) / longest;
  const count = Math.min(series.waiting.length, Math.ceil((RIGHT - LEFT) / step));
  const strips = series.held.flatMap((held, pod) => {
    const y = top + pod * (strip + 1);
    return [
      box([LEFT, y], [RIGHT - LEFT, strip], 'class="idle"'),
      ...levels(held.slice(0, count), scenario.limit).map(({ level, runs }) => {
        const path = runs.map(([from, to]) => {
          const x = LEFT + from * step;
          return `M${short(x)} ${short(y)}h${short(Math.min(to * step + LEFT, RIGHT) - x)}v${strip}H${short(x)}z`;
        });
        return `<path d="${path.join('')}" ${paint(level)}/>`;
      }),
    ];
  });
  const base = top + scenario.pods * (strip + 1) + WAITING - 4;
  const peak = Math.max(0, ...series.waiting);
  const area = series.waiting.slice(0, count).map((waiting, sample) => {
    return `L${short(LEFT + sample * step)} ${short(base - (WAITING - 6) * (waiting / mostWaiting))}`;
  });
  const end = short(LEFT + (count - 1) * step);
  return [
    text(LEFT - 14, top + 11, titleOf(name), name === 'sluice' ? 'end strong' : 'end'),
    ...strips,
    `<path d="M${LEFT} ${short(base)}${area.join('')}L${end} ${short(base)}z" fill="${colour('rest')}" opacity="0.55"/>`,
    line([LEFT, base], [RIGHT, base]),
    text(LEFT - 14, base, `waiting: at most ${Math.round(peak)}`, 'soft end'),
  ];
}

type Level = 'some' | 'full' | 'over' | 'far over';

/** Neighbouring samples of the same level as one stretch. */
function levels(held: readonly number[], limit: number) {
  const runs = new Map<Level, [number, number][]>();
  let open: { level: Level; run: [number, number] } | undefined;
  for (const [sample, value] of held.entries()) {
    const level = levelOf(value, limit);
    if (open !== undefined && open.level === level) open.run[1] = sample + 1;
    else if (level === undefined) open = undefined;
    else {
      open = { level, run: [sample, sample + 1] };
      runs.set(level, [...(runs.get(level) ?? []), open.run]);
    }
  }
  return [...runs].map(([level, list]) => ({ level, runs: list }));
}

function levelOf(held: number, limit: number): Level | undefined {
  if (held < 0.1) return undefined;
  if (held < 0.9 * limit) return 'some';
  if (held <= 1.02 * limit) return 'full';
  return held < 2 * limit ? 'over' : 'far over';
}

function paint(level: Level): string {
  switch (level) {
    case 'some':
      return `fill="${colour('a')}" opacity="0.45"`;
    case 'full':
      return `fill="${colour('a')}"`;
    case 'over':
      return `fill="${colour('over')}" opacity="0.6"`;
    case 'far over':
      return `fill="${colour('over')}"`;
  }
}

function legend(y: number): readonly Svg[] {
  const entries = [
    ['some', 'below the limit on average', 0],
    ['full', 'at the limit', 190],
    ['over', 'above it', 300],
    ['far over', 'twice the limit and more', 390],
  ] as const;
  return entries.flatMap(([level, label, at]) => {
    const x = LEFT + at;
    return [box([x, y - 9], [14, 10], paint(level)), text(x + 20, y, label, 'soft')];
  });
}
