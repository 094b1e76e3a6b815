import { assertNever } from '../../base/assert-never.ts';
import type { Position } from '../../model/problem.ts';
import { itemPath, keyPath } from '../file/report.ts';
import { START, type Tree } from '../file/tree.ts';

/** A place in a text that nobody has asked for, and its key path. */
export interface Unread {
  readonly path: string;
  readonly at: Position;
}

/**
 * A value of a foreign file or object. It remembers which of its keys were asked for: what nobody read has not been carried over, and
 * can be told.
 */
export class Value {
  readonly at: Position;
  /** Where it is in its object: `spec.rules[0].host`. */
  readonly path: string;
  readonly #tree: Tree;
  readonly #children = new Map<string | number, Value>();
  #state: 'unread' | 'read' | 'done' = 'unread';

  constructor(tree: Tree, path = '') {
    this.#tree = tree;
    this.at = tree.at;
    this.path = path;
  }

  /** The value under a key; undefined when it is not there or empty. */
  get(key: string): Value | undefined {
    this.#read();
    if (this.#tree.kind !== 'map') return undefined;
    const found = this.#tree.entries.find((entry) => entry.key === key);
    return found === undefined || found.value.kind === 'empty' ? undefined : this.#child(key, found.value);
  }

  /** The value at a path of keys. */
  deep(...keys: readonly string[]): Value | undefined {
    return keys.reduce<Value | undefined>((value, key) => value?.get(key), this);
  }

  /** A plain text, number or truth value, as it is written. */
  text(): string | undefined {
    this.#read();
    return this.#tree.kind === 'scalar' ? this.#tree.text : undefined;
  }

  /** The text of a block of lines that is a file of its own; undefined for anything else. */
  block(): string | undefined {
    this.#read();
    return this.#tree.kind === 'scalar' && this.#tree.quoted && this.#tree.text.includes('\n')
      ? this.#tree.text
      : undefined;
  }

  /** The text under a key. */
  textAt(...keys: readonly string[]): string | undefined {
    return this.deep(...keys)?.text();
  }

  /** The items of a list; none for anything else. */
  items(): readonly Value[] {
    this.#read();
    if (this.#tree.kind !== 'list') return [];
    return this.#tree.items.map((item, index) => this.#child(index, item));
  }

  /** The items of the list under a key. */
  list(...keys: readonly string[]): readonly Value[] {
    return this.deep(...keys)?.items() ?? [];
  }

  /** The keys of a map, with where each is. */
  keys(): readonly { readonly key: string; readonly at: Position; readonly path: string }[] {
    if (this.#tree.kind !== 'map') return [];
    return this.#tree.entries.map(({ key, keyAt }) => ({ key, at: keyAt, path: keyPath(this.path, key) }));
  }

  /** The entries of a map of texts. */
  texts(): readonly { readonly key: string; readonly at: Position; readonly path: string; readonly text: string }[] {
    return this.keys().map((key) => ({ ...key, text: this.textAt(key.key) ?? '' }));
  }

  /** Nothing in it needs to be told: it has been carried over, or says nothing to a proxy. */
  done(): this {
    this.#state = 'done';
    return this;
  }

  /** As `done`, for some of its keys. */
  skip(...keys: readonly string[]): this {
    for (const key of keys) this.get(key)?.done();
    return this;
  }

  /** What in it nobody has asked for. */
  unread(path = ''): readonly Unread[] {
    if (this.#state === 'done') return [];
    if (this.#state === 'unread') return [{ path, at: this.at }];
    if (this.#tree.kind === 'map') {
      return this.#tree.entries.flatMap(({ key, keyAt, value }) => {
        const own = path === '' ? key : `${path}.${key}`;
        // An empty map or list says nothing, or it says "the usual": either is asked for, or it is told.
        if (value.kind === 'empty') return [];
        const child = this.#children.get(key);
        return child === undefined ? [{ path: own, at: keyAt }] : child.unread(own);
      });
    }
    if (this.#tree.kind !== 'list') return [];
    return this.#tree.items.flatMap((item, index) => this.#child(index, item).unread(`${path}[${index}]`));
  }

  /** All of it, as JSON has it; it counts as read. */
  json(): unknown {
    this.#state = 'done';
    return jsonOf(this.#tree);
  }

  /** Where the value at a path such as `spec.rules[0].host` is; as near as there is something. */
  placeOf(path: string): Position {
    const steps = [...path.matchAll(/([A-Za-z0-9_-]+)|\["((?:[^"\\]|\\.)*)"\]/g)].map(
      ([, bare, quoted]) => bare ?? quoted ?? '',
    );
    let tree = this.#tree;
    let { at } = tree;
    for (const step of steps) {
      if (tree.kind === 'list') {
        const item = tree.items[Number(step)];
        if (item === undefined) break;
        tree = item;
        at = tree.at;
        continue;
      }
      const entry = tree.kind === 'map' ? tree.entries.find(({ key }) => key === step) : undefined;
      if (entry === undefined) break;
      tree = entry.value;
      at = entry.keyAt;
    }
    return at;
  }

  #read(): void {
    if (this.#state === 'unread') this.#state = 'read';
  }

  #child(key: string | number, tree: Tree): Value {
    const path = typeof key === 'number' ? itemPath(this.path, key) : keyPath(this.path, key);
    const known = this.#children.get(key) ?? new Value(tree, path);
    this.#children.set(key, known);
    return known;
  }
}

/** Of YAML's core schema. */
function jsonOf(tree: Tree): unknown {
  switch (tree.kind) {
    case 'map':
      return Object.fromEntries(tree.entries.map(({ key, value }) => [key, jsonOf(value)]));
    case 'list':
      return tree.items.map(jsonOf);
    case 'scalar': {
      if (tree.quoted) return tree.text;
      if (/^(true|false)$/i.test(tree.text)) return tree.text.toLowerCase() === 'true';
      return /^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(tree.text) ? Number(tree.text) : tree.text;
    }
    case 'empty':
    case 'broken':
      return null;
    default:
      return assertNever(tree);
  }
}

/** An object of the API, as a value. */
export function valueOfJson(json: unknown): Value {
  return new Value(treeOf(json));
}

/** JSON has no lines. */
function treeOf(json: unknown): Tree {
  if (json === null || json === undefined) return { kind: 'empty', at: START };
  if (Array.isArray(json)) return { kind: 'list', at: START, items: json.map(treeOf) };
  if (typeof json === 'object') {
    const entries = Object.entries(json).map(([key, value]) => ({ key, keyAt: START, value: treeOf(value) }));
    return { kind: 'map', at: START, entries };
  }
  return { kind: 'scalar', at: START, text: String(json), quoted: typeof json === 'string', replaced: false };
}
