import { times } from '../report/format.ts';
import type { Ratio } from '../report/haproxy-section.ts';
import { linear } from './scale.ts';
import { colour, dot, line, picture, type Svg, text, WIDTH } from './svg.ts';

const LEFT = 290;
const RIGHT = WIDTH - 80;
const TOP = 58;
const ROW = 26;
const LEAST = 0.9;
const MOST = 1.3;
const TICKS = [0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3];

/** Sluice's mean response as a multiple of HAProxy's, one row per scenario: each repeat, their median, and the bound. */
export function ratioChart(ratios: readonly Ratio[]): Svg {
  const axis = linear(MOST - LEAST, [LEFT, RIGHT]);
  // What is beyond the axis is drawn at its end; the figure beside it says how much it is.
  const at = (ratio: number) => axis.at(Math.min(MOST, Math.max(LEAST, ratio)) - LEAST);
  const bottom = TOP + ratios.length * ROW;
  const body = [
    ...TICKS.flatMap((tick) => [
      line([at(tick), TOP], [at(tick), bottom], tick === 1 ? 'ideal' : 'axis'),
      text(at(tick), bottom + 18, String(tick), 'soft mid'),
    ]),
    ...ratios.flatMap((ratio, index) => row(ratio, TOP + (index + 0.5) * ROW, at)),
    text(
      LEFT,
      bottom + 40,
      '● median, ○ each repeat, red: the bound; left of 1 Sluice is faster; dots at the edge are beyond it',
      'soft',
    ),
  ];
  const describes = ratios.map(({ scenario, median }) => `${scenario.title}: ${times(median)}`).join('; ');
  return picture('Mean response, Sluice ÷ HAProxy', describes, { height: bottom + 54, body });
}

function row({ scenario, values, median, bound }: Ratio, y: number, at: (ratio: number) => number): readonly Svg[] {
  const limit =
    bound === undefined
      ? []
      : [`<path d="M${at(bound).toFixed(1)} ${y - 10}v20" stroke="${colour('over')}" stroke-width="3"/>`];
  return [
    text(LEFT - 14, y + 4, scenario.title, 'end'),
    ...limit,
    ...values.map((value) => dot(at(value), y, 'a', { radius: 3.5, hollow: true })),
    dot(at(median), y, 'a'),
    text(RIGHT + 12, y + 4, times(median)),
  ];
}
