import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TurnQueue } from '../../../../src/xds/protocol/turn-queue.ts';

test('first come, first served, each once however often it asks', async () => {
  const turns: number[] = [];
  let rounds = 0;
  const queue = new TurnQueue(
    () => false,
    () => rounds++,
  );
  const all = Array.from({ length: 120 }, (_, index) => ({ takeTurn: () => turns.push(index) }));
  for (const turn of all) queue.add(turn);
  for (const turn of all.toReversed()) queue.add(turn);
  expect(turns).toEqual([]);
  await nextRound();
  // In slices, so that others may run in between.
  expect(turns.length).toBeGreaterThan(0);
  expect(turns.length).toBeLessThan(120);
  while (turns.length < 120) await nextRound();
  expect(turns).toEqual(all.map((_, index) => index));
  expect(rounds).toBe(3);
});

test('one that asks again in its turn goes to the end', async () => {
  const turns: string[] = [];
  const queue = new TurnQueue(
    () => false,
    () => {},
  );
  const again = {
    takeTurn: () => {
      turns.push('again');
      if (turns.length < 3) queue.add(again);
    },
  };
  queue.add(again);
  queue.add({ takeTurn: () => turns.push('other') });
  for (let round = 0; round < 5; round++) await nextRound();
  expect(turns).toEqual(['again', 'other', 'again']);
});

test('one that is removed gets no turn', async () => {
  const turns: string[] = [];
  const queue = new TurnQueue(
    () => false,
    () => {},
  );
  const gone = { takeTurn: () => turns.push('gone') };
  queue.add(gone);
  queue.remove(gone);
  await nextRound();
  await nextRound();
  expect(turns).toEqual([]);
});

test('while clients have much to take it goes slowly, and does not stop', async () => {
  const turns: number[] = [];
  let busy = true;
  const queue = new TurnQueue(
    () => busy,
    () => {},
  );
  for (let index = 0; index < 60; index++) queue.add({ takeTurn: () => turns.push(index) });
  await expect.poll(() => turns.length, { interval: 1 }).toBeGreaterThan(0);
  expect(turns.length).toBeLessThan(60);
  await expect.poll(() => turns.length).toBe(60);
  busy = false;
  queue.add({ takeTurn: () => turns.push(60) });
  await expect.poll(() => turns.length).toBe(61);
});
