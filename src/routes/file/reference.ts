import type { Fields, Shape } from './shape.ts';

/** What a reader of the documentation wants to know of one key. */
export interface KeyReference {
  /** `services.<name>.queue.max` */
  readonly path: string;
  /** What the value is: `a whole number from 1 to 10,000`. */
  readonly value: string;
  readonly example: string;
  readonly required: boolean;
  /** What stands when it is left out, as it is written in the file; or in words. */
  readonly fallback?: { readonly kind: 'value' | 'words'; readonly text: string };
  readonly description: string;
}

/** Every key below `shape`, in the order of the table of keys, each map before what is in it. */
export function describeKeys(shape: Shape<unknown>, parent = ''): readonly KeyReference[] {
  if (shape.fields !== undefined) return describeFields(shape.fields, parent);
  if (shape.item === undefined) return [];
  const path = shape.itemName === undefined ? `${parent}[]` : `${parent}.${shape.itemName}`;
  return describeKeys(shape.item, path);
}

function describeFields(fields: Fields, parent: string): readonly KeyReference[] {
  return Object.entries(fields).flatMap(([key, { shape, presence, description, fallback, otherwise }]) => {
    const path = parent === '' ? key : `${parent}.${key}`;
    const own = { path, value: shape.says, example: shape.example, required: presence === 'required', description };
    const written = presence === 'defaulted' ? ({ kind: 'value', text: shape.write(fallback) } as const) : undefined;
    const words = otherwise === undefined ? undefined : ({ kind: 'words', text: otherwise } as const);
    const instead = written ?? words;
    return [{ ...own, ...(instead === undefined ? {} : { fallback: instead }) }, ...describeKeys(shape, path)];
  });
}
