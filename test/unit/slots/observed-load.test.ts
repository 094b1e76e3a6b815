import { expect, test } from 'vitest';
import type { PodsId } from '../../../src/model/generation.ts';
import type { ServiceName } from '../../../src/model/service.ts';
import { inUse, type NodeLoad, reportOf, withoutEnded, withoutOne } from '../../../src/slots/observed-load.ts';

const id = 'a@123456' as PodsId;
const gate = 'a' as ServiceName;
const load = (at: number, count: number): NodeLoad => ({
  at,
  pods: new Map([[id, new Map([['127.0.1.1:9000', count]])]]),
  gates: new Map([[gate, count]]),
});
const two = new Map([
  ['x', load(10_000, 2)],
  ['y', load(9000, 1)],
]);

test('nobody reports: nothing is known', () => {
  expect(reportOf(id, new Map())).toBeUndefined();
  expect(inUse(gate, new Map(), 0)).toBeUndefined();
});

test('what several Envoys hold adds up, and counts from the oldest report', () => {
  const report = reportOf(id, two);
  expect(report?.running.get('127.0.1.1:9000')).toBe(3);
  expect(report?.from).toBe(8750);
  expect(inUse(gate, two, 8000)).toBe(3);
});

test('slots in use are not known from a report that is older than what is asked about', () => {
  expect(inUse(gate, two, 8750)).toBeUndefined();
});

test('nothing is known of a cluster that no report has: it is too young', () => {
  expect(reportOf('b@123456' as PodsId, two)).toBeUndefined();
  expect(inUse('b' as ServiceName, two, 0)).toBeUndefined();
});

test('a pod that is not in the report of its cluster holds nothing', () => {
  expect(reportOf(id, two)?.running.get('127.0.1.9:9000')).toBeUndefined();
});

test('a request that has ended no longer counts', () => {
  const before = load(10_000, 2);
  expect(withoutOne(before, id, '127.0.1.1:9000').pods.get(id)?.get('127.0.1.1:9000')).toBe(1);
  expect(withoutOne(before, id, '127.0.1.9:9000')).toBe(before);
  expect(before.pods.get(id)?.get('127.0.1.1:9000')).toBe(2);
});

test('a report that crosses the word of an end does not bring the request back', () => {
  const ended = [{ id, pod: '127.0.1.1:9000', at: 10_000 }];
  const held = (at: number) => withoutEnded(load(at, 2), ended).pods.get(id)?.get('127.0.1.1:9000');
  expect([held(10_050), held(10_100)]).toEqual([1, 2]);
});
