import { expect, test } from 'vitest';
import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import type { History, Sent, Trouble, Version, Violation } from './history.ts';
import { judge } from './judge.ts';
import { changeLane, FIRST_SETUP, movePod, type Setup } from './setup.ts';

const PODS = Array.from({ length: 8 }, (_, pod) => `127.0.5.${pod + 1}:80`);

interface One {
  readonly id: string;
  readonly sent: number;
  /** Undefined: it is not at a pod yet. */
  readonly arrived?: number;
  /** When the pod has ended it, and its client hears of that. */
  readonly ended?: number;
  readonly pod?: number;
  readonly visit?: Partial<PodRequest>;
  readonly result?: Partial<LoadResult> | undefined;
  readonly more?: Partial<Sent>;
}

/** What happened, from requests of lane a; everything went well where nothing else is said. */
function history(requests: readonly One[], more: Partial<History> = {}): History {
  const sent = requests.map(({ id, sent: asked, ended, result, more: rest }): Sent => {
    const known = ended !== undefined || result !== undefined;
    return {
      id,
      lane: 'a',
      asked,
      aborts: false,
      odd: undefined,
      result: known ? resultOf(id, asked, ended ?? asked, result) : undefined,
      ...rest,
    };
  });
  const visits = requests.flatMap(({ id, arrived, ended, pod = 0, visit }): PodRequest[] => {
    if (arrived === undefined) return [];
    const seen = { id, pod: PODS[pod] ?? '', path: `/a/${id}`, arrived, notBefore: arrived, started: arrived, held: 1 };
    return [{ ...seen, ended, endedNotBefore: ended, outcome: ended === undefined ? 'running' : 'answered', ...visit }];
  });
  const versions = [version(0, 0, FIRST_SETUP)];
  return {
    sent,
    visits: visits.sort((a, b) => a.arrived - b.arrived),
    versions,
    troubles: [],
    pods: PODS,
    began: 0,
    now: 10_000,
    ...more,
  };
}

function resultOf(id: string, sent: number, ended: number, rest: Partial<LoadResult> = {}): LoadResult {
  const none = { grpcStatus: undefined, headers: {}, trailers: {}, error: undefined };
  return {
    ...none,
    id,
    sent,
    first: ended,
    ended,
    outcome: 'answered',
    status: 200,
    body: `{"url":"/a/${id}"}`,
    ...rest,
  };
}

function version(at: number, settledAt: number | undefined, setup: Setup): Version {
  return { at, settledAt, missing: undefined, setup };
}

function rules(of: History): readonly Violation['rule'][] {
  return judge(of).map(({ rule }) => rule);
}

const WELL: readonly One[] = [
  { id: 'r1', sent: 0, arrived: 1, ended: 101 },
  { id: 'r2', sent: 0, arrived: 1, ended: 101 },
  { id: 'r3', sent: 50, arrived: 102, ended: 200 },
];

test('a run in which all went well', () => {
  expect(judge(history(WELL))).toEqual([]);
});

test('a pod over its limit', () => {
  const over = history([...WELL, { id: 'r4', sent: 50, arrived: 60, ended: 90 }]);
  expect(judge(over)).toMatchObject([{ rule: 'limit', at: 60, about: [PODS[0], 'r1', 'r2', 'r4'] }]);
  // Judged when all has been told.
  expect(rules({ ...over, now: 500 })).toEqual([]);
});

test('a pod over its limit for a client that has left: only as long as it cannot have heard of it', () => {
  const left = (endedNotBefore: number): One => ({
    id: 'r1',
    sent: 0,
    arrived: 1,
    ended: 62,
    visit: { outcome: 'aborted', endedNotBefore },
    result: { outcome: 'aborted', status: 0 },
    more: { aborts: true },
  });
  const [, ...others] = WELL;
  const fourth: One = { id: 'r4', sent: 50, arrived: 60, ended: 90 };
  expect(rules(history([left(59), ...others, fourth]))).toEqual([]);
  expect(rules(history([left(65), ...others, fourth]))).toEqual(['limit']);
});

test('a pod that reads a request only after its client has left does not hold it', () => {
  const late = (left: number): One => ({
    id: 'r4',
    sent: 10,
    arrived: 60,
    ended: 90,
    result: { outcome: 'aborted', status: 0, ended: left },
    more: { aborts: true },
  });
  expect(rules(history([...WELL, late(40)]))).toEqual([]);
  expect(rules(history([...WELL, late(75)]))).toEqual(['limit']);
});

