import type { Position } from '../../model/problem.ts';
import type { JsonKeywords } from './json-schema.ts';
import { quote, type Report } from './report.ts';
import type { Tree } from './tree.ts';

/** What a value in the file must look like, how it is read, and how it is described. */
export interface Shape<T> {
  /** Completes "must be …": `a whole number from 1 to 10,000`. */
  readonly says: string;
  /** One as it is written in the file; follows `key: ` in messages. */
  readonly example: string;
  /** The keys, if it is a map with known keys. */
  readonly fields?: Fields;
  /** The value's shape, if it is a list or a map with free keys. */
  readonly item?: Shape<unknown>;
  /** What to write instead of a value of another shape (undefined: of none), where the example alone would mislead. */
  readonly advice?: (tree: Tree | undefined) => string;
  /** What JSON Schema can say of the values it reads; editors check and complete by it. */
  readonly schema: JsonKeywords;
  /** Its item's name in a key path, if it is a map with free keys: `<name>`. */
  readonly itemName?: string;
  /** Reads and checks; undefined when something is wrong, which has then been reported. */
  read(tree: Tree, path: string, report: Report): T | undefined;
  /** A value as it is written in the file. */
  write(value: T): string;
}

/** A key of a map: one row of the table of keys. */
export interface Field<T, P extends Presence> {
  readonly shape: Shape<T>;
  readonly presence: P;
  /** What it is for, in one or two sentences. */
  readonly description: string;
  /** The value that stands when the key is left out. */
  readonly fallback?: T;
  /** What happens when the key is left out, where that is not one value. */
  readonly otherwise?: string;
}

/** Whether a key must be there. */
export type Presence = 'required' | 'defaulted' | 'optional' | 'section';

// biome-ignore lint/suspicious/noExplicitAny: a table of fields of any types; each keeps its own in `ReadFields`.
export type Fields = Readonly<Record<string, Field<any, Presence>>>;

/** A value as it was read, and where; `value` is undefined when it is missing or wrong, which has then been reported. */
export interface Got<T> {
  readonly path: string;
  /** Where the value is; where its map is, if the key was not written. */
  readonly at: Position;
  /** Whether the key is in the file. */
  readonly written: boolean;
  readonly value: T | undefined;
}

/** What reading a map with these fields gives. */
export type ReadFields<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T, infer P>
    ? Got<T> | ('optional' extends P ? undefined : never)
    : never;
};

/** What a shape reads. */
export type ReadOf<S> = S extends Shape<infer T> ? T : never;

/** A key that must be there. */
export function required<T>(shape: Shape<T>, description: string): Field<T, 'required'> {
  return { shape, presence: 'required', description };
}

/** A key that has a value when it is left out. */
export function defaulted<T>(shape: Shape<T>, fallback: T, description: string): Field<T, 'defaulted'> {
  return { shape, presence: 'defaulted', description, fallback };
}

/** A key that may be left out; `otherwise` says what that means. */
export function optional<T>(shape: Shape<T>, description: string, otherwise?: string): Field<T, 'optional'> {
  return { shape, presence: 'optional', description, ...(otherwise === undefined ? {} : { otherwise }) };
}

/** A map of keys that all have defaults: when it is left out, it is as if it were empty. */
export function section<T>(shape: Shape<T>, description: string): Field<T, 'section'> {
  return { shape, presence: 'section', description };
}

/** The value of something that has been read without an error; anything else is a bug. */
export function need<T>(got: Got<T>): T {
  if (got.value === undefined) throw new Error(`${got.path} was used although it could not be read`);
  return got.value;
}

/** Reports that `tree` is not what it must be; says nothing about what was reported before. */
export function mismatch(tree: Tree, path: string, shape: Shape<unknown>, report: Report): undefined {
  if (tree.kind === 'broken') return undefined;
  const place = { at: tree.at, path };
  const key = /([\w-]+)$/.exec(path)?.[1];
  const fix = shape.advice?.(tree) ?? `write ${key === undefined ? '' : `${key}: `}${shape.example}`;
  if (tree.kind === 'empty') {
    report.error(place, { message: 'has no value', fix });
  } else {
    const found = tree.kind === 'scalar' ? quote(tree.text) : tree.kind === 'list' ? 'a list' : 'a map of keys';
    report.error(place, { message: `must be ${shape.says}, not ${found}`, fix });
  }
  return undefined;
}
