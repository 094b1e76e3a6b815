import { describe, expect, it } from 'vitest';
import type { PodRequest } from './pod-log.ts';
import { fifoOrder, overLimit } from './verdict.ts';

const visit = (id: string, arrived: number, ended: number | undefined, rest: Partial<PodRequest> = {}): PodRequest => ({
  pod: 'a',
  path: '/',
  started: arrived,
  outcome: ended === undefined ? 'running' : 'answered',
  held: 1,
  notBefore: arrived,
  ...rest,
  id,
  arrived,
  ended,
});

describe('overLimit', () => {
  it('counts one excess per stretch of time, with its length and height', () => {
    const held = [visit('1', 0, 10), visit('2', 4, 12), visit('3', 6, 8), visit('4', 20, 30), visit('5', 25, 26)];
    const { peak, times, unexcused, excesses } = overLimit(held, 1);
    expect({ peak, times, unexcused }).toEqual({ peak: 3, times: 2, unexcused: 2 });
    expect(excesses).toEqual([
      { pod: 'a', at: 4, ms: 6, held: 3, aborted: false },
      { pod: 'a', at: 25, ms: 1, held: 2, aborted: false },
    ]);
  });

  it('takes a request that comes at the very moment another ends as following it', () => {
    expect(overLimit([visit('1', 0, 10), visit('2', 10, 20)], 1)).toMatchObject({ peak: 1, times: 0 });
  });

  it('looks at each pod by itself, and at requests that still run', () => {
    const held = [visit('1', 0, undefined), visit('2', 5, 9, { pod: 'b' }), visit('3', 6, 7)];
    expect(overLimit(held, 1)).toMatchObject({ peak: 2, times: 1 });
  });

  it('excuses what is too much only while as many of the held had lost their client', () => {
    const gone = visit('1', 0, 10, { outcome: 'aborted' });
    expect(overLimit([gone, visit('2', 9, 20)], 1)).toMatchObject({ times: 1, unexcused: 0 });
    expect(overLimit([gone, visit('2', 8, 20), visit('3', 9, 20)], 1)).toMatchObject({ unexcused: 1 });
  });
});

describe('fifoOrder', () => {
  const sent = (...moments: number[]) => moments.map((moment, index) => ({ id: String(index), sent: moment }));

  it('finds nothing when requests reach the pods as they were sent', () => {
    const visits = [visit('0', 1, 2), visit('1', 11, 12), visit('2', 21, 22)];
    expect(fifoOrder(sent(0, 10, 20), visits)).toEqual({
      compared: 3,
      overtaken: 0,
      mostPlaces: 0,
      worstMs: 0,
      examples: [],
    });
  });

  it('counts each request that was overtaken, and how late the overtaking one was sent', () => {
    const visits = [visit('2', 5, 6), visit('0', 11, 12), visit('1', 21, 22)];
    const order = fifoOrder(sent(0, 10, 40), visits);
    expect(order).toMatchObject({ overtaken: 2, mostPlaces: 1, worstMs: 40 });
    expect(order.examples[0]).toBe('2, sent 40.0 ms after 0, was first');
  });

  it('counts by how many a request was overtaken at most', () => {
    const visits = [visit('3', 5, 6), visit('1', 15, 16), visit('2', 25, 26), visit('0', 35, 36)];
    expect(fifoOrder(sent(0, 10, 20, 30), visits)).toMatchObject({ overtaken: 3, mostPlaces: 3, worstMs: 30 });
  });

  it('does not call what was sent, or arrived, at about the same time an overtaking', () => {
    expect(fifoOrder(sent(0, 1.9), [visit('1', 5, 6), visit('0', 11, 12)]).overtaken).toBe(0);
    expect(fifoOrder(sent(0, 1.9), [visit('1', 5, 6), visit('0', 11, 12)], { sent: 1 }).overtaken).toBe(1);
    expect(fifoOrder(sent(0, 10), [visit('1', 50, 60), visit('0', 54.9, 60)]).overtaken).toBe(0);
    expect(fifoOrder(sent(0, 10), [visit('1', 50, 60), visit('0', 54.9, 60)], { arrived: 1 }).overtaken).toBe(1);
  });

  it('believes no order that the pods may have mixed up themselves', () => {
    const late = (notBefore: number) => [visit('1', 50, 60), visit('0', 80, 90, { notBefore })];
    expect(fifoOrder(sent(0, 10), late(54)).overtaken).toBe(0);
    expect(fifoOrder(sent(0, 10), late(56)).overtaken).toBe(1);
  });

  it('leaves out what reached no pod, and looks at the first visit of what was tried twice', () => {
    const visits = [visit('0', 1, 2), visit('2', 15, 16), visit('0', 30, 31), visit('stray', 0, 1)];
    expect(fifoOrder(sent(0, 5, 10), visits)).toMatchObject({ compared: 2, overtaken: 0 });
  });
});
