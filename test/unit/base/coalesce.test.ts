import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { coalesce } from '../../../src/base/coalesce.ts';

function counted() {
  const clock = new FakeClock();
  let calls = 0;
  const trigger = coalesce(() => calls++, { quiet: 10, longest: 50, clock });
  return { clock, trigger, calls: () => calls };
}

describe('coalesce', () => {
  test('makes one call of a burst, when it is over', async () => {
    const { clock, trigger, calls } = counted();
    trigger.poke();
    await clock.advance(9);
    trigger.poke();
    await clock.advance(9);
    expect(calls()).toBe(0);
    await clock.advance(1);
    expect(calls()).toBe(1);
    await clock.advance(1000);
    expect(calls()).toBe(1);
  });

  test('does not wait for the end of a burst that has none', async () => {
    const { clock, trigger, calls } = counted();
    for (let ms = 0; ms < 49; ms += 5) {
      trigger.poke();
      await clock.advance(5);
    }
    expect(calls()).toBe(1);
  });

  test('starts anew after a call', async () => {
    const { clock, trigger, calls } = counted();
    trigger.poke();
    await clock.advance(10);
    trigger.poke();
    await clock.advance(10);
    expect(calls()).toBe(2);
  });

  test('does nothing more once stopped', async () => {
    const { clock, trigger, calls } = counted();
    trigger.poke();
    trigger.stop();
    trigger.poke();
    await clock.advance(100);
    expect(calls()).toBe(0);
  });
});
