import type { Node } from 'yaml';
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, Scalar } from 'yaml';
import { fail, ok, type Result } from '../../base/result.ts';
import type { Position, Problem } from '../../model/problem.ts';
import { explainSyntax, nestsTooDeeply, TEMPLATE, TOO_DEEP } from '../file/syntax.ts';
import { START, type Tree } from '../file/tree.ts';
import { Value } from './value.ts';

/** Values that aliases may repeat, in all: a few lines of YAML can stand for more than a machine holds. */
const MOST_VALUES = 500_000;

/** Empty, in YAML's core schema. */
const NULL = /^(|~|null|Null|NULL)$/;

/** Reads all documents of a YAML or JSON text, placeholders untouched. Errors: what is wrong with it as YAML. */
export function readDocuments(file: string, text: string): Result<readonly Value[], Problem> {
  const problem = (position: Position, what: Pick<Problem, 'message' | 'fix'>) =>
    fail<Problem>({ severity: 'error', subject: file, position, ...what });
  if (nestsTooDeeply(text)) return problem(START, TOO_DEEP);
  const lines = new LineCounter();
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  try {
    const options = { lineCounter: lines, prettyErrors: false, logLevel: 'silent' } as const;
    const documents = [...parseAllDocuments(source, options)];
    const [error] = documents.flatMap((document) => document.errors).toSorted((a, b) => a.pos[0] - b.pos[0]);
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      const wrong = source.slice(lines.lineStarts[line - 1] ?? 0, lines.lineStarts[line] ?? source.length);
      return problem({ line: Math.max(1, line), column: Math.max(1, col) }, explainSyntax(error, wrong));
    }
    const reader = new Reader(lines);
    const trees = documents.flatMap(({ contents }) => (isNode(contents) ? [reader.read(contents)] : []));
    if (reader.fault !== undefined) return problem(reader.fault.at, reader.fault);
    return ok(trees.filter(({ kind }) => kind !== 'empty').map((tree) => new Value(tree)));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return problem(START, TOO_DEEP);
  }
}

class Reader {
  readonly #lines: LineCounter;
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #values = 0;
  fault: { readonly at: Position; readonly message: string; readonly fix: string } | undefined;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  read(node: Node): Tree {
    const at = this.#position(node);
    if (++this.#values > MOST_VALUES) return this.#broken(at, 'too many values', 'write the aliases out, or split it');
    if (isAlias(node)) {
      const known = this.#anchors.get(node.source);
      if (known === undefined) return this.#broken(at, `there is no &${node.source}`, 'write the value out');
      if (this.#open.has(known)) return this.#broken(at, 'this value contains itself', 'write the value out');
      return { ...this.read(known), at };
    }
    if (isScalar(node)) {
      this.#keep(node.anchor, node);
      const quoted = node.type !== Scalar.PLAIN;
      const text = node.source ?? '';
      return !quoted && NULL.test(text) ? { kind: 'empty', at } : { kind: 'scalar', at, text, quoted, replaced: false };
    }
    if (!isMap(node) && !isSeq(node)) return { kind: 'empty', at };
    this.#keep(node.anchor, node);
    this.#open.add(node);
    const tree: Tree = isMap(node)
      ? { kind: 'map', at, entries: node.items.flatMap(({ key, value }) => this.#entry(node, key, value)) }
      : { kind: 'list', at, items: node.items.map((item) => (isNode(item) ? this.read(item) : { kind: 'empty', at })) };
    this.#open.delete(node);
    return tree;
  }

  #entry(map: Node, key: unknown, value: unknown): readonly { key: string; keyAt: Position; value: Tree }[] {
    const keyAt = this.#position(isNode(key) ? key : map);
    if (!isScalar(key)) {
      this.fault ??= { at: keyAt, message: TEMPLATE.message, fix: TEMPLATE.fix ?? '' };
      return [];
    }
    const read: Tree = isNode(value) ? this.read(value) : { kind: 'empty', at: keyAt };
    return [{ key: key.source ?? String(key.value), keyAt, value: read }];
  }

  #keep(anchor: string | undefined, node: Node): void {
    if (anchor !== undefined) this.#anchors.set(anchor, node);
  }

  #broken(at: Position, message: string, fix: string): Tree {
    this.fault ??= { at, message, fix };
    return { kind: 'broken', at };
  }

  #position(node: Node): Position {
    const { line, col } = this.#lines.linePos(node.range?.[0] ?? 0);
    return line === 0 ? START : { line, column: col };
  }
}
