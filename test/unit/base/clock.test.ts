import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';

test('a timer of the machine is never early, by the clock that is looked at then', async () => {
  const early = await Promise.all(
    Array.from({ length: 300 }, async (_, nth) => {
      const ms = 1 + nth / 30 + 0.97;
      const start = systemClock.monotonic();
      await new Promise<void>((resolve) => systemClock.after(ms, resolve));
      return Math.max(0, ms - (systemClock.monotonic() - start));
    }),
  );
  expect(Math.max(...early)).toBe(0);
});

test('a timer of more days than Node can count does not go off at once', async () => {
  let isOver = false;
  const cancel = systemClock.after(2 ** 31 + 1000, () => {
    isOver = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  cancel();
  expect(isOver).toBe(false);
});

test('one that was called off does not go off', async () => {
  let isOver = false;
  systemClock.after(2.5, () => {
    isOver = true;
  })();
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(isOver).toBe(false);
});