test('a limit that falls: what is there stays, nothing comes to it', () => {
  const versions = [version(0, 0, FIRST_SETUP), version(10, 40, changeLane(FIRST_SETUP, 'a', { limit: 1 }))];
  const running: One = { id: 'r1', sent: 0, arrived: 1, ended: 4000 };
  const next = (sent: number): One => ({ id: 'r2', sent, arrived: sent + 1, ended: sent + 10 });
  expect(rules(history([running, next(500)], { versions }))).toEqual([]);
  expect(rules(history([running, next(1500)], { versions }))).toEqual(['limit']);
});

test('a request at a pod of another service', () => {
  const versions = [version(0, 0, FIRST_SETUP), version(10, 40, movePod(FIRST_SETUP, 0, 'b'))];
  const late: One = { id: 'r1', sent: 2000, arrived: 2001, ended: 2010 };
  expect(rules(history([late], { versions }))).toEqual(['pod']);
  expect(rules(history([{ ...late, pod: 1 }], { versions }))).toEqual([]);
});

test('a request that waits under the old name of its service: at a pod of that', () => {
  const moved = movePod(FIRST_SETUP, 0, 'b');
  const late: One = { id: 'r1', sent: 5, arrived: 2001, ended: 2010 };
  const renamed = [version(0, 0, FIRST_SETUP), version(10, 40, changeLane(moved, 'a', { name: 'a1' }))];
  expect(rules(history([late], { versions: renamed }))).toEqual([]);
  expect(rules(history([{ ...late, sent: 1500 }], { versions: renamed }))).toEqual(['pod']);
  // Its pod tells of it for longer than its client does.
  expect(rules({ ...history([late], { versions: renamed }), sent: [] })).toEqual([]);
});

test('a request that is run twice', () => {
  const again = history(WELL);
  const [first] = again.visits;
  const visits = [
    ...again.visits,
    { ...(first as PodRequest), pod: PODS[1] ?? '', arrived: 300, notBefore: 300, ended: 310 },
  ];
  expect(rules({ ...again, visits })).toEqual(['twice']);
});

test('a request that is lost: no end, or one that its client does not hear of', () => {
  expect(rules(history([{ id: 'r1', sent: 0, arrived: 1, ended: 100, more: { result: undefined } }]))).toEqual([
    'stuck',
  ]);
  const waiting = history([{ id: 'r1', sent: 0 }], { now: 100_000 });
  expect(rules(waiting)).toContain('stuck');
});

test('errors that nothing explains, and those that something does', () => {
  const failed: One = { id: 'r1', sent: 1000, result: { status: 503, ended: 1100, body: 'no pod reachable' } };
  expect(rules(history([failed]))).toEqual(['answer']);
  const broken: One = { ...failed, arrived: 1001, ended: 1100, visit: { outcome: 'broken' }, result: { status: 502 } };
  expect(rules(history([broken]))).toEqual(['answer']);
  const dead: Trouble = { kind: 'pod', pod: PODS[0] ?? '', how: 'dead', from: 1050, to: 1500 };
  expect(rules(history([broken], { troubles: [dead] }))).toEqual([]);
  expect(rules(history([broken], { troubles: [{ ...dead, pod: PODS[1] ?? '' }] }))).toEqual(['answer']);
  expect(rules(history([broken], { troubles: [{ kind: 'sluice', how: 'kill', from: 0, to: 5000 }] }))).toEqual([
    'answer',
  ]);
  const cut: One = { id: 'r1', sent: 1000, result: { outcome: 'failed', status: 0, ended: 1100, body: '' } };
  expect(rules(history([cut], { troubles: [{ kind: 'envoy', how: 'kill', from: 1090, to: 5000 }] }))).toEqual([]);
  expect(rules(history([cut], { troubles: [{ kind: 'envoy', how: 'freeze', from: 1090, to: 5000 }] }))).toEqual([
    'answer',
  ]);
});

test('the answer to another request', () => {
  expect(rules(history([{ id: 'r1', sent: 0, arrived: 1, ended: 9, result: { body: '{"url":"/a/r2"}' } }]))).toEqual([
    'answer',
  ]);
});

test('a queue that is full', () => {
  const versions = [version(0, 0, changeLane(FIRST_SETUP, 'a', { queueMax: 2 }))];
  const refused: One = { id: 'r9', sent: 60, result: { status: 429, ended: 61, body: '{"error":"queue full"}' } };
  const waiting = (id: string): One => ({ id, sent: 50, arrived: 110, ended: 190, pod: 1 });
  expect(rules(history([...WELL, waiting('r4'), refused], { versions }))).toEqual([]);
  expect(rules(history([...WELL, refused], { versions }))).toEqual(['answer']);
});

