import { describe, expect, test } from 'vitest';
import { formatDuration, millis, parseDuration } from '../../../src/base/duration.ts';

describe('durations', () => {
  test.each([
    ['0', 0],
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['3h', 10_800_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
  ])('%s is read', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms });
  });

  test.each([
    ['30', 'write 30s'],
    ['', 'not a duration'],
    ['5 m', 'not a duration'],
    ['-5s', 'not a duration'],
    ['5d', 'not a duration'],
    ['0.3ms', 'finer than a millisecond'],
    ['9000h', 'longer than a year'],
  ])('%s is refused with the reason', (text, reason) => {
    const result = parseDuration(text);
    expect(result.ok ? '' : result.errors.join()).toContain(reason);
  });

  test.each(['0', '250ms', '1s500ms', '1m30s', '3h', '1h30m'])('%s is printed as it is read', (text) => {
    const result = parseDuration(text);
    expect(result.ok && formatDuration(result.value)).toBe(text);
  });

  test('a fraction or a negative number is a bug', () => {
    expect(() => millis(0.5)).toThrow();
    expect(() => millis(-1)).toThrow();
  });
});
