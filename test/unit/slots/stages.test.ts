import { describe, expect, test } from 'vitest';
import type { ServiceName } from '../../../src/model/service.ts';
import { stages, withRoomForKicks } from '../../../src/slots/stages.ts';
import { limitedService, modelOf, pod } from './services.ts';

const service = limitedService('a', 2);
const two = modelOf(service, [pod(1), pod(2)]);
const four = modelOf(service, [pod(1), pod(2), pod(3), pod(4)]);
const a = 'a' as ServiceName;

describe('the order of a publication', () => {
  test('more slots: pods and limit together, then a kick', () => {
    expect(stages(two, four)).toEqual({ lowered: undefined, raised: [a] });
  });

  test('fewer slots: the limit before the pods', () => {
    const { lowered, raised } = stages(four, two);
    expect(lowered?.services[0]).toMatchObject({ gate: { slots: 4 }, pods: four.services[0]?.pods });
    expect(raised).toEqual([]);
  });

  test('as many slots, or a first configuration: one step', () => {
    const nothing = { lowered: undefined, raised: [] };
    expect(stages(two, modelOf(service, [pod(3), pod(4)]))).toEqual(nothing);
    expect(stages(undefined, four)).toEqual(nothing);
  });

  test('one service down and another up: neither disturbs the other', () => {
    const b = limitedService('b', 1);
    const both = (one: typeof two, other: typeof two) => ({ ...one, services: [...one.services, ...other.services] });
    const before = both(four, modelOf(b, [pod(5)]));
    const after = both(two, modelOf(b, [pod(5), pod(6)]));
    const { lowered, raised } = stages(before, after);
    expect(lowered?.services.map(({ gate }) => gate?.slots)).toEqual([4, 1]);
    expect(raised).toEqual(['b']);
  });

  test('to no pods at all and back', () => {
    const none = modelOf(service, []);
    expect(stages(two, none).lowered?.services[0]?.gate?.slots).toBe(0);
    expect(stages(none, two).raised).toEqual([a]);
  });

  test('a line has one place more while its gate is kicked', () => {
    expect(withRoomForKicks(two, new Set([a])).services[0]?.gate?.pending).toBe(11);
    expect(withRoomForKicks(two, new Set())).toBe(two);
  });
});