test('a queue that is full with requests of a filter that has just failed: other workers hear of that a moment later', () => {
  const versions = [version(0, 0, changeLane(FIRST_SETUP, 'a', { queueMax: 1 }))];
  const refused = (sent: number): One => ({
    id: 'r9',
    sent,
    result: { status: 429, ended: sent + 1, body: '{"error":"queue full"}' },
  });
  const failed: One = { id: 'r4', sent: 0, result: { status: 503, ended: 160, body: '{"error":"queue failed"}' } };
  const troubles: Trouble[] = [{ kind: 'envoy', how: 'trap', from: 100, to: 110 }];
  expect(rules(history([failed, refused(300)], { versions, troubles }))).toEqual([]);
  expect(rules(history([failed, refused(1300)], { versions, troubles }))).toEqual(['answer']);
});

test('a queue that is full with a client that has just left: Envoy may not have heard of that', () => {
  const versions = [version(0, 0, changeLane(FIRST_SETUP, 'a', { queueMax: 1 }))];
  const refused: One = { id: 'r9', sent: 160, result: { status: 429, ended: 161, body: '{"error":"queue full"}' } };
  const left = (ended: number): One => ({
    id: 'r4',
    sent: 0,
    result: { outcome: 'aborted', status: 0, ended },
    more: { aborts: true },
  });
  expect(rules(history([left(159), refused], { versions }))).toEqual([]);
  const late = (sent: number): One => ({ ...refused, sent, result: { ...refused.result, ended: sent + 1 } });
  expect(rules(history([left(159), late(700)], { versions }))).toEqual(['answer']);
  const frozen: Trouble = { kind: 'envoy', how: 'freeze', from: 150, to: 600 };
  expect(rules(history([left(159), late(700)], { versions, troubles: [frozen] }))).toEqual([]);
});

test('a request that is tried again at a pod that was taken from its service', () => {
  const body = '{"error":"no pod reachable","message":"… and the next one has just been removed. …"}';
  const told = (ended: number): One => ({ id: 'r1', sent: 0, result: { status: 503, ended, body } });
  const versions = [version(0, 0, FIRST_SETUP), version(10, 40, movePod(FIRST_SETUP, 0, 'b'))];
  const later: One = { id: 'r2', sent: 1000, arrived: 1001, ended: 1010, pod: 1 };
  expect(rules(history([told(9999), later], { versions, now: 20_000 }))).toEqual([]);
  expect(rules(history([told(9999)], { versions, now: 20_000 }))).toContain('idle');
  expect(rules(history([told(9999), later], { now: 20_000 }))).toContain('answer');
  expect(rules(history([told(5000), later], { versions, now: 20_000 }))).toContain('answer');
});

test('timeouts: not before their time, and only where there are any', () => {
  const versions = [version(0, 0, changeLane(FIRST_SETUP, 'a', { queueTimeoutMs: 1000, requestTimeoutMs: 800 }))];
  const waited = (ended: number): One => ({
    id: 'r1',
    sent: 0,
    result: { status: 503, ended, body: '{"error":"waited too long"}' },
  });
  expect(rules(history([waited(1001)], { versions }))).toEqual([]);
  expect(rules(history([waited(700)], { versions }))).toEqual(['answer']);
  expect(rules(history([waited(1001)]))).toEqual(['answer']);
  const worked: One = {
    id: 'r1',
    sent: 0,
    arrived: 1,
    ended: 803,
    visit: { outcome: 'aborted' },
    result: { status: 504 },
  };
  expect(rules(history([worked], { versions }))).toEqual([]);
  expect(rules(history([worked]))).toEqual(['answer']);
});

test('an odd answer is a 502 for who has asked for it', () => {
  const odd: One = {
    id: 'r1',
    sent: 0,
    arrived: 1,
    ended: 9,
    result: { status: 502, body: '{"error":"unreadable answer"}' },
  };
  expect(rules(history([{ ...odd, more: { odd: 'spaced-name' } }]))).toEqual([]);
  expect(rules(history([odd]))).toEqual(['answer']);
  expect(
    rules(history([{ ...odd, more: { odd: 'spaced-name' }, result: { status: 502, body: 'broke off' } }])),
  ).toEqual(['answer']);
});

test('a request that waits beside an idle slot', () => {
  const busy = [0, 1, 2, 3].flatMap((pod): One[] => [
    { id: `x${pod}`, sent: 0, arrived: 1, ended: 9000, pod },
    { id: `y${pod}`, sent: 0, arrived: 1, ended: pod === 3 ? 2000 : 9000, pod },
  ]);
  const waiting: One = { id: 'r1', sent: 100, arrived: 4500, ended: 4600, pod: 3 };
  expect(judge(history([...busy, waiting]))).toMatchObject([{ rule: 'idle', at: 2000, about: ['r1', PODS[3]] }]);
  expect(rules(history([...busy, { ...waiting, arrived: 3500 }]))).toEqual([]);
  const ejected: Trouble = { kind: 'pod', pod: PODS[3] ?? '', how: 'dead', from: 1000, to: 1900 };
  expect(rules(history([...busy, waiting], { troubles: [ejected] }))).toEqual([]);
  const stall: Trouble = { kind: 'machine', how: 'stall', from: 2500, to: 3500 };
  expect(rules(history([...busy, waiting], { troubles: [stall] }))).toEqual([]);
  const away: Trouble = { kind: 'sluice', how: 'kill', from: 0, to: 9000 };
  expect(rules(history([...busy, waiting], { troubles: [away] }))).toEqual(['idle']);
});

