import { describe, expect, it } from 'vitest';
import { idealFifo } from './ideal.ts';
import { lostTime } from './lost-time.ts';
import type { PodRequest } from './pod-log.ts';
import { exponential, seeded } from './random.ts';
import { fifoOrder, overLimit } from './verdict.ts';

const visit = (id: string, arrived: number, ended: number, pod = 'a'): PodRequest => {
  const rest = { path: '/', notBefore: arrived, started: arrived, held: 1, outcome: 'answered' } as const;
  return { ...rest, pod, id, arrived, ended };
};

describe('lostTime', () => {
  it('measures the handing over of a slot from the end of the last request to the start of a waiting one', () => {
    const results = [
      { id: '0', sent: 0, ended: 11 },
      { id: '1', sent: 2, ended: 22 },
      { id: '2', sent: 40, ended: 51 },
    ];
    const requests = [visit('0', 1, 10), visit('1', 12, 20), visit('2', 40.5, 50)];
    const { handover, direct, total, share } = lostTime({ results, requests, limit: 1, slots: 1 });
    expect(handover).toMatchObject({ count: 1, median: 2 });
    expect(direct).toMatchObject({ count: 2, max: 1, median: 0.5 });
    expect(total).toBeCloseTo(1 + 2 + 0.5);
    expect(share).toBeCloseTo(3.5 / (3.5 + 9 + 8 + 9.5));
  });

  it('counts no more lost slots than there are requests waiting, and none beyond the slots there are', () => {
    const results = [0, 0, 0].map((sent, id) => ({ id: String(id), sent, ended: 100 }));
    const requests = [visit('0', 10, 20), visit('1', 10, 20, 'b'), visit('2', 21, 30)];
    expect(lostTime({ results, requests, limit: 1, slots: 2 }).total).toBe(10 * 2 + 1);
    expect(lostTime({ results, requests, limit: 1, slots: 4 }).total).toBe(10 * 3 + 10 + 1);
  });

  it('takes a pod that came later as usable from its opening, and slots as they changed', () => {
    const results = [0, 0].map((sent, id) => ({ id: String(id), sent, ended: 100 }));
    const requests = [visit('0', 0, 80), visit('1', 33, 40, 'b')];
    const slots = [
      { at: -1, slots: 1 },
      { at: 30, slots: 2 },
    ];
    const opened = new Map([['b', 30]]);
    const { handover, total } = lostTime({ results, requests, limit: 1, slots, opened });
    expect(handover).toMatchObject({ count: 1, max: 3 });
    expect(total).toBe(3);
  });

  it('lets a request that never reached a pod wait until its end', () => {
    const results = [{ id: '0', sent: 5, ended: 25 }];
    expect(lostTime({ results, requests: [], limit: 1, slots: 1 }).total).toBe(20);
  });

  it('finds an ideal line strict, in order and without loss, and a slower one at fault', () => {
    const random = seeded(7);
    const work = exponential(10);
    const arrivals = Array.from({ length: 500 }, (_, index) => index * 3);
    const services = arrivals.map(() => work(random));
    const { starts, ends } = idealFifo(arrivals, services, 4);
    const results = arrivals.map((sent, id) => ({ id: String(id), sent, ended: ends[id] ?? 0 }));
    // All four servers as the four slots of one pod.
    const requests = arrivals.map((_, id) => visit(String(id), starts[id] ?? 0, ends[id] ?? 0));
    expect(overLimit(requests, 4)).toMatchObject({ peak: 4, times: 0 });
    expect(overLimit(requests, 3).times).toBeGreaterThan(0);
    expect(fifoOrder(results, requests, { sent: 0, arrived: 0 }).overtaken).toBe(0);
    const lost = lostTime({ results, requests, limit: 4, slots: 4 });
    expect(lost.total).toBeCloseTo(0);
    expect(lost.handover.count).toBeGreaterThan(50);
    expect(lost.handover.max).toBe(0);
    const late = requests.map((request) => ({
      ...request,
      arrived: request.arrived + 0.25,
      notBefore: request.arrived + 0.25,
    }));
    expect(lostTime({ results, requests: late, limit: 4, slots: 4 }).handover.median).toBeCloseTo(0.25);
  });
});
