import type { Position } from '../../model/problem.ts';
import type { Tree } from '../file/tree.ts';

/** A place in a text that nobody has asked for, and its key path. */
export interface Unread {
  readonly path: string;
  readonly at: Position;
}

/**
 * A value of a foreign file. It remembers which of its keys were asked for: what nobody read has not been carried over, and
 * can be told.
 */
export class Value {
  readonly at: Position;
  readonly #tree: Tree;
  readonly #children = new Map<string | number, Value>();
  #state: 'unread' | 'read' | 'done' = 'unread';

  constructor(tree: Tree) {
    this.#tree = tree;
    this.at = tree.at;
  }

  /** The value under a key; undefined when it is not there or empty. */
  get(key: string): Value | undefined {
    this.#read();
    if (this.#tree.kind !== 'map') return undefined;
    const found = this.#tree.entries.find((entry) => entry.key === key);
    return found === undefined || found.value.kind === 'empty' ? undefined : this.#child(key, found.value);
  }

  /** The value at a path of keys. */
  path(...keys: readonly string[]): Value | undefined {
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
    return this.path(...keys)?.text();
  }

  /** The items of a list; none for anything else. */
  items(): readonly Value[] {
    this.#read();
    if (this.#tree.kind !== 'list') return [];
    return this.#tree.items.map((item, index) => this.#child(index, item));
  }

  /** The items of the list under a key. */
  list(...keys: readonly string[]): readonly Value[] {
    return this.path(...keys)?.items() ?? [];
  }

  /** The keys of a map, with where each is. */
  keys(): readonly { readonly key: string; readonly at: Position }[] {
    return this.#tree.kind === 'map' ? this.#tree.entries.map(({ key, keyAt }) => ({ key, at: keyAt })) : [];
  }

  /** The entries of a map of texts. */
  texts(): readonly { readonly key: string; readonly at: Position; readonly text: string }[] {
    return this.keys().map(({ key, at }) => ({ key, at, text: this.textAt(key) ?? '' }));
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

  #read(): void {
    if (this.#state === 'unread') this.#state = 'read';
  }

  #child(key: string | number, tree: Tree): Value {
    const known = this.#children.get(key) ?? new Value(tree);
    this.#children.set(key, known);
    return known;
  }
}
