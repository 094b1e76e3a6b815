import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { KeptText } from '../slots/register.ts';

/** A text in a file, which is on the disk when `write` returns: something is about to follow from it. */
export class KeptFile implements KeptText {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  read(): string | undefined {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  get name(): string {
    return this.#path;
  }

  setAside(): void {
    renameSync(this.#path, `${this.#path}.unreadable`);
  }

  write(text: string): void {
    const temporary = `${this.#path}.${process.pid}.tmp`;
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, text, { mode: 0o600, flush: true });
    renameSync(temporary, this.#path);
  }
}
