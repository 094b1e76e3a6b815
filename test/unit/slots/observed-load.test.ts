import { expect, test } from 'vitest';
import type { ServiceName } from '../../../src/model/service.ts';
import { type NodeLoad, reportOf, withoutOne } from '../../../src/slots/observed-load.ts';

const name = 'a' as ServiceName;
const load = (at: number, count: number): NodeLoad => ({
  at,
  running: new Map([[name, new Map([['127.0.1.1:9000', count]])]]),
});

test('nobody reports: nothing is known', () => {
  expect(reportOf(name, new Map())).toBeUndefined();
});

test('what several Envoys hold adds up, and counts from the oldest report', () => {
  const report = reportOf(
    name,
    new Map([
      ['x', load(10_000, 2)],
      ['y', load(9000, 1)],
    ]),
  );
  expect(report?.running.get('127.0.1.1:9000')).toBe(3);
  expect(report?.from).toBe(8750);
});

test('a service that is not in a report holds nothing', () => {
  expect(reportOf('b' as ServiceName, new Map([['x', load(10_000, 2)]]))?.running.size).toBe(0);
});

test('a request that has ended no longer counts', () => {
  const before = load(10_000, 2);
  expect(withoutOne(before, name, '127.0.1.1:9000').running.get(name)?.get('127.0.1.1:9000')).toBe(1);
  expect(withoutOne(before, name, '127.0.1.9:9000')).toEqual(before);
  expect(before.running.get(name)?.get('127.0.1.1:9000')).toBe(2);
});
