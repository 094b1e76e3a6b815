import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import type { MemberId, SlotsEvent } from '../../../src/slots/events.ts';
import { NO_POD } from '../../../src/slots/events.ts';
import type { RecentEvent } from '../../../src/telemetry/events.ts';
import { Telemetry } from '../../../src/telemetry/telemetry.ts';
import { countsOf } from '../../../src/telemetry/totals.ts';
import { durations, hello, memberAt, podReport, report, serviceReport } from './reports.ts';

const START = 1_700_000_000_000;

function start() {
  const clock = new FakeClock(START);
  const told: RecentEvent[] = [];
  const telemetry = new Telemetry(clock, (event) => told.push(event));
  const record = (...events: readonly SlotsEvent[]) => {
    for (const event of events) telemetry.record(event);
  };
  const answered = () => telemetry.traffic('codec')?.total.answered;
  return { clock, told, telemetry, record, answered };
}

const member = memberAt(START + 5);
const gone = (of: MemberId): SlotsEvent => ({ ...of, kind: 'gone', reason: 'closed' });
const pod = (kind: 'ejected' | 'returned' | 'forgotten', of = member): SlotsEvent => ({
  ...of,
  kind: 'pod',
  event: {
    service: serviceReport('codec').name,
    address: '10.0.0.1:80',
    kind,
    reason: kind === 'ejected' ? 'unreachable' : 'none',
    forMs: 2500,
  },
});

test('what is now, and how old it is', async () => {
  const { clock, telemetry, record } = start();
  expect(telemetry.now('codec')).toBeUndefined();
  record(hello(member));
  expect(telemetry.now('codec')).toMatchObject({ waiting: 0, inUse: 0, oldSince: undefined });
  const pods = [podReport('10.0.0.1:80', { inUse: 2 })];
  record(report(member, serviceReport('codec', { waiting: 3, oldestWaitMs: 400, inUse: 2, pods })));
  await clock.advance(1000);
  // The oldest waits on while the filter has nothing new to tell.
  expect(telemetry.now('codec')).toMatchObject({ waiting: 3, inUse: 2, oldestSince: START - 400 });
  expect(telemetry.now('codec')?.pods.get('10.0.0.1:80')).toMatchObject({ inUse: 2, limit: 2, state: 'ready' });
  record(gone(member));
  await clock.advance(1000);
  expect(telemetry.now('codec')).toMatchObject({ waiting: 3, oldSince: START + 1000 });
  await clock.advance(30_000);
  expect(telemetry.now('codec')).toBeUndefined();
});

test('only changed pods are reported; a forgotten one is gone, a new stream tells all', () => {
  const { telemetry, record } = start();
  record(hello(member, serviceReport('codec', { pods: [podReport('10.0.0.1:80'), podReport('10.0.0.2:80')] })));
  record(report(member, serviceReport('codec', { pods: [podReport('10.0.0.2:80', { inUse: 1 })] })));
  const pods = () => [...(telemetry.now('codec')?.pods ?? [])].map(([address, { inUse }]) => [address, inUse]);
  expect(pods()).toEqual([
    ['10.0.0.1:80', 0],
    ['10.0.0.2:80', 1],
  ]);
  record(pod('forgotten'));
  expect(pods()).toEqual([['10.0.0.2:80', 1]]);
  record(gone(member), hello(member, serviceReport('codec', { pods: [podReport('10.0.0.3:80')] })));
  expect(pods()).toEqual([['10.0.0.3:80', 0]]);
});

test('nobody is told of the pod that is none', () => {
  const { told, record } = start();
  record(hello(member, serviceReport('codec', { pods: [podReport('10.0.0.1:80')] })));
  const before = told.length;
  const event = pod('forgotten');
  if (event.kind === 'pod') record({ ...event, event: { ...event.event, address: NO_POD } });
  expect(told).toHaveLength(before);
  record(event);
  expect(told).toHaveLength(before + 1);
});

