import type { Alias, Document, Node, YAMLError, YAMLMap, YAMLSeq } from 'yaml';
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, Scalar } from 'yaml';
import type { Position } from '../../model/problem.ts';
import { lookAlikeAtEdge } from './characters.ts';
import { isObject } from './object.ts';
import { type Environment, replacePlaceholders } from './placeholder.ts';
import { type Complaint, itemPath, keyPath, type Report } from './report.ts';
import { explainSyntax, isConsequence, nestsTooDeeply, TEMPLATE, TOO_DEEP } from './syntax.ts';

/** A YAML value with its position, aliases followed and placeholders replaced. */
export type Tree =
  /** Something that could not be read and was reported; whoever meets it says nothing more. */
  | { readonly kind: 'broken'; readonly at: Position }
  /** No value: `key:`, `null` or `~`. */
  | { readonly kind: 'empty'; readonly at: Position }
  | ScalarTree
  | { readonly kind: 'list'; readonly at: Position; readonly items: readonly Tree[] }
  | MapTree;

/** A number, a text, a truth value: what it is to be is for its reader to say. */
export interface ScalarTree {
  readonly kind: 'scalar';
  readonly at: Position;
  readonly text: string;
  /** Written in quotes (or as a block of text). */
  readonly quoted: boolean;
  /** A placeholder was replaced in it. */
  readonly replaced: boolean;
}

/** A map, in the order of the file. */
export interface MapTree {
  readonly kind: 'map';
  readonly at: Position;
  readonly entries: readonly { readonly key: string; readonly keyAt: Position; readonly value: Tree }[];
}

/** Where a file begins. */
export const START: Position = { line: 1, column: 1 };

/** What YAML's core schema takes for "no value" (https://yaml.org/spec/1.2.2/#103-core-schema). */
const NULL = /^(|~|null|Null|NULL)$/;

/**
 * Reads one YAML document. What is wrong with it as YAML (syntax, duplicate keys, unknown aliases, unset placeholders) is
 * reported; undefined when nothing can be read at all.
 */
export function readTree(text: string, env: Environment, report: Report): Tree | undefined {
  if (nestsTooDeeply(text)) {
    report.error({ at: START, path: '' }, TOO_DEEP);
    return undefined;
  }
  if (text.includes('\r') && !text.includes('\n')) {
    report.error(
      { at: START, path: '' },
      {
        message: 'its lines end with CR alone, and YAML sees one line',
        fix: 'save it with LF (Unix) or CRLF line ends',
      },
    );
    return undefined;
  }
  const lines = new LineCounter();
  try {
    const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
    // Duplicate keys are looked for below, where both places can be named.
    const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'silent' } as const;
    const documents = [...parseAllDocuments(source, options)];
    const errors = documents.flatMap((document) => document.errors);
    if (errors.length > 0) reportSyntax(errors, source, lines, report);
    return errors.length > 0 ? undefined : readOnly(documents, new TreeReader(lines, env, report), report);
  } catch (error) {
    // The YAML library and this reader recurse; nesting that deep is never meant.
    if (!(error instanceof RangeError)) throw error;
    report.error({ at: START, path: '' }, TOO_DEEP);
    return undefined;
  }
}

function readOnly(documents: readonly Document[], reader: TreeReader, report: Report): Tree | undefined {
  const [first, second] = documents;
  const tree = first?.contents ? reader.read(first.contents, '') : undefined;
  // Manifests hold several objects, and a route file none of them: that alone is told.
  if (second !== undefined && !(tree?.kind === 'map' && isObject(tree))) {
    const at = second.contents ? reader.position(second.contents) : reader.offset(second.range?.[0] ?? 0);
    report.error(
      { at, path: '' },
      { message: 'a second document begins here', fix: 'write one document: remove the ---' },
    );
  } else if (tree === undefined || tree.kind === 'empty') {
    report.error(
      { at: START, path: '' },
      { message: 'the file is empty', fix: 'write "version: 1", services and routes' },
    );
  }
  return tree?.kind === 'empty' ? undefined : tree;
}

/** One mistake often upsets all lines after it: the first is told, and those that can hardly be its consequence. */
function reportSyntax(errors: readonly YAMLError[], source: string, lines: LineCounter, report: Report): void {
  const told = new Set<number>();
  for (const error of errors.toSorted((a, b) => a.pos[0] - b.pos[0])) {
    const { line, col } = lines.linePos(error.pos[0]);
    if (told.has(line) || (told.size > 0 && isConsequence(error))) continue;
    told.add(line);
    const text = source.slice(lines.lineStarts[line - 1] ?? 0, lines.lineStarts[line] ?? source.length);
    report.error({ at: { line: Math.max(1, line), column: Math.max(1, col) }, path: '' }, explainSyntax(error, text));
  }
}

