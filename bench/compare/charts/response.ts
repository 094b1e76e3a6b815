import { OPPONENTS, type OpponentName } from '../opponents/opponent.ts';
import { refusedBy } from '../report/findings.ts';
import { ms, percent } from '../report/format.ts';
import { medianOf, partakers, runsOf } from '../report/statistics.ts';
import { titleOf } from '../report/titles.ts';
import type { ScenarioResult } from '../results.ts';
import { standingOut } from './opponent-colour.ts';
import { logarithmic, type Scale } from './scale.ts';
import { dot, line, picture, type Svg, short, text, WIDTH } from './svg.ts';

const LEFT = 190;
const RIGHT = WIDTH - 190;
const TOP = 64;
const ROW = 26;

interface Response {
  readonly mean: number;
  readonly p99: number;
}

/** Mean and 99th percentile of everybody's responses on one axis, with the ideal line's. */
export function responseChart(title: string, result: ScenarioResult): Svg {
  const names = partakers(result, OPPONENTS);
  const shown = names.flatMap((name) => {
    const runs = runsOf(result, name);
    const mean = medianOf(runs, ({ response }) => response.mean)?.median;
    const p99 = medianOf(runs, ({ response }) => response.p99)?.median;
    return mean === undefined || p99 === undefined ? [] : [{ name, mean, p99 }];
  });
  const ideal = {
    mean: medianOf(result.runs, (run) => run.ideal.response.mean)?.median ?? 1,
    p99: medianOf(result.runs, (run) => run.ideal.response.p99)?.median ?? 1,
  };
  const all = [...shown.flatMap(({ mean, p99 }) => [mean, p99]), ideal.mean, ideal.p99];
  const axis = logarithmic([Math.min(...all) * 0.9, Math.max(...all) * 1.1], [LEFT, RIGHT]);
  const bottom = TOP + shown.length * ROW;
  const body = [
    ...frame(axis, bottom),
    ...idealLines(axis, ideal, bottom),
    ...shown.flatMap((one, index) =>
      row(one, { axis, y: TOP + (index + 0.5) * ROW, refused: refusedBy(result, one.name) }),
    ),
    text(
      LEFT,
      bottom + 44,
      '● mean, ○ 99th percentile, dashed: those of the ideal line; milliseconds, logarithmic',
      'soft',
    ),
  ];
  const describes = shown.map(({ name, mean, p99 }) => `${titleOf(name)}: mean ${ms(mean)} ms, p99 ${ms(p99)} ms`);
  return picture(`${title}: response`, describes.join('; '), { height: bottom + 58, body });
}

function frame(axis: Scale, bottom: number): readonly Svg[] {
  return axis.ticks.flatMap((tick) => [
    line([axis.at(tick), TOP], [axis.at(tick), bottom]),
    text(axis.at(tick), bottom + 18, tick >= 1 ? tick.toLocaleString('en') : String(tick), 'soft mid'),
  ]);
}

function idealLines(axis: Scale, { mean, p99 }: Response, bottom: number): readonly Svg[] {
  const apart = axis.at(p99) - axis.at(mean) > 80;
  return [
    line([axis.at(mean), TOP - 4], [axis.at(mean), bottom], 'ideal'),
    line([axis.at(p99), TOP - 4], [axis.at(p99), bottom], 'ideal'),
    text(axis.at(mean), TOP - 9, apart ? 'ideal mean' : 'ideal', 'soft mid'),
    ...(apart ? [text(axis.at(p99), TOP - 9, 'ideal p99', 'soft mid')] : []),
  ];
}

function row(
  { name, mean, p99 }: Response & { name: OpponentName },
  { axis, y, refused }: { axis: Scale; y: number; refused: number },
): readonly Svg[] {
  const fill = standingOut(name);
  const stroke = `stroke="var(--${fill})" stroke-width="2"`;
  return [
    text(LEFT - 14, y + 4, titleOf(name), name === 'sluice' ? 'end strong' : 'end'),
    `<path d="M${short(axis.at(mean))} ${short(y)}H${short(axis.at(p99))}" ${stroke}/>`,
    dot(axis.at(mean), y, fill),
    dot(axis.at(p99), y, fill, { hollow: true }),
    text(RIGHT + 12, y + 4, `${ms(mean)} · ${ms(p99)}`),
    ...(refused > 0 ? [text(WIDTH - 8, y + 4, `${percent(refused)} failed`, 'soft end')] : []),
  ];
}
