import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { fail, ok } from '../../../src/base/result.ts';
import type { Outcome } from '../../../src/telemetry/counts.ts';
import type { RequestEvent } from '../../../src/telemetry/service-traffic.ts';
import { type LineReading, Traffic } from '../../../src/telemetry/traffic.ts';

function start() {
  const clock = new FakeClock();
  const counted: string[] = [];
  const traffic = new Traffic(clock, {
    ended: ({ service, outcome }) => counted.push(`${service} ${outcome}`),
    timedOut: (service, during) => counted.push(`${service} timed out during ${during}`),
    retried: (service, count) => counted.push(`${service} retried ${count}`),
  });
  traffic.opened(1);
  const waits = (id: string, startedAt = clock.now()): RequestEvent => ({
    kind: 'waits',
    service: 'codec',
    id,
    startedAt,
  });
  const admitted = (id: string, startedAt = clock.now()): RequestEvent => ({
    kind: 'admitted',
    service: 'codec',
    id,
    startedAt,
  });
  const ended = (id: string, outcome: Outcome, waitMs?: number, standsFor = 1): RequestEvent => ({
    kind: 'ended',
    service: 'codec',
    id,
    startedAt: clock.now(),
    waitMs,
    durationMs: 1000,
    outcome,
    standsFor,
  });
  const line = (reading: Partial<LineReading>) =>
    traffic.recordLines(ok(new Map([['codec', { waiting: 0, ejected: 0, retried: 0, ...reading }]])));
  const oldest = () => traffic.read('codec')?.oldestWaitMs;
  return { clock, traffic, counted, waits, admitted, ended, line, oldest };
}

test('the oldest wait is that of the first in the line, until its turn has come', async () => {
  const { clock, traffic, waits, admitted, ended, oldest } = start();
  expect(oldest()).toBeUndefined();
  traffic.record([waits('a')], 1);
  await clock.advance(1000);
  traffic.record([waits('b')], 1);
  await clock.advance(500);
  expect(oldest()).toBe(1500);
  traffic.record([admitted('a')], 1);
  expect(oldest()).toBe(500);
  // Left before its turn.
  traffic.record([ended('b', 'abandoned')], 1);
  expect(oldest()).toBeUndefined();
});

test('who is told of late, or again, is as old as it is', async () => {
  const { clock, traffic, waits, line, oldest } = start();
  const first = clock.now() - 9000;
  traffic.record([waits('b')], 1);
  await clock.advance(1000);
  // Its first entry was lost.
  traffic.record([waits('a', first), waits('b', first + 9000)], 1);
  expect(oldest()).toBe(10_000);
  await clock.advance(5000);
  line({ waiting: 1 });
  expect(oldest()).toBe(6000);
});

test('a refusal says nothing about those in line', async () => {
  const { clock, traffic, ended, line, oldest } = start();
  line({ waiting: 2 });
  await clock.advance(1000);
  traffic.record([ended('new', 'refused'), ended('gone', 'abandoned')], 1);
  expect(oldest()).toBe(1000);
  // It had its turn: those before it had theirs.
  traffic.record([ended('new', 'answered', 10)], 1);
  expect(oldest()).toBeUndefined();
});

test('counts how requests ended, in all and in the last minute', async () => {
  const { clock, traffic, counted, ended } = start();
  traffic.record([ended('a', 'answered', 10), ended('b', 'refused'), ended('c', 'failed', 30)], 1);
  traffic.record([{ kind: 'waits', service: '', id: 'no route', startedAt: 0 }], 1);
  const counts = { answered: 1, failed: 1, refused: 1, timedOut: 0, abandoned: 0 };
  const reading = traffic.read('codec');
  expect(reading).toMatchObject({ total: counts, lastMinute: counts });
  // Two got a slot; of what was answered the work is what is left of 1000 ms.
  expect(reading?.lastMinute.waitMs?.p99).toBeCloseTo(30, 0);
  expect(reading?.lastMinute.workMs?.p50).toBeCloseTo(990, -1);
  expect(counted).toEqual(['codec answered', 'codec refused', 'codec failed']);
  const held = [{ name: 'codec', inUse: 1, waiting: 2 }];
  for (let slice = 0; slice < 12; slice++) traffic.rotate(held);
  await clock.advance(60_000);
  expect(traffic.read('codec')).toMatchObject({ total: counts, lastMinute: { answered: 0, refused: 0 } });
});

test('what the second hop gave up is no failure of the pod, whichever is told first', () => {
  const { traffic, counted, ended } = start();
  traffic.recordTimeout('codec', 'wait');
  expect(traffic.read('codec')?.total).toMatchObject({ failed: 0, timedOut: 1 });
  traffic.record([ended('a', 'failed', 10), ended('b', 'timed out', 10)], 1);
  expect(traffic.read('codec')?.total).toMatchObject({ failed: 0, timedOut: 2 });
  expect(counted).toEqual([
    'codec timed out during wait',
    'codec failed',
    'codec timed out',
    'codec timed out during work',
  ]);
});

test('entries that were lost are corrected by the statistics: the oldest have gone', async () => {
  const { clock, traffic, waits, line, oldest } = start();
  for (const id of ['a', 'b', 'c']) {
    traffic.record([waits(id)], 1);
    await clock.advance(1000);
  }
  await clock.advance(2000);
  line({ waiting: 1 });
  expect(oldest()).toBe(3000);
  // Too new to be told of by statistics of a moment ago.
  traffic.record([waits('d')], 1);
  line({ waiting: 0 });
  expect(oldest()).toBe(0);
});