test('an ejection: since when, why, until when, and its line', async () => {
  const { clock, told, telemetry, record } = start();
  record(hello(member, serviceReport('codec', { pods: [podReport('10.0.0.1:80')] })));
  record(pod('ejected'));
  const reading = () => telemetry.now('codec')?.pods.get('10.0.0.1:80');
  expect(reading()).toMatchObject({
    state: 'ejected',
    reason: 'unreachable',
    since: START,
    ejectedUntil: START + 2500,
  });
  await clock.advance(500);
  const pods = [podReport('10.0.0.1:80', { state: 'ejected', ejectedForMs: 2000 })];
  record(report(member, serviceReport('codec', { pods })));
  // The report does not make it a new ejection.
  expect(reading()).toMatchObject({
    state: 'ejected',
    reason: 'unreachable',
    since: START,
    ejectedUntil: START + 2500,
  });
  await clock.advance(2000);
  record(pod('returned'));
  expect(reading()).toMatchObject({ state: 'trying', reason: 'unreachable', ejectedUntil: undefined });
  record(report(member, serviceReport('codec', { pods: [podReport('10.0.0.1:80')] })));
  expect(reading()).toMatchObject({ state: 'ready', reason: 'none' });
  expect(told.map(({ kind, message }) => [kind, message])).toEqual([
    ['filter connected', 'the queue filter is connected'],
    ['pod ejected', 'ejected for 2.5 s: cannot be reached'],
    ['pod returned', 'is tried again after its ejection'],
  ]);
  expect(told[1]).toMatchObject({ service: 'codec', pod: '10.0.0.1:80', node: 'edge-1', at: START });
});

test('several members: sums, the worst state of a pod, the oldest wait', () => {
  const { telemetry, record } = start();
  const other = memberAt(START + 9, 'edge-2');
  const first = podReport('10.0.0.1:80', { inUse: 1, limit: 2 });
  record(
    hello(member, serviceReport('codec', { waiting: 1, oldestWaitMs: 10, inUse: 1, pods: [first] })),
    hello(
      other,
      serviceReport('codec', {
        waiting: 2,
        oldestWaitMs: 90,
        inUse: 2,
        pods: [{ ...first, inUse: 2, state: 'ejected' }],
      }),
    ),
  );
  const now = telemetry.now('codec');
  expect(now).toMatchObject({ waiting: 3, inUse: 3, oldestSince: START - 90 });
  expect(now?.pods.get('10.0.0.1:80')).toMatchObject({ inUse: 3, limit: 2, state: 'ejected' });
  expect(telemetry.podsOf('codec').get('10.0.0.1:80')).toEqual(now?.pods.get('10.0.0.1:80'));
  expect(telemetry.podsOf('codec').get('10.0.0.2:80')).toBeUndefined();
  expect(telemetry.podsOf('other').get('10.0.0.1:80')).toBeUndefined();
  expect(telemetry.members().map(({ node }) => node)).toEqual(['edge-1', 'edge-2']);
});

test('workers that share: a slot that went from one to another between their reports is one', () => {
  const { telemetry, record } = start();
  const other = memberAt(START + 9);
  const elsewhere = memberAt(START + 12, 'edge-2');
  const uses = (inUse: number, version: number, inAll: number) =>
    serviceReport('codec', {
      inUse,
      mostInUse: 1,
      shared: { version, inUse: inAll },
      pods: [podReport('10.0.0.1:80', { inUse, limit: 1, inUseInAll: inAll })],
    });
  record(hello(member, serviceReport('codec')), hello(other, serviceReport('codec')));
  record(report(member, uses(1, 7, 1)), report(other, uses(1, 9, 1)));
  const now = () => telemetry.now('codec');
  expect(now()).toMatchObject({ inUse: 1 });
  expect(now()?.pods.get('10.0.0.1:80')).toMatchObject({ inUse: 1, limit: 1 });
  expect(telemetry.traffic('codec')?.lastMinute.mostInUse).toBe(1);
  // What is told later may be older.
  record(report(member, uses(0, 8, 0)));
  expect(now()).toMatchObject({ inUse: 1 });
  expect(telemetry.traffic('codec')?.lastMinute.mostInUse).toBe(1);
  record(report(member, uses(0, 10, 0)));
  expect(now()).toMatchObject({ inUse: 0 });
  // Those of another Envoy have slots of their own.
  const own = serviceReport('codec', { inUse: 2, pods: [podReport('10.0.0.1:80', { inUse: 2 })] });
  record(hello(elsewhere, own));
  expect(now()).toMatchObject({ inUse: 2 });
  expect(now()?.pods.get('10.0.0.1:80')).toMatchObject({ inUse: 2, limit: 2 });
});

