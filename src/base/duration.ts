import type { Brand } from './brand.ts';
import { fail, ok, type Result } from './result.ts';

/** A length of time in whole milliseconds; 0 means "none" where a timeout is meant. */
export type Millis = Brand<number, 'Millis'>;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Longest duration that is accepted: a year. Envoy's own durations and JavaScript's integers hold far more. */
const LONGEST_MS = 365 * 24 * 3_600_000;

/** Whole milliseconds as a duration. Throws on a negative number or a fraction: that is a bug, not input. */
export function millis(value: number): Millis {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`not whole milliseconds: ${value}`);
  // The check above is what the brand stands for.
  return value as Millis;
}

/**
 * Reads `250ms`, `30s`, `5m`, `3h`, `1h30m` or `0`.
 * Errors: a sentence that says what is wrong and what to write instead.
 */
export function parseDuration(text: string): Result<Millis, string> {
  if (text === '0') return ok(millis(0));
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    const bare = /^\d+(\.\d+)?$/.test(text);
    return fail(
      `not a duration: ${JSON.stringify(text)}; write ${bare ? `"${text}s"` : 'one like 250ms, 30s, 5m, 3h or 0'}`,
    );
  }
  const total = parts.reduce((sum, part) => sum + Number(part[1]) * (UNIT_MS[part[2] ?? ''] ?? Number.NaN), 0);
  if (!Number.isInteger(total))
    return fail(`finer than a millisecond: ${JSON.stringify(text)}; write whole milliseconds`);
  if (total > LONGEST_MS) return fail(`longer than a year: ${JSON.stringify(text)}; write 0 for no limit`);
  return ok(millis(total));
}

/** A duration as people write it: `0`, `250ms`, `90s`, `5m`, `3h`, `1h30m`. */
export function formatDuration(value: Millis): string {
  if (value === 0) return '0';
  const parts: string[] = [];
  let rest: number = value;
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  return parts.join('');
}
