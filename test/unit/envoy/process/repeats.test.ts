import { expect, test } from 'vitest';
import { Repeats } from '../../../../src/envoy/process/repeats.ts';

test('a line is told again after a minute, and others at once', () => {
  let now = 0;
  const repeats = new Repeats(() => now);
  expect([repeats.isRepeat('a'), repeats.isRepeat('a'), repeats.isRepeat('b')]).toEqual([false, true, false]);
  now = 59_999;
  expect(repeats.isRepeat('a')).toBe(true);
  now = 60_000;
  expect([repeats.isRepeat('a'), repeats.isRepeat('a')]).toEqual([false, true]);
});

test('of many lines the oldest are forgotten', () => {
  const repeats = new Repeats(() => 0);
  for (let line = 0; line < 500; line++) expect(repeats.isRepeat(`${line}`)).toBe(false);
  expect([repeats.isRepeat('499'), repeats.isRepeat('0')]).toEqual([true, false]);
});
