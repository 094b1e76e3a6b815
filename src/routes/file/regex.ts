import { RE2 } from 're2-wasm';
import { fail, ok, type Result } from '../../base/result.ts';
import { type Complaint, quote } from './report.ts';

const ANY_PATH = new Set(['.*', '.+', '/.*', '^.*', '.*$', '^.*$', '^/.*', '/.*$', '^/.*$']);

/** What RE2 says, and what to write instead. */
const FIXES: readonly (readonly [RegExp, string])[] = [
  [
    /operator: \(\?(<|[=!])/,
    'RE2 has no look-around: write what the path has, and use several routes for what it has not',
  ],
  [/perl operator: \(\?>/, 'RE2 has no atomic groups: write (?:...)'],
  [/escape sequence: \\[1-9k]/, 'RE2 has no backreferences: write the text out'],
  [/escape sequence/, 'write the character itself, or \\\\ for a backslash'],
  [/capture group/, 'name groups with letters, digits and _: (?P<name>...)'],
  [/missing \)/, 'close the group with )'],
  [/missing \]/, 'close the class with ], or write \\[ for the character'],
  [/unexpected \)/, 'open the group with (, or write \\) for the character'],
  [/repetition operator/, 'write one of * + ? {n}, or put a backslash before the character itself'],
  [/repetition size/, 'repeat at most 1000 times'],
];

/** Compiled before, with what was wrong: the library does not free what it compiles, and a file is read many times. */
const known = new Map<string, Complaint | undefined>();

const compiled = new Map<string, RE2>();

/** Whether the whole of a text is what a regular expression that was checked describes. */
export function wholeMatch(regex: string, text: string): boolean {
  const known = compiled.get(regex) ?? new RE2(`^(?:${regex})$`, 'u');
  compiled.set(regex, known);
  return known.test(text);
}

/** A regular expression in RE2's syntax (https://github.com/google/re2/wiki/Syntax), Envoy's own library for it. */
export function checkRegex(text: string): Result<string, Complaint> {
  const complaint = knownComplaint(text);
  return complaint === undefined ? ok(text) : fail(complaint);
}

/** What is wrong with a regular expression; undefined: nothing. */
export function regexFault(text: string): string | undefined {
  return knownComplaint(text)?.message;
}

function knownComplaint(text: string): Complaint | undefined {
  if (!known.has(text)) known.set(text, complain(text));
  return known.get(text);
}

function complain(text: string): Complaint | undefined {
  // The JavaScript wrapper rewrites these two to what RE2 knows; Envoy would refuse them.
  const foreign = /(?<!\\)(?:\\\\)*\\(?:u|c[A-Za-z])/.exec(text);
  if (foreign)
    return {
      message: `not a regular expression of RE2: ${quote(text)}`,
      fix: 'write \\x{41} for a character by its number',
    };
  try {
    new RE2(text, 'u');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const reason = error.message.slice(error.message.lastIndexOf('/u: ') + 4);
    const fix = FIXES.find(([pattern]) => pattern.test(reason))?.[1] ?? 'see https://github.com/google/re2/wiki/Syntax';
    return { message: `not a regular expression of RE2 (${reason}): ${quote(text)}`, fix };
  }
  if (/^\^?[A-Za-z0-9]/.test(text) && !text.includes('|')) {
    return {
      message: `never matches, for every path begins with /: ${quote(text)}`,
      fix: `write /${text.replace(/^\^/, '')}`,
    };
  }
  return undefined;
}

/** Whether a regex takes every path, as far as can be told from its text. */
export function takesEveryPath(regex: string): boolean {
  return ANY_PATH.has(regex);
}

/** Text that every path taken by `regex` begins with, as far as it can be told; perhaps empty. */
export function literalBeginning(regex: string): string {
  // An alternative at the top would begin differently; looking for any | at all is enough, and never wrong.
  if (regex.includes('|')) return '';
  const [, literal = '', next = ''] = /^\^?([A-Za-z0-9\-_~!&',;=:@/%]*)(.?)/su.exec(regex) ?? [];
  return /[*+?{]/.test(next) ? literal.slice(0, -1) : literal;
}
