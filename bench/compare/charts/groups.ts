import { OPPONENTS, type OpponentName } from '../opponents/opponent.ts';
import { ms } from '../report/format.ts';
import { groupsOf, medianOf, partakers, runsOf } from '../report/statistics.ts';
import { titleOf } from '../report/titles.ts';
import type { ScenarioResult } from '../results.ts';
import { standingOut } from './opponent-colour.ts';
import { logarithmic, type Scale } from './scale.ts';
import { dot, line, picture, type Svg, short, text, WIDTH } from './svg.ts';

const LEFT = 190;
const RIGHT = WIDTH - 190;
const TOP = 40;
const ROW = 26;
/** Between one group and the next. */
const GAP = 22;

interface Wait {
  readonly group: string;
  readonly name: OpponentName;
  readonly mean: number;
  readonly p99: number;
}

/** How long the requests of each group waited with each opponent, on one axis: a block for each group. */
export function groupsChart(title: string, result: ScenarioResult): Svg {
  const groups = groupsOf(result.runs);
  const names = partakers(result, OPPONENTS);
  const waits = groups.flatMap((group) => names.flatMap((name) => waitOf(result, group, name) ?? []));
  const all = waits.flatMap(({ mean, p99 }) => [mean, p99]);
  const axis = logarithmic([Math.min(...all) * 0.9, Math.max(...all) * 1.1], [LEFT, RIGHT]);
  const yOf = ({ group, name }: Wait) =>
    TOP + groups.indexOf(group) * (names.length * ROW + GAP) + GAP + (names.indexOf(name) + 0.5) * ROW;
  const bottom = TOP + groups.length * (names.length * ROW + GAP);
  const body = [
    ...axis.ticks.flatMap((tick) => [
      line([axis.at(tick), TOP], [axis.at(tick), bottom]),
      text(axis.at(tick), bottom + 18, tick >= 1 ? tick.toLocaleString('en') : String(tick), 'soft mid'),
    ]),
    ...groups.map((group, at) => text(14, TOP + at * (names.length * ROW + GAP) + GAP - 4, group, 'strong')),
    ...waits.flatMap((wait) => row(wait, axis, yOf(wait))),
    text(LEFT, bottom + 44, '● mean wait, ○ 99th percentile; milliseconds, logarithmic', 'soft'),
  ];
  const describes = waits.map(
    ({ group, name, mean, p99 }) => `${group}, ${titleOf(name)}: mean ${ms(mean)} ms, p99 ${ms(p99)} ms`,
  );
  return picture(`${title}: waits`, describes.join('; '), { height: bottom + 58, body });
}

function waitOf(result: ScenarioResult, group: string, name: OpponentName): Wait | undefined {
  const runs = runsOf(result, name);
  const mean = medianOf(runs, (run) => run.groups?.[group]?.mean)?.median;
  const p99 = medianOf(runs, (run) => run.groups?.[group]?.p99)?.median;
  // No wait at all has no place on a logarithmic axis.
  return mean === undefined || p99 === undefined
    ? undefined
    : { group, name, mean: Math.max(mean, LEAST_MS), p99: Math.max(p99, LEAST_MS) };
}

const LEAST_MS = 0.01;

function row({ name, mean, p99 }: Wait, axis: Scale, y: number): readonly Svg[] {
  const fill = standingOut(name);
  return [
    text(LEFT - 14, y + 4, titleOf(name), name === 'sluice' ? 'end strong' : 'end'),
    `<path d="M${short(axis.at(mean))} ${short(y)}H${short(axis.at(p99))}" stroke="var(--${fill})" stroke-width="2"/>`,
    dot(axis.at(mean), y, fill),
    dot(axis.at(p99), y, fill, { hollow: true }),
    text(RIGHT + 12, y + 4, `${ms(mean)} · ${ms(p99)}`),
  ];
}
