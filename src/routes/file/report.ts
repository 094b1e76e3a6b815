import type { Position, Problem } from '../../model/problem.ts';

/** What is wrong with a value, and what to write instead. */
export interface Complaint {
  readonly message: string;
  readonly fix?: string;
}

/** Where in the file: position and key path. */
export interface Place {
  readonly at: Position;
  readonly path: string;
}

/** Gathers every mistake of one route file, so that all can be told at once. */
export class Report {
  readonly #subject: string;
  readonly #problems: Problem[] = [];

  /** `subject` is the file's path, as the user gave it. */
  constructor(subject: string) {
    this.#subject = subject;
  }

  /** Something that keeps the file from being used. */
  error({ at, path }: Place, complaint: Complaint): void {
    this.#add('error', { at, path }, complaint);
  }

  /** Something that is probably not meant so. */
  warn({ at, path }: Place, complaint: Complaint): void {
    this.#add('warning', { at, path }, complaint);
  }

  get hasErrors(): boolean {
    return this.#problems.some(({ severity }) => severity === 'error');
  }

  /** All of them, in the order of the file. */
  get problems(): readonly Problem[] {
    return this.#problems.toSorted(
      ({ position: a }, { position: b }) => (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0),
    );
  }

  #add(severity: Problem['severity'], { at, path }: Place, complaint: Complaint): void {
    const known = path === '' ? {} : { path };
    this.#problems.push({ severity, subject: this.#subject, position: at, ...known, ...complaint });
  }
}

/** The key path of `key` in the map at `parent`: `services.codec`, `match.headers["x y"]`. */
export function keyPath(parent: string, key: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

/** The key path of an item of the list at `parent`: `routes[2]`. */
export function itemPath(parent: string, index: number): string {
  return `${parent}[${index}]`;
}

/** `a, b and c`. */
export function enumerate(words: readonly string[], last = 'and'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

/** `text` as a message quotes it: in double quotes, shortened when it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
