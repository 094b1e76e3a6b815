import { describe, expect, it } from 'vitest';
import { lostSlots, type SlotUse } from '../../../bench/compare/measures/lost-slots.ts';

const use = (sent: number, started: number, ended: number, pod = 0): SlotUse => ({ sent, started, ended, pod });
const two = { members: 2, limit: 1, changes: [] };

describe('lostSlots', () => {
  it('loses nothing while whoever waits could not have begun', () => {
    const uses = [use(0, 0, 100), use(0, 0, 100, 1), use(10, 100, 150)];
    expect(lostSlots(uses, two)).toEqual({ ms: 0, busyMs: 250, share: 0 });
  });

  it('counts a request that waits inside a busy pod while another pod is idle', () => {
    const uses = [use(0, 0, 100), use(0, 100, 200)];
    expect(lostSlots(uses, two)).toEqual({ ms: 100, busyMs: 200, share: 1 / 3 });
  });

  it('counts no more than wait, and no more than are free', () => {
    const uses = [use(0, 10, 20, 0), use(0, 10, 20, 1), use(0, 20, 30, 0)];
    expect(lostSlots(uses, { ...two, members: 2 }).ms).toBe(10 * 2);
    expect(lostSlots(uses, { ...two, members: 9 }).ms).toBe(10 * 3 + 10);
  });

  it('counts the slots of a pod from its coming to its leaving or death', () => {
    const uses = [use(0, 0, 100, 0), use(0, 100, 150, 0)];
    const changes = [
      { kind: 'members', at: 20, members: [0, 1] },
      { kind: 'dies', at: 50, pod: 1 },
      { kind: 'returns', at: 90, pod: 1 },
    ] as const;
    expect(lostSlots(uses, { members: 1, limit: 1, changes }).ms).toBe(30 + 10);
  });

  it('does not count a draining pod that is still busy as a free slot', () => {
    const uses = [use(0, 0, 100, 0), use(0, 100, 120, 1)];
    const changes = [{ kind: 'members', at: 10, members: [1] }] as const;
    // Pod 1 is free from its coming on, and somebody waits.
    expect(lostSlots(uses, { members: 1, limit: 1, changes }).ms).toBe(90);
    expect(lostSlots(uses, { members: 1, limit: 1, changes: [{ kind: 'members', at: 10, members: [] }] }).ms).toBe(0);
  });

  it('lets a request that no pod began wait until its end', () => {
    const lost = { sent: 5, started: undefined, pod: undefined, ended: 25 };
    expect(lostSlots([lost], { ...two, members: 1 })).toEqual({ ms: 20, busyMs: 0, share: 1 });
    expect(lostSlots([], two)).toEqual({ ms: 0, busyMs: 0, share: 0 });
  });
});
