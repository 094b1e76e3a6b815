import { describe, expect, test } from 'vitest';
import { stages } from '../../../src/slots/stages.ts';
import { limitedService, modelOf, pod } from './services.ts';

const service = limitedService('a', 2);
const two = modelOf(service, [pod(1), pod(2)]);
const four = modelOf(service, [pod(1), pod(2), pod(3), pod(4)]);
const gates = (before: Parameters<typeof stages>[0], after: Parameters<typeof stages>[1]) =>
  stages(before, after).map(({ model, kick }) => ({
    pods: model.services[0]?.pods.length,
    ...model.services[0]?.gate,
    kick: kick.length,
  }));

describe('the order of a publication', () => {
  test('more slots: pods and limit together, with one place more in the line for the kick, then without it', () => {
    expect(gates(two, four)).toEqual([
      { pods: 4, slots: 8, pending: 11, kick: 1 },
      { pods: 4, slots: 8, pending: 10, kick: 0 },
    ]);
  });

  test('fewer slots: the limit before the pods', () => {
    expect(gates(four, two)).toEqual([
      { pods: 4, slots: 4, pending: 10, kick: 0 },
      { pods: 2, slots: 4, pending: 10, kick: 0 },
    ]);
  });

  test('as many slots: one step', () => {
    expect(gates(two, modelOf(service, [pod(3), pod(4)]))).toEqual([{ pods: 2, slots: 4, pending: 10, kick: 0 }]);
  });

  test('a first configuration: one step', () => {
    expect(gates(undefined, four)).toEqual([{ pods: 4, slots: 8, pending: 10, kick: 0 }]);
  });

  test('one service down and another up: down first, up with its kick, and neither disturbs the other', () => {
    const b = limitedService('b', 1);
    const both = (a: typeof two, other: typeof two) => ({ ...a, services: [...a.services, ...other.services] });
    const before = both(four, modelOf(b, [pod(5)]));
    const after = both(two, modelOf(b, [pod(5), pod(6)]));
    const steps = stages(before, after).map(({ model }) => model.services.map(({ gate }) => gate?.slots));
    expect(steps).toEqual([
      [4, 1],
      [4, 2],
      [4, 2],
    ]);
  });

  test('to no pods at all and back', () => {
    const none = modelOf(service, []);
    expect(gates(two, none)).toEqual([
      { pods: 2, slots: 0, pending: 10, kick: 0 },
      { pods: 0, slots: 0, pending: 10, kick: 0 },
    ]);
    expect(gates(none, two)[0]).toEqual({ pods: 2, slots: 4, pending: 11, kick: 1 });
  });
});
