import { expect, test } from 'vitest';
import { ClassTraffic } from '../../../src/telemetry/class-traffic.ts';

const report = (name: string, started: number, waitMs = started * 10) => ({ name, waiting: 0, started, waitMs });

test('what members count is added up by the names of classes, and one that counts less has begun anew', () => {
  const traffic = new ClassTraffic();
  const first = [report('high', 5), report('low', 7)];
  traffic.add(first, []);
  const second = [report('high', 6), report('low', 9)];
  traffic.add(second, first);
  traffic.add([report('high', 2), report('low', 1)], second);
  expect(traffic.of('high')).toEqual({ started: 8, waitMs: 80 });
  expect(traffic.of('low')).toEqual({ started: 10, waitMs: 100 });
});

test('an edit that gives classes another order or other names lets nothing jump', () => {
  const traffic = new ClassTraffic();
  const before = [report('high', 1000), report('low', 10)];
  traffic.add(before, []);
  // The member goes on counting at the same places.
  const turned = [report('low', 1001), report('high', 10)];
  traffic.add(turned, before);
  expect(traffic.of('high')).toEqual({ started: 1000, waitMs: 10_000 });
  expect(traffic.of('low')).toEqual({ started: 11, waitMs: 110 });
  const renamed = [report('urgent', 1003), report('high', 10), report('least', 4)];
  traffic.add(renamed, turned);
  expect(traffic.of('urgent')).toEqual({ started: 2, waitMs: 20 });
  expect(traffic.of('least')).toEqual({ started: 4, waitMs: 40 });
});