test('who was in line before the log began has waited at least since then', async () => {
  const { clock, traffic, waits, admitted, line, oldest } = start();
  const before = clock.now() - 60_000;
  await clock.advance(1000);
  line({ waiting: 2 });
  await clock.advance(1000);
  expect(oldest()).toBe(2000);
  traffic.record([waits('new')], 1);
  traffic.record([admitted('old', before)], 1);
  expect(oldest()).toBe(2000);
  // First in, first out: when the new one has its turn, all others have gone.
  traffic.record([admitted('new')], 1);
  expect(oldest()).toBeUndefined();
  // Later on, statistics that are ahead of the log are no news from before it began.
  await clock.advance(10_000);
  line({ waiting: 1 });
  expect(oldest()).toBeUndefined();
});

test('of a line that was seen empty nobody came before the log began, unless a log has ended since', async () => {
  const { clock, traffic, admitted, line, oldest } = start();
  line({ waiting: 0 });
  await clock.advance(1000);
  traffic.opened(2);
  // One whose turn has come, and another one of whom the log has not told yet.
  line({ waiting: 1 });
  traffic.record([admitted('a', clock.now() - 60_000)], 2);
  expect(oldest()).toBeUndefined();
  traffic.closed(2);
  traffic.opened(3);
  await clock.advance(1000);
  line({ waiting: 1 });
  expect(oldest()).toBeGreaterThanOrEqual(1000);
});

test('a log that ends takes its line with it', () => {
  const { traffic, waits, oldest } = start();
  traffic.opened(2);
  traffic.record([waits('a')], 1);
  traffic.record([waits('b')], 2);
  traffic.closed(1);
  expect(oldest()).toBe(0);
  traffic.closed(2);
  expect(oldest()).toBeUndefined();
});

test('statistics: not known, known, and not known any more', () => {
  const { traffic, counted, line } = start();
  expect(traffic.line('codec')).toBeUndefined();
  expect(traffic.statistics()).toEqual({ kind: 'unknown' });
  line({ waiting: 3, ejected: 1, retried: 5 });
  expect(traffic.line('codec')).toEqual({ waiting: 3, ejected: 1, retried: 5 });
  expect(traffic.line('other')).toEqual({ waiting: 0, ejected: 0, retried: 0 });
  line({ retried: 7 });
  // Envoy was started anew.
  line({ retried: 1 });
  expect(counted).toEqual(['codec retried 2', 'codec retried 1']);
  traffic.recordLines(fail('nothing listens there'));
  expect(traffic.line('codec')).toBeUndefined();
  expect(traffic.statistics()).toEqual({ kind: 'silent', reason: 'nothing listens there' });
});

test('the history has 15 minutes, and what is gone is forgotten', async () => {
  const { clock, traffic, ended } = start();
  const held = [{ name: 'codec', inUse: 1, waiting: 2 }];
  traffic.record([ended('a', 'answered', 10), ended('b', 'refused')], 1);
  traffic.rotate(held);
  expect(traffic.history('codec')).toMatchObject([{ at: clock.now(), inUse: 1, waiting: 2, ended: 1, refused: 1 }]);
  for (let slice = 0; slice < 200; slice++) {
    await clock.advance(5000);
    traffic.rotate(held);
  }
  expect(traffic.history('codec')).toHaveLength(180);
  expect(traffic.history('codec').at(-1)).toMatchObject({ at: clock.now(), ended: 0, waitMs: undefined });
  traffic.rotate([]);
  expect(traffic.history('codec')).toEqual([]);
  expect(traffic.read('codec')?.total.answered).toBe(0);
});

test('it is busy while anybody waits or is ejected, and while nobody knows', () => {
  const { traffic, waits, admitted, line } = start();
  expect(traffic.isBusy).toBe(true);
  line({});
  expect(traffic.isBusy).toBe(false);
  line({ waiting: 1 });
  expect(traffic.isBusy).toBe(true);
  line({ ejected: 1 });
  expect(traffic.isBusy).toBe(true);
  line({ retried: 3 });
  expect(traffic.isBusy).toBe(false);
  traffic.record([waits('a')], 1);
  expect(traffic.isBusy).toBe(true);
  traffic.record([admitted('a')], 1);
  expect(traffic.isBusy).toBe(false);
  traffic.recordLines(fail('nothing listens there'));
  expect(traffic.isBusy).toBe(true);
});

test('one of a sample counts for all that it stands for', () => {
  const { traffic, ended } = start();
  expect(traffic.oneIn).toBe(1);
  traffic.sampled(16);
  expect(traffic.oneIn).toBe(16);
  traffic.record(
    [...Array(3)].map((_, index) => ended(`${index}`, 'answered', 100)),
    1,
  );
  traffic.record([ended('slow', 'answered', 700, 16), ended('odd', 'failed', 1)], 1);
  const { total, lastMinute } = traffic.read('codec') ?? {};
  expect(total).toMatchObject({ answered: 19, failed: 1 });
  // Most waited as the one did that stands for 16, and worked as long.
  expect(lastMinute?.waitMs?.p50).toBeCloseTo(700, -2);
  expect(lastMinute?.workMs?.p50).toBeCloseTo(300, -2);
});

test('one that nobody has told of for minutes, while those who wait are told of again, has gone', async () => {
  const { clock, traffic, waits, oldest } = start();
  traffic.record([waits('lost')], 1);
  const stays = waits('stays');
  for (let slice = 0; slice < 36; slice++) {
    await clock.advance(5000);
    traffic.record([stays], 1);
    traffic.rotate([{ name: 'codec', inUse: 1, waiting: 2 }]);
  }
  expect(traffic.waiting).toBe(2);
  await clock.advance(5000);
  traffic.rotate([{ name: 'codec', inUse: 1, waiting: 1 }]);
  expect(traffic.waiting).toBe(1);
  expect(oldest()).toBe(185_000);
});