test('totals go on over new streams, and over a new start of Envoy that counts from 0', () => {
  const { record, answered } = start();
  const counted = (count: number) => serviceReport('codec', { counts: { answered: count } });
  record(hello(member), report(member, counted(5)), report(member, counted(7)));
  expect(answered()).toBe(7);
  record(gone(member), hello(member, counted(9)));
  expect(answered()).toBe(9);
  const anew = memberAt(START + 99);
  record(gone(member), hello(anew, counted(2)), report(anew, counted(3)));
  expect(answered()).toBe(12);
});

test('what a filter had counted before Sluice started is not counted again', () => {
  const { record, answered } = start();
  const old = memberAt(START - 60_000);
  record(hello(old, serviceReport('codec', { counts: { answered: 1000 } })));
  expect(answered()).toBe(0);
  record(report(old, serviceReport('codec', { counts: { answered: 1004 } })));
  expect(answered()).toBe(4);
});

test('a service that its filter had forgotten counts from 0 again', () => {
  const { record, answered } = start();
  record(hello(member), report(member, serviceReport('codec', { counts: { answered: 8 } })));
  record(report(member, serviceReport('codec', { counts: { answered: 3 } })));
  expect(answered()).toBe(11);
});

test('a new VM of an Envoy takes the place of the lost one: its requests are not counted twice', () => {
  const { telemetry, record } = start();
  record(hello(member, serviceReport('codec', { inUse: 4, waiting: 2 })), gone(member));
  expect(telemetry.now('codec')).toMatchObject({ inUse: 4 });
  record(hello(memberAt(START + 50), serviceReport('codec', { inUse: 1 })));
  expect(telemetry.now('codec')).toMatchObject({ inUse: 1, waiting: 0 });
});

test('the last minute: counts, quantiles, and the most at a time, also between two reports', async () => {
  const { clock, telemetry, record } = start();
  const slots = new Map([['codec', 4]]);
  record(hello(member));
  record(
    report(
      member,
      serviceReport('codec', {
        counts: { arrived: 9, answered: 4, refused: 2 },
        wait: durations(250, 250),
        work: durations(20),
        mostWaiting: 3,
        mostInUse: 4,
      }),
    ),
  );
  expect(telemetry.traffic('codec')?.lastMinute).toMatchObject({
    arrived: 9,
    answered: 4,
    refused: 2,
    mostWaiting: 3,
    mostInUse: 4,
    waitMs: { p50: 250 },
  });
  for (let slice = 0; slice < 12; slice++) {
    await clock.advance(5000);
    telemetry.rotate(slots);
  }
  const { total, lastMinute } = telemetry.traffic('codec') ?? {};
  expect(total?.answered).toBe(4);
  expect(lastMinute).toMatchObject({ arrived: 0, answered: 0, mostWaiting: 0, mostInUse: 0 });
  expect(lastMinute).not.toHaveProperty('waitMs');
});

test('who waits at the end of a slice waits at the beginning of the next', () => {
  const { telemetry, record } = start();
  record(hello(member, serviceReport('codec', { waiting: 7 })));
  for (let slice = 0; slice < 20; slice++) telemetry.rotate(new Map([['codec', 1]]));
  expect(telemetry.traffic('codec')?.lastMinute.mostWaiting).toBe(7);
});

