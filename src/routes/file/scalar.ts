import { formatDuration, type Millis, millis, parseDuration } from '../../base/duration.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type JsonKeywords, orPlaceholder } from './json-schema.ts';
import { nearest } from './nearest.ts';
import { type Complaint, enumerate, quote } from './report.ts';
import { mismatch, type Shape } from './shape.ts';
import type { ScalarTree } from './tree.ts';

/** What is said about a shape of single values. */
interface Wording {
  readonly says: string;
  readonly example: string;
}

/** What JSON Schema says of texts that nothing else is said of: numbers and truth values are texts as written. */
const ANY_TEXT: JsonKeywords = { type: ['string', 'number', 'boolean'] };

/** A single value, read by `parse`; `schema` is what JSON Schema can say of it. */
export function scalar<T>(
  wording: Wording & { readonly schema: JsonKeywords; readonly write?: (value: T) => string },
  parse: (tree: ScalarTree) => Result<T, Complaint>,
): Shape<T> {
  const shape: Shape<T> = {
    says: wording.says,
    example: wording.example,
    schema: orPlaceholder(wording.schema),
    read(tree, path, report) {
      if (tree.kind !== 'scalar') return mismatch(tree, path, shape, report);
      const result = parse(tree);
      if (result.ok) return result.value;
      for (const complaint of result.errors) report.error({ at: tree.at, path }, complaint);
      return undefined;
    },
    write: wording.write ?? String,
  };
  return shape;
}

/** A text; `check` may refuse it, or turn it into its normal form. A number or a truth value is its text as written. */
export function text(
  wording: Wording & { readonly pattern?: string },
  check: (text: string) => Result<string, Complaint> = ok,
): Shape<string> {
  const { pattern } = wording;
  const schema = { ...ANY_TEXT, minLength: 1, ...(pattern === undefined ? {} : { pattern }) };
  return scalar({ ...wording, schema }, ({ text: written }) =>
    written === '' ? fail({ message: 'is empty', fix: `write ${wording.example}` }) : check(written),
  );
}

/** A text that may be empty, or have no value at all. */
export function textOrNothing(wording: Wording): Shape<string> {
  const schema = { type: ['string', 'number', 'boolean', 'null'] } as const;
  const filled = scalar({ ...wording, schema }, ({ text: written }) => ok(written));
  return { ...filled, read: (tree, path, report) => (tree.kind === 'empty' ? '' : filled.read(tree, path, report)) };
}

/** Whole numbers from `min` to `max`; `zero` is what to do for someone who writes 0 where that is too little. */
export interface WholeOptions {
  readonly min: number;
  readonly max: number;
  readonly example: string;
  readonly zero?: string;
  /** What to do for someone who writes `unlimited`, or -1. */
  readonly endless?: string;
}

