import { describe, expect, test } from 'vitest';
import { nothing } from '../e2e/kit/client-http1.ts';
import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { fullUseAfter } from './full-use.ts';
import { brokenPromises, measure } from './measure.ts';
import type { FaultRow, Inflicted } from './row.ts';

const ROW: FaultRow = {
  name: 'row',
  fault: '',
  user: '',
  promise: { explained: 1, overtaken: 0, fullUseMs: 100 },
  inflict: () => Promise.reject(new Error('not run')),
};

function result(id: string, sent: number, rest: Partial<LoadResult> = {}): LoadResult {
  const good = { outcome: 'answered', status: 200, body: '{"pod":"a"}', ended: sent + 100 } as const;
  return { ...nothing({ id, at: 0 }, sent), ...good, ...rest };
}

function visit(id: string, arrived: number, rest: Partial<PodRequest> = {}): PodRequest {
  const times = { arrived, notBefore: arrived, started: arrived, ended: arrived + 50 };
  return { pod: 'a', id, path: '/', ...times, outcome: 'answered', held: 1, ...rest };
}

const measured = (results: LoadResult[], requests: PodRequest[], inflicted: Partial<Inflicted> = {}) =>
  measure({ results, requests, inflicted: { over: 0, ...inflicted } });

describe('measure', () => {
  test('a good run has nothing to tell', () => {
    const seen = measured([result('r0', 0), result('r1', 10)], [visit('r0', 1), visit('r1', 11)]);
    expect(seen).toMatchObject({ requests: 2, peak: 2, over: 0, lost: 0, wrong: 0, explained: {}, overtaken: 0 });
    expect(brokenPromises(ROW, seen)).toEqual([]);
  });

  test('what is lost and wrong counts, unless the fault explains it', () => {
    const results = [
      result('lost', 0, { outcome: 'failed', status: 0 }),
      result('wrong', 1, { status: 502 }),
      result('cut', 2, { body: '' }),
      result('gone', 3, { outcome: 'aborted', status: 0 }),
    ];
    expect(measured(results, [])).toMatchObject({ lost: 1, wrong: 2, explained: {} });
    const explains = ({ status }: LoadResult) => status === 502;
    const seen = measured(results, [], { explains });
    expect(seen).toMatchObject({ lost: 1, wrong: 1, explained: { 502: 1 } });
    expect(brokenPromises(ROW, seen)).toEqual(['1 requests were lost', '1 requests were answered wrongly']);
    const all = measured(results, [], { explains: () => true });
    expect(brokenPromises(ROW, all)).toEqual(['the fault cost 3 requests, not 1 at most']);
  });

  test('too much at a pod counts, and is told apart when a client had gone', () => {
    const three = (outcome: PodRequest['outcome']) => [visit('r0', 0, { outcome }), visit('r1', 1), visit('r2', 2)];
    const seen = measured([], three('answered'));
    expect(seen).toMatchObject({ peak: 3, over: 1, overByAbort: 0 });
    expect(brokenPromises(ROW, seen)).toEqual(['a pod was over its limit 1 times, at most 3 of 2']);
    expect(measured([], three('aborted'))).toMatchObject({ peak: 3, over: 0, overByAbort: 1 });
  });

  test('who is overtaken counts, unless its pod was late to notice', () => {
    const results = [result('r0', 0), result('r1', 30)];
    const requests = [visit('r1', 40), visit('r0', 80, { pod: 'b' })];
    const seen = measured(results, requests);
    expect(seen).toMatchObject({ overtaken: 1, worstMs: 30 });
    expect(brokenPromises(ROW, seen)).toEqual(['1 requests were overtaken, not 0 at most']);
    expect(measured(results, requests, { late: ({ pod }) => pod === 'b' })).toMatchObject({ overtaken: 0 });
  });
});

describe('fullUseAfter', () => {
  /** One waits from 0 on, and reaches its pod at `reached`. */
  const since = (reached: number, busy: readonly PodRequest[] = []) => {
    const requests = [visit('r0', reached), ...busy];
    return fullUseAfter({ results: [result('r0', 0, { ended: reached + 50 })], requests, slots: 1, since: 0 });
  };

  test('at once when what is free is used at once', () => expect(since(1)).toBe(0));
  test('the end of the last piece of time in which a slot stood free', () => expect(since(220)).toBe(200));
  test('a slot in use is not free', () => expect(since(220, [visit('busy', 0, { ended: 219 })])).toBe(0));
});