class TreeReader {
  readonly #lines: LineCounter;
  readonly #env: Environment;
  readonly #report: Report;
  /** Values by anchor: read once, however often they are used. Reading goes in the order of the file, as anchors do. */
  readonly #anchors = new Map<string, Tree | 'reading'>();

  constructor(lines: LineCounter, env: Environment, report: Report) {
    this.#lines = lines;
    this.#env = env;
    this.#report = report;
  }

  offset(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return line === 0 ? START : { line, column: col };
  }

  position(node: Node): Position {
    return this.offset(node.range?.[0] ?? 0);
  }

  read(node: Node, path: string): Tree {
    if (isAlias(node)) return this.#alias(node, path);
    if (node.tag !== undefined) {
      const fix = 'remove it, and put the value in quotes if it is to be text';
      const tag = node.tag.replace(/^tag:yaml\.org,2002:/, '!!');
      return this.#broken(node, path, { message: `the tag ${tag} is not understood`, fix });
    }
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, 'reading');
    const tree = this.#value(node, path);
    if (anchor !== undefined) this.#anchors.set(anchor, tree);
    return tree;
  }

  #value(node: Node, path: string): Tree {
    if (isMap(node)) return this.#map(node, path);
    if (isSeq(node)) return this.#list(node, path);
    if (isScalar(node)) return this.#scalar(node, path);
    throw new Error('a YAML node of an unknown kind');
  }

  #alias(node: Alias, path: string): Tree {
    const name = node.source;
    const known = this.#anchors.get(name);
    if (known === 'reading') {
      return this.#broken(node, path, { message: 'this value contains itself', fix: 'write the value out' });
    }
    if (known !== undefined) return known;
    // What begins with * is an alias in YAML, and a host name such as *.example.com is easily written so.
    const fix = /^\w+$/.test(name) ? `write &${name} at its value, before this` : `write it in quotes: "*${name}"`;
    return this.#broken(node, path, { message: `*${name} is an alias of YAML, and there is no &${name}`, fix });
  }

  #scalar(node: Scalar, path: string): Tree {
    const at = this.position(node);
    const quoted = node.type !== Scalar.PLAIN;
    const result = replacePlaceholders(node.source ?? '', this.#env);
    if (!result.ok) {
      for (const complaint of result.errors) this.#report.error({ at, path }, complaint);
      return { kind: 'broken', at };
    }
    // A block of text ends with a line break, which no value of a route file has.
    const block = node.type === Scalar.BLOCK_FOLDED || node.type === Scalar.BLOCK_LITERAL;
    // A plain value is read again after the replacement: ${LIMIT} may be a number, or nothing.
    const text = block ? result.value.text.replace(/\n+$/, '') : quoted ? result.value.text : result.value.text.trim();
    const edge = quoted ? undefined : lookAlikeAtEdge(text);
    if (edge !== undefined) this.#report.warn({ at, path }, { message: edge, fix: 'write it with plain characters' });
    return !quoted && NULL.test(text) ? { kind: 'empty', at } : { kind: 'scalar', at, quoted, ...result.value, text };
  }

  #list(node: YAMLSeq, path: string): Tree {
    const items = node.items.map((item, index) => this.#child(item, node, itemPath(path, index)));
    return { kind: 'list', at: this.position(node), items };
  }

  #map(node: YAMLMap, path: string): Tree {
    // {{ .Values.limit }}: a map in a map's place of a key.
    if (node.flow && node.items.some(({ key }) => isMap(key) && key.flow)) return this.#broken(node, path, TEMPLATE);
    const seen = new Map<string, Position>();
    const entries: MapTree['entries'][number][] = [];
    for (const { key, value } of node.items) {
      const keyAt = isNode(key) ? this.position(key) : this.position(node);
      if (!isScalar(key)) {
        this.#report.error({ at: keyAt, path }, { message: 'a key must be a plain word', fix: 'write "key: value"' });
        continue;
      }
      const name = key.source ?? '';
      const own = keyPath(path, name);
      const first = seen.get(name);
      if (first !== undefined) {
        const fix = 'remove one of the two';
        this.#report.error({ at: keyAt, path: own }, { message: `this key is already on line ${first.line}`, fix });
        continue;
      }
      seen.set(name, keyAt);
      entries.push({ key: name, keyAt, value: this.#child(value, key, own) });
    }
    return { kind: 'map', at: this.position(node), entries };
  }

  /** The value at `path`; `near` says where, when nothing was written. */
  #child(value: unknown, near: Node, path: string): Tree {
    return isNode(value) ? this.read(value, path) : { kind: 'empty', at: this.position(near) };
  }

  #broken(node: Node, path: string, complaint: Complaint): Tree {
    const at = this.position(node);
    this.#report.error({ at, path }, complaint);
    return { kind: 'broken', at };
  }
}
