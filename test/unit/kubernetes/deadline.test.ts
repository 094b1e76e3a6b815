import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { Deadline } from '../../../src/kubernetes/deadline.ts';

test('aborts with its reason, counted from when it was last set', async () => {
  const clock = new FakeClock();
  const deadline = new Deadline(clock, new AbortController().signal);
  deadline.set(1000, 'first');
  await clock.advance(900);
  deadline.set(1000, 'second');
  await clock.advance(900);
  expect(deadline.signal.aborted).toBe(false);
  await clock.advance(100);
  expect(deadline.signal.reason).toBe('second');
});

test('follows the outer signal, also one that is aborted already', () => {
  const outer = new AbortController();
  const deadline = new Deadline(new FakeClock(), outer.signal);
  expect(deadline.signal.aborted).toBe(false);
  outer.abort();
  expect(deadline.signal.reason).toBe('stopped');
  expect(new Deadline(new FakeClock(), outer.signal).signal.reason).toBe('stopped');
});

test('is silent after its end', async () => {
  const [clock, outer] = [new FakeClock(), new AbortController()];
  const deadline = new Deadline(clock, outer.signal);
  deadline.set(1000, 'late');
  deadline.end();
  await clock.advance(2000);
  outer.abort();
  expect(deadline.signal.aborted).toBe(false);
});