/** A whole number. */
export function whole({ min, max, example, zero, endless }: WholeOptions): Shape<number> {
  const says = min === max ? `the number ${grouped(min)}` : `a whole number from ${grouped(min)} to ${grouped(max)}`;
  return scalar({ says, example, schema: { type: 'integer', minimum: min, maximum: max } }, (tree) => {
    const { text: written } = tree;
    const number = Number(written);
    if (/^[-+]?0\d+$/.test(written)) {
      const octal = /^[-+]?[0-7]+$/.test(written) ? `: some programs read it as ${Number.parseInt(written, 8)}` : '';
      return fail({ message: `${written} begins with a zero${octal}`, fix: `write ${number}` });
    }
    if (/^[-+]?\d+$/.test(written)) {
      if (tree.quoted && !tree.replaced) {
        return fail({
          message: `must be a number, and ${quote(written)} is text`,
          fix: `remove the quotes: ${number}`,
        });
      }
      if (number >= min && number <= max) return ok(number);
      const wish = number === 0 ? zero : number === -1 ? endless : undefined;
      const fix = wish ?? `write one such as ${example}`;
      return fail({ message: `must be ${says}, not ${written}`, fix });
    }
    if (/^[-+]?\d*\.\d+$/.test(written)) {
      const rounded = Math.min(max, Math.max(min, Math.round(number)));
      return fail({ message: `must be ${says}, not a fraction such as ${written}`, fix: `write ${rounded}` });
    }
    if (endless !== undefined && ENDLESS.test(written)) {
      return fail({ message: `must be ${says}, not ${quote(written)}`, fix: endless });
    }
    const shell = /^\$(\w+)$/.exec(written)?.[1];
    if (shell !== undefined) {
      return fail({ message: `must be ${says}, not ${quote(written)}`, fix: `write \${${shell}} for the variable` });
    }
    const meant = /^(?:0[xob][0-9a-f]+|\d+e\d+|v\d+)$/i.test(written) ? Number(written.replace(/^v/i, '')) : Number.NaN;
    if (meant >= min && meant <= max) {
      return fail({ message: `must be ${says}, not ${quote(written)}`, fix: `write ${meant}` });
    }
    const digits = written.replace(/(?<=\d)[_,' ](?=\d{3})/g, '');
    const fix = `write ${/^\d+$/.test(digits) ? `${digits}, without separators` : `digits only, such as ${example}`}`;
    return fail({ message: `must be ${says}, not ${quote(written)}`, fix });
  });
}

/** What people write for "no limit" elsewhere. */
const ENDLESS = /^(unlimited|infinite|infinity|\.?inf|none|off|no|max)$/i;

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

/** What a duration above 0 looks like. */
const DURATION = '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$';

/** A length of time of `min` to `max` milliseconds; `tooShort` says what to do instead of 0 where that is too little. */
export function duration(options: {
  readonly example: string;
  readonly min?: number;
  readonly max?: number;
  readonly tooShort?: string;
}): Shape<Millis> {
  const { example, min = 0, max = Number.POSITIVE_INFINITY, tooShort = `write one such as ${example}` } = options;
  const least = min === 0 ? '' : `, at least ${formatDuration(millis(min))}`;
  const most = max === Number.POSITIVE_INFINITY ? '' : `, at most ${formatDuration(millis(max))}`;
  return scalar(
    {
      says: `a duration such as 250ms, 30s, 5m or 3h${least}${most}`,
      example,
      schema: { anyOf: [...(min === 0 ? [{ enum: [0, '0'] }] : []), { type: 'string', pattern: DURATION }] },
      write: formatDuration,
    },
    ({ text: written }) => {
      const result = parseDuration(written);
      if (!result.ok) {
        return fail(
          ...result.errors.map((sentence) => {
            const cut = sentence.lastIndexOf('; write ');
            return { message: sentence.slice(0, cut), fix: sentence.slice(cut + 2) };
          }),
        );
      }
      if (result.value > max)
        return fail({
          message: `must be ${formatDuration(millis(max))} or shorter, not ${written}`,
          fix: `write one such as ${example}`,
        });
      if (result.value >= min) return ok(result.value);
      return fail({ message: `must be ${formatDuration(millis(min))} or longer, not ${written}`, fix: tooShort });
    },
  );
}

const SIZE = '^[0-9]+(KiB|MiB)$';

const KIB = 1024;
const MIB = 1024 * 1024;

/** A number of bytes, as it is written in the file. */
function formatBytes(count: number): string {
  return count % MIB === 0 ? `${count / MIB}MiB` : `${count / KIB}KiB`;
}

/** An amount of data in whole KiB or MiB. */
export function bytes(options: {
  readonly example: string;
  readonly min: number;
  readonly max: number;
}): Shape<number> {
  const { example, min, max } = options;
  const range = `from ${formatBytes(min)} to ${formatBytes(max)}`;
  const schema = { type: 'string', pattern: SIZE } as const;
  return scalar(
    { says: `a size such as 64KiB or 1MiB, ${range}`, example, schema, write: formatBytes },
    ({ text: written }) => {
      const [, number = '', unit = ''] = /^([0-9]+)(KiB|MiB)$/.exec(written) ?? [];
      const count = number === '' ? Number.NaN : Number(number) * (unit === 'MiB' ? MIB : KIB);
      if (!Number.isSafeInteger(count)) {
        return fail({ message: `not a size: ${quote(written)}`, fix: `write one such as ${example}` });
      }
      if (count >= min && count <= max) return ok(count);
      return fail({ message: `must be ${range}, not ${written}`, fix: `write one such as ${example}` });
    },
  );
}

/** One of some words; `aliases` are what people write for them elsewhere. */
export function oneOf<const W extends string>(
  words: readonly W[],
  aliases: Readonly<Record<string, W>> = {},
): Shape<W> {
  const wording = { says: enumerate(words, 'or'), example: words[0] ?? '', schema: { enum: words } };
  return scalar(wording, ({ text: written }) => {
    const word = words.find((candidate) => candidate === written);
    if (word !== undefined) return ok(word);
    const low = written.toLowerCase();
    const meant = Object.hasOwn(aliases, low) ? aliases[low] : nearest(written, words);
    const fix = `write ${meant ?? 'one of them'}`;
    return fail({ message: `must be ${enumerate(words, 'or')}, not ${quote(written)}`, fix });
  });
}
