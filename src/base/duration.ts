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
    const meant = bare ? `${text}s` : durationMeant(text);
    return fail(`not a duration: ${JSON.stringify(text)}; write ${meant ?? 'one like 250ms, 30s, 5m, 3h or 0'}`);
  }
  const total = parts.reduce((sum, part) => sum + Number(part[1]) * (UNIT_MS[part[2] ?? ''] ?? Number.NaN), 0);
  if (!Number.isInteger(total))
    return fail(`finer than a millisecond: ${JSON.stringify(text)}; write whole milliseconds`);
  if (total > LONGEST_MS) return fail(`longer than a year: ${JSON.stringify(text)}; write 0 for no limit`);
  return ok(millis(total));
}

/** Units as other programs write them, by what they are here. */
const UNITS: readonly (readonly [RegExp, string, number])[] = [
  [/^(ms|msecs?|millis|milliseconds?)$/, 'ms', 1],
  [/^(s|secs?|seconds?)$/, 's', 1],
  [/^(m|mins?|minutes?)$/, 'm', 1],
  [/^(h|hrs?|hours?)$/, 'h', 1],
  [/^(d|days?)$/, 'h', 24],
  [/^(w|weeks?)$/, 'h', 24 * 7],
];

/** The duration that was meant by `30 s`, `30min`, `1d`, `PT30S`; undefined: nobody knows. */
function durationMeant(text: string): string | undefined {
  if (/^(none|off|never|infinity|infinite|inf|unlimited|-1)$/i.test(text)) return '0 for none';
  const plain = text
    .toLowerCase()
    .replace(/^p(?=[\dt])/, '')
    .replace(/(?<=\d)d?t(?=\d)/, (found) => found.replace('t', ''));
  const parts = [...plain.replace(/^t/, '').matchAll(/(\d+)\s*([a-z]+)\s*/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== plain.replace(/^t/, '')) return undefined;
  const written = parts.map(([, number, unit = '']) => {
    const known = UNITS.find(([words]) => words.test(unit));
    return known === undefined ? undefined : `${Number(number) * known[2]}${known[1]}`;
  });
  return written.includes(undefined) ? undefined : written.join('');
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
