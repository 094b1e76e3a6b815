import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { Timers } from '../../../src/base/timers.ts';

test('each calls once, unless it is called off or all are stopped', async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const called: string[] = [];
  timers.after(10, () => called.push('a'));
  const cancel = timers.after(10, () => called.push('b'));
  timers.after(30, () => called.push('c'));
  cancel();
  await clock.advance(20);
  expect(called).toEqual(['a']);
  timers.stop();
  timers.after(5, () => called.push('d'));
  await clock.advance(100);
  expect(called).toEqual(['a', 'd']);
});