test('history: what is there at the end of 5 s, and the most within them', async () => {
  const { clock, telemetry, record } = start();
  record(hello(member));
  record(
    report(
      member,
      serviceReport('codec', { mostWaiting: 12, mostInUse: 4, counts: { answered: 10 }, work: durations(4) }),
    ),
  );
  await clock.advance(5000);
  telemetry.rotate(new Map([['codec', 4]]));
  await clock.advance(5000);
  telemetry.rotate(new Map([['codec', 4]]));
  const [first, second] = telemetry.history('codec');
  expect(first).toMatchObject({ at: START + 5000, waiting: 0, mostWaiting: 12, mostInUse: 4, slots: 4, ended: 10 });
  expect(first?.workP50).toBeCloseTo(4, 3);
  expect(second).toMatchObject({ at: START + 10_000, mostWaiting: 0, ended: 0, waitP50: undefined });
  for (let slice = 0; slice < 400; slice++) telemetry.rotate(new Map([['codec', 4]]));
  expect(telemetry.history('codec')).toHaveLength(180);
  telemetry.rotate(new Map());
  expect(telemetry.history('codec')).toEqual([]);
});

test('names that a filter makes up are forgotten', () => {
  const { telemetry, record } = start();
  record(hello(member));
  for (let round = 0; round < 50; round++) {
    record(report(member, ...Array.from({ length: 100 }, (_, index) => serviceReport(`made-up-${round}-${index}`))));
    telemetry.rotate(new Map([['codec', 1]]));
  }
  expect(telemetry.traffic('made-up-3-3')).toBeUndefined();
  expect(telemetry.totals('made-up-49-0')).toBeUndefined();
});

test('members that come and go are bounded', () => {
  const { telemetry, record } = start();
  for (let index = 0; index < 1000; index++) {
    const one = memberAt(START + index, `node-${index}`);
    record(hello(one), gone(one));
  }
  expect(telemetry.members().length).toBeLessThanOrEqual(201);
  expect(telemetry.events().length).toBeLessThanOrEqual(500);
});

test('events are kept for an hour, newest first', async () => {
  const { clock, telemetry } = start();
  telemetry.note({ kind: 'edit', message: 'one' });
  await clock.advance(3_599_000);
  telemetry.note({ kind: 'edit', message: 'two' });
  expect(telemetry.events().map(({ message }) => message)).toEqual(['two', 'one']);
  await clock.advance(2000);
  expect(telemetry.events().map(({ message }) => message)).toEqual(['two']);
  expect(telemetry.events(0)).toEqual([]);
});

test('whatever members say, totals only grow, and are the sum of what each counted', () => {
  const step = fc.record({ who: fc.nat(2), add: fc.nat(9), what: fc.constantFrom('report', 'reconnect', 'restart') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { telemetry, record } = start();
      const members = [0, 1, 2].map((index) => ({
        id: memberAt(START + index + 1, `n${index}`),
        counted: 0,
        starts: 0,
      }));
      for (const { id } of members) record(hello(id));
      let [sum, before] = [0, 0];
      for (const { who, add, what } of steps) {
        const one = members[who];
        if (one === undefined) continue;
        if (what === 'restart') {
          record(gone(one.id));
          one.starts += 1;
          one.id = memberAt(START + 1000 * one.starts + who + 1, `n${who}`);
          one.counted = 0;
        } else if (what === 'reconnect') record(gone(one.id));
        one.counted += add;
        sum += add;
        const service = serviceReport('codec', { counts: { arrived: one.counted } });
        record(what === 'report' ? report(one.id, service) : hello(one.id, service));
        const totals = telemetry.totals('codec');
        const arrived = totals === undefined ? 0 : countsOf(totals).arrived;
        expect(arrived).toBe(sum);
        expect(arrived).toBeGreaterThanOrEqual(before);
        before = arrived;
      }
    }),
  );
});

test('a pod that is ejected before anything is reported of it', () => {
  const { telemetry, record } = start();
  record(hello(member), pod('ejected'));
  const reading = () => telemetry.now('codec')?.pods.get('10.0.0.1:80');
  expect(reading()).toMatchObject({ state: 'ejected', reason: 'unreachable' });
  const pods = [podReport('10.0.0.1:80', { state: 'ejected', ejectedForMs: 2000 })];
  record(report(member, serviceReport('codec', { pods })));
  expect(reading()).toMatchObject({ state: 'ejected', reason: 'unreachable', limit: 2 });
});
