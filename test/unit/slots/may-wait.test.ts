import { expect, test } from 'vitest';
import type { Model } from '../../../src/model/model.ts';
import { mayWait } from '../../../src/slots/may-wait.ts';
import type { NodeLoad } from '../../../src/slots/observed-load.ts';
import { limitedService, pod } from './services.ts';

const [a, b] = [limitedService('a', 2), limitedService('b', 1)];

function model(slotsOfB = 1): Model {
  const services = [
    { service: a, pods: [pod(1)], gate: { slots: 2, pending: 10 } },
    { service: b, pods: [], gate: { slots: slotsOfB, pending: 10 } },
  ];
  return { routing: { services: [], routes: [], listeners: [] }, services, retiring: [] };
}

const load = (ofA: number, ofB: number): NodeLoad => ({
  at: 1,
  pods: new Map(),
  gates: new Map([
    [a.name, ofA],
    [b.name, ofB],
  ]),
});

test('before there are reports nobody can say no', () => {
  expect(mayWait(undefined, new Map([['x', load(0, 0)]]))).toBe(true);
  expect(mayWait(model(), new Map())).toBe(true);
});

test('where every gate has a free slot nobody waits', () => {
  expect(mayWait(model(), new Map([['x', load(1, 0)]]))).toBe(false);
  expect(mayWait(model(), new Map([['x', load(2, 0)]]))).toBe(true);
  expect(mayWait(model(), new Map([['x', load(0, 1)]]))).toBe(true);
});

test('what several Envoys hold adds up', () => {
  const two = new Map([
    ['x', load(1, 0)],
    ['y', load(1, 0)],
  ]);
  expect(mayWait(model(), two)).toBe(true);
});

test('without slots nobody waits before somebody has come', () => {
  expect(mayWait(model(0), new Map([['x', load(0, 0)]]))).toBe(false);
  expect(mayWait(model(0), new Map([['x', load(0, 1)]]))).toBe(true);
});