test('requests that overtake another', () => {
  const late: One = { id: 'r0', sent: 0, arrived: 5000, ended: 5010, pod: 1 };
  const others = Array.from(
    { length: 20 },
    (_, at): One => ({ id: `r${at + 1}`, sent: 1000 + at, arrived: 2000 + 20 * at, ended: 2015 + 20 * at }),
  );
  const full = [0, 1, 2, 3].flatMap((pod): One[] =>
    ['x', 'y'].map((name) => ({ id: `${name}${pod}`, sent: 0, arrived: 1, ended: 9000, pod })),
  );
  expect(rules(history([late, ...others, ...full])).filter((rule) => rule === 'order')).toEqual(['order']);
  expect(rules(history([{ ...late, arrived: 1990 }, ...others])).filter((rule) => rule === 'order')).toEqual([]);
});

test('when a request was sent is known when it has ended: its client may have connected for long', () => {
  const others = Array.from(
    { length: 4 },
    (_, i): One => ({ id: `o${i}`, sent: 2000 + i, arrived: 4000, ended: 4100 }),
  );
  const late: One = { id: 'late', sent: 0, arrived: 5000 };
  expect(rules(history([late, ...others])).filter((rule) => rule === 'order')).toEqual([]);
  expect(rules(history([{ ...late, ended: 5100 }, ...others])).filter((rule) => rule === 'order')).toEqual(['order']);
});

test('requests that come over several connections while Envoy stands still have no order, those over one have', () => {
  const frozen: Trouble = { kind: 'envoy', how: 'freeze', from: 0, to: 1500 };
  const over = (connection: number, ended: number): Partial<One> => ({ result: { connection, ended } });
  const late: One = { id: 'r0', sent: 50, arrived: 6000, ended: 6010, pod: 1, ...over(1, 6010) };
  const others = (connection: number): One[] =>
    Array.from(
      { length: 80 },
      (_, at): One => ({
        id: `r${at + 1}`,
        sent: 1000 + at,
        arrived: 2000 + 40 * at,
        ended: 2015 + 40 * at,
        ...over(connection, 2015 + 40 * at),
      }),
    );
  const found = (requests: readonly One[], troubles: readonly Trouble[]) =>
    rules(history(requests, { troubles })).filter((rule) => rule === 'order');
  expect(found([late, ...others(2)], [frozen])).toEqual([]);
  expect(found([late, ...others(1)], [frozen])).toEqual(['order']);
  expect(found([late, ...others(2)], [])).toEqual(['order']);
  const stalled: Trouble = { kind: 'machine', how: 'stall', from: 0, to: 60 };
  expect(found([late, ...others(2)], [stalled, { ...frozen, from: 60 }])).toEqual([]);
  expect(found([late, ...others(2)], [stalled, { ...frozen, from: 70 }])).toEqual(['order']);
});

test('requests that are overtaken while pods change: a few look for a pod on their own, many are a queue', () => {
  const versions = [version(0, 0, FIRST_SETUP), version(10, 40, movePod(FIRST_SETUP, 3, 'b'))];
  const late = (name: string): One => ({ id: name, sent: 0, arrived: 5000, ended: 5010, pod: 1 });
  const others = Array.from(
    { length: 80 },
    (_, at): One => ({ id: `r${at}`, sent: 1000 + at, arrived: 2000 + 20 * at, ended: 2015 + 20 * at }),
  );
  const found = (requests: readonly One[]) =>
    rules(history([...requests, ...others], { versions })).filter((rule) => rule === 'order');
  expect(found([late('a'), late('b')])).toEqual([]);
  expect(found([late('a'), late('b'), late('c')])).toEqual(['order', 'order', 'order']);
});

test('an edit that does not become active', () => {
  const versions = [version(0, 0, FIRST_SETUP), version(10, undefined, FIRST_SETUP)];
  expect(rules(history([], { versions, now: 5000 }))).toEqual([]);
  expect(rules(history([], { versions, now: 50_000 }))).toEqual(['edit']);
  const frozen: Trouble = { kind: 'sluice', how: 'freeze', from: 0, to: 45_000 };
  expect(rules(history([], { versions, now: 50_000, troubles: [frozen] }))).toEqual([]);
});
