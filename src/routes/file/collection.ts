import type { Position } from '../../model/problem.ts';
import type { JsonKeywords } from './json-schema.ts';
import { itemPath, keyPath, quote } from './report.ts';
import { type Got, mismatch, need, type Shape } from './shape.ts';
import type { ScalarTree } from './tree.ts';

/** An entry of a map with free keys. */
export interface Named<T> extends Got<T> {
  readonly name: string;
  readonly nameAt: Position;
}

/** A map with free keys, each leading to an `item`; `itemName` stands for the key in key paths, `names` is a pattern for keys. */
export function dictionary<T>(
  item: Shape<T>,
  options: {
    readonly says: string;
    readonly example: string;
    readonly itemName: string;
    readonly names?: string;
    readonly advice?: NonNullable<Shape<unknown>['advice']>;
  },
): Shape<readonly Named<T>[]> {
  const { names, ...rest } = options;
  const shape: Shape<readonly Named<T>[]> = {
    ...rest,
    item,
    schema: {
      type: 'object',
      ...(names === undefined ? {} : { propertyNames: { pattern: names } }),
      additionalProperties: item.schema,
    },
    read(tree, path, report) {
      if (tree.kind !== 'map') return mismatch(tree, path, shape, report);
      return tree.entries.map(({ key, keyAt, value }) => {
        const own = keyPath(path, key);
        const got = { path: own, at: value.at, written: true, value: item.read(value, own, report) };
        return { ...got, name: key, nameAt: keyAt };
      });
    },
    write: (value) => (value.length === 0 ? '{}' : options.example),
  };
  return shape;
}

/** A list; what is wrong with one item leaves the others readable. */
export function list<T>(
  item: Shape<T>,
  options: { readonly says: string; readonly example: string; readonly advice?: NonNullable<Shape<unknown>['advice']> },
): Shape<readonly Got<T>[]> {
  const shape: Shape<readonly Got<T>[]> = {
    ...options,
    item,
    schema: { type: 'array', items: item.schema },
    read(tree, path, report) {
      if (tree.kind !== 'list') return mismatch(tree, path, shape, report);
      return tree.items.map((value, index) => {
        const own = itemPath(path, index);
        return { path: own, at: value.at, written: true, value: item.read(value, own, report) };
      });
    },
    write: (value) => (value.length === 0 ? '[]' : options.example),
  };
  return shape;
}

/** A value as an item of a list in brackets. */
function inBrackets({ text, quoted }: ScalarTree): string {
  if (!quoted && text.includes(',')) return text.split(/\s*,\s*/).join(', ');
  return /^[\w.:/-]+$/.test(text) ? text : JSON.stringify(text);
}

/** A list of plain values without duplicates (`same` gives equal texts for equal values); undefined when one is wrong. */
export function values<T>(
  item: Shape<T>,
  options: {
    readonly says: string;
    readonly example: string;
    readonly same: (value: T) => string;
    readonly empty?: string;
  },
): Shape<readonly T[]> {
  const items = list(item, options);
  const schema: JsonKeywords = {
    ...items.schema,
    uniqueItems: true,
    ...(options.empty === undefined ? {} : { minItems: 1 }),
  };
  return {
    ...items,
    schema,
    read(tree, path, report) {
      if (tree.kind === 'scalar') {
        const { says } = options;
        report.error(
          { at: tree.at, path },
          { message: `must be ${says}, not ${quote(tree.text)}`, fix: `write it in brackets: [${inBrackets(tree)}]` },
        );
        return undefined;
      }
      const got = items.read(tree, path, report);
      if (got === undefined) return undefined;
      if (got.length === 0 && options.empty !== undefined) {
        report.error({ at: tree.at, path }, { message: 'is an empty list', fix: options.empty });
        return undefined;
      }
      const seen = new Map<string, Got<T>>();
      for (const one of got) {
        if (one.value === undefined) continue;
        const key = options.same(one.value);
        const first = seen.get(key);
        if (first === undefined) seen.set(key, one);
        else report.error(one, { message: `is listed twice (first in ${first.path})`, fix: 'remove one of the two' });
      }
      return got.some(({ value }) => value === undefined) ? undefined : got.map(need);
    },
    write: (value) => `[${value.map((one) => item.write(one)).join(', ')}]`,
  };
}
