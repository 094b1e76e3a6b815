import { describe, expect, it } from 'vitest';
import { measure, type Observed } from '../../../bench/compare/measures/measure.ts';
import { averages, seriesOf } from '../../../bench/compare/measures/series.ts';
import type { LoadResult } from '../../e2e/kit/load.ts';
import type { PodRequest } from '../../e2e/kit/pods.ts';

function result(id: string, sent: number, ended: number, rest: Partial<LoadResult> = {}): LoadResult {
  const none = { first: undefined, grpcStatus: undefined, error: undefined, headers: {}, trailers: {}, body: '' };
  return { ...none, id, sent, ended, outcome: 'answered', status: 200, ...rest };
}

function visit(id: string, pod: string, [arrived, started, ended]: [number, number, number]): PodRequest {
  return { id, pod, path: '/', arrived, notBefore: arrived, started, ended, outcome: 'answered', held: 1 };
}

/** Two pods of one worker; the second request waits inside the first pod although the other is idle. */
const overloaded: Observed = {
  scenario: { members: 2, limit: 1 },
  plan: { requests: [0, 0, 0].map((at, id) => ({ id: String(id), at, workMs: 100 })), changes: [] },
  began: 1000,
  pods: ['a', 'b'],
  results: [result('0', 1000, 1101), result('1', 1000, 1202), result('2', 1000, 1003, { status: 503 })],
  requests: [visit('0', 'a', [1000, 1000, 1100]), visit('1', 'a', [1000, 1100, 1200])],
};

describe('measure', () => {
  it('finds pods over their limit, slot time lost, refusals and what an ideal line would have done', () => {
    const measures = measure(overloaded, false);
    expect(measures).toMatchObject({
      sent: 3,
      answered: 2,
      outcomes: { 200: 2, 503: 1 },
      held: { peak: 2, timesOver: 1 },
      order: { compared: 2, pairs: 0 },
      makespan: 202,
      wait: { count: 2, mean: 50, max: 100 },
      response: { count: 2, mean: 151.5, max: 202 },
    });
    expect(measures.lost.ms).toBe(100);
    // The refused one is in the ideal line as well: 100, 100 and 200 ms.
    expect(measures.ideal).toMatchObject({ makespan: 200, lost: 0, response: { count: 3, max: 200 } });
    expect(measures.series).toBeUndefined();
  });

  it('takes the visit from which a request was answered, when it was tried at several pods', () => {
    const first = { ...visit('0', 'a', [1000, 1000, 1020]), outcome: 'aborted' } as const;
    const retried = { ...overloaded, requests: [first, visit('0', 'b', [1030, 1030, 1130])] };
    expect(measure(retried, false).wait).toMatchObject({ count: 1, mean: 30 });
  });

  it('has nothing to say about the times of nobody', () => {
    const measures = measure({ ...overloaded, requests: [], results: [] }, false);
    expect(measures.response).toEqual({ count: 0, mean: null, p50: null, p90: null, p99: null, max: null });
  });

  it('shows what each pod held over time', () => {
    const { series } = measure(overloaded, true);
    expect(series?.held[0]?.[10]).toBe(2);
    expect(series?.held[0]?.[190]).toBe(1);
    expect(new Set(series?.held[1])).toEqual(new Set([0]));
    expect(series?.waiting[50]).toBe(1);
  });
});

describe('averages', () => {
  it('spreads a stretch over the samples it touches', () => {
    const stretches = [
      { from: 5, to: 25 },
      { from: 10, to: 20 },
    ];
    expect(averages(stretches, { from: 0, to: 40 }, 4)).toEqual([0.5, 2, 0.5, 0]);
  });
});

describe('seriesOf', () => {
  it('puts each response where it was sent', () => {
    const answered = [0, 12, 13, 119].map((sent) => ({ sent, ended: sent + 10 + (sent % 12) }));
    const { response } = seriesOf([[{ from: 0, to: 130 }]], [], answered);
    expect(response.stepMs).toBe(10);
    expect(response.p50.map((value) => value ?? 0)).toEqual([10, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 21]);
    expect(response.p99[1]).toBe(11);
  });
});
