import { type JsonSchema, mapSchema } from './json-schema.ts';
import { nearest } from './nearest.ts';
import { type Complaint, enumerate, keyPath, quote, type Report } from './report.ts';
import { type Field, type Fields, type Got, mismatch, type Presence, type ReadFields, type Shape } from './shape.ts';
import type { MapTree } from './tree.ts';

/** How a map with known keys is read. */
export interface MapOptions {
  readonly example: string;
  /** Keys of which exactly one must be there. */
  readonly exactlyOne?: readonly string[];
  /** What to write instead of keys that people expect here. */
  readonly elsewhere?: Readonly<Record<string, string>>;
  /** Whether an unknown key is an error (as it is when nothing is said), or a warning. */
  readonly unknown?: 'error' | 'warning';
  /** What JSON Schema can say of keys that mean nothing together. */
  readonly rules?: readonly JsonSchema[];
}

/** A map whose keys are `fields`. */
export function map<F extends Fields>(fields: F, options: MapOptions): Shape<ReadFields<F>> {
  const shape: Shape<ReadFields<F>> = {
    says: `a map of ${enumerate(Object.keys(fields))}`,
    example: options.example,
    fields,
    schema: mapSchema(fields, options),
    read(tree, path, report) {
      if (tree.kind !== 'map') return mismatch(tree, path, shape, report);
      const { meant, misspelt } = reportUnknown({ tree, path, report }, Object.keys(fields), options);
      const parent = { tree, path, report, meant, misspelt };
      if (options.exactlyOne !== undefined) checkExactlyOne(options.exactlyOne, parent);
      const read = Object.entries(fields).map(([key, field]) => [key, readField(field, key, parent)]);
      // Each key of `fields` has been read with its own shape: what ReadFields says.
      return Object.fromEntries(read) as ReadFields<F>;
    },
    write: () => options.example,
  };
  return shape;
}

interface Place {
  readonly tree: MapTree;
  readonly path: string;
  readonly report: Report;
}

interface Unknown {
  /** Keys that an unknown key was meant to be, as it was told: that they are missing is no second mistake. */
  readonly meant: readonly string[];
  /** What stands under another spelling, by the key that was meant: it is read as well, for its own mistakes. */
  readonly misspelt: ReadonlyMap<string, MapTree['entries'][number]>;
}

type Parent = Place & Unknown;

/** Reports unknown keys, and what was most likely meant by them. */
function reportUnknown({ tree, path, report }: Place, known: readonly string[], options: MapOptions): Unknown {
  const complaints = tree.entries
    .filter(({ key }) => !known.includes(key))
    .map((entry) => ({ entry, complaint: unknownKey(entry.key, known, options) }));
  for (const { entry, complaint } of complaints) {
    const place = { at: entry.keyAt, path: keyPath(path, entry.key) };
    if (options.unknown === 'warning') report.warn(place, complaint);
    else report.error(place, complaint);
  }
  if (options.unknown === 'warning') return { meant: [], misspelt: new Map() };
  const fixes = complaints.map(({ complaint: { fix } }) => fix);
  const renamed = complaints.flatMap(({ entry, complaint: { fix } }) => {
    const word = /^write (\w+)$/.exec(fix)?.[1];
    return word === undefined ? [] : [[word, entry] as const];
  });
  return {
    meant: fixes.flatMap((fix) => [...fix.matchAll(/\b(?:write|under) (\w+)/g)].map(([, word = '']) => word)),
    misspelt: new Map(renamed),
  };
}

function readField<T>(
  field: Field<T, Presence>,
  key: string,
  { tree, path, report, meant, misspelt }: Parent,
): Got<T> | undefined {
  const entry = tree.entries.find((candidate) => candidate.key === key) ?? misspelt.get(key);
  const own = keyPath(path, entry?.key ?? key);
  if (entry !== undefined) {
    return { path: own, at: entry.value.at, written: true, value: field.shape.read(entry.value, own, report) };
  }
  if (field.presence === 'optional') return undefined;
  if (field.presence === 'section') {
    const value = field.shape.read({ kind: 'map', at: tree.at, entries: [] }, own, report);
    return { path: own, at: tree.at, written: false, value };
  }
  const fix = field.shape.advice?.(undefined) ?? `write ${key}: ${field.shape.example}`;
  if (field.presence === 'required' && !meant.includes(key)) {
    report.error({ at: tree.at, path: own }, { message: 'is missing', fix });
  }
  return { path: own, at: tree.at, written: false, value: field.fallback };
}

function unknownKey(key: string, known: readonly string[], { elsewhere = {} }: MapOptions): Required<Complaint> {
  const message = `unknown key ${quote(key)}`;
  if (key.startsWith('x-'))
    return { message, fix: 'remove it, and write an anchor (&name) where its value is first used' };
  if (key === '<<') return { message: 'merge keys (<<) are not understood', fix: 'write the keys out' };
  if (Object.hasOwn(elsewhere, key)) return { message, fix: elsewhere[key] ?? '' };
  const meant = nearest(key, known);
  return { message, fix: meant === undefined ? `the keys here are ${enumerate(known)}` : `write ${meant}` };
}

function checkExactlyOne(keys: readonly string[], { tree, path, report, meant }: Parent): void {
  const [first, ...others] = tree.entries.filter(({ key }) => keys.includes(key));
  if (first === undefined && !keys.some((key) => meant.includes(key))) {
    report.error({ at: tree.at, path }, { message: `needs one of ${enumerate(keys, 'or')}`, fix: 'write one of them' });
  }
  for (const { key, keyAt } of others) {
    const message = `only one of ${enumerate(keys)} may be there, and ${first?.key} is on line ${first?.keyAt.line}`;
    report.error({ at: keyAt, path: keyPath(path, key) }, { message, fix: 'remove one of the two' });
  }
}
