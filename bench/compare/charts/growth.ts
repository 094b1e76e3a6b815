import type { GrowthResult } from '../results.ts';
import { linear } from './scale.ts';
import { curve, dot, line, picture, type Svg, text, WIDTH } from './svg.ts';

const GAP = 90;
const PANEL = (WIDTH - 70 - 24 - GAP) / 2;

/** Memory and CPU of Envoy and control plane by the number of services. */
export function growthChart({ sizes }: GrowthResult): Svg {
  const values = (key: 'residentMb' | 'cpuMs', part: 'proxy' | 'controlPlane') => sizes.map((size) => size[key][part]);
  const panels = [
    { title: 'resident memory, MB', key: 'residentMb' as const, left: 70 },
    { title: 'CPU until all are active, ms', key: 'cpuMs' as const, left: 70 + PANEL + GAP },
  ];
  const body = panels.flatMap(({ title, key, left }) => {
    const most = Math.max(1, ...values(key, 'proxy'), ...values(key, 'controlPlane'));
    const y = linear(most * 1.05, [260, 76]);
    const step = sizes.length > 1 ? (PANEL - 40) / (sizes.length - 1) : 0;
    const at = (index: number) => left + 20 + index * step;
    const lines = (['proxy', 'controlPlane'] as const).flatMap((part) => {
      const points = values(key, part).map((value, index) => [at(index), y.at(value)] as const);
      const fill = part === 'proxy' ? 'a' : 'b';
      return [curve(points, fill, 'stroke-width="2"'), ...points.map(([x, top]) => dot(x, top, fill, { radius: 4 }))];
    });
    return [
      text(left, 60, title, 'strong'),
      ...y.ticks.flatMap((tick) => [
        line([left, y.at(tick)], [left + PANEL, y.at(tick)]),
        text(left - 8, y.at(tick) + 4, tick.toLocaleString('en'), 'soft end'),
      ]),
      ...sizes.map(({ services }, index) => text(at(index), 278, services.toLocaleString('en'), 'soft mid')),
      ...lines,
    ];
  });
  body.push(...legend());
  const describes = sizes.map(
    ({ services, residentMb }) =>
      `${services} services: Envoy ${residentMb.proxy} MB, control plane ${residentMb.controlPlane} MB`,
  );
  return picture('What many services cost', describes.join('; '), { height: 318, body });
}

function legend(): readonly Svg[] {
  return (
    [
      ['a', 'Envoy', 70],
      ['b', 'control plane', 160],
    ] as const
  ).flatMap(([fill, label, x]) => [dot(x, 299, fill, { radius: 4 }), text(x + 12, 303, label)]);
}
