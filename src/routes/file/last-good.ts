import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { reasonOf } from '../../base/reason.ts';
import { fail, ok, type Result } from '../../base/result.ts';

/** A route file that was kept. */
export interface KeptFile {
  readonly text: string;
  /** When it was kept, in milliseconds since the epoch. */
  readonly at: number;
  /** Where. */
  readonly path: string;
}

/**
 * The last route file that could be used, kept in a folder that outlives this process: after a restart it stands in for a
 * file that has become bad meanwhile. Each route file has its own.
 */
export class LastGoodFile {
  readonly #folder: string;
  readonly #path: string;
  #kept: string | undefined;

  constructor(folder: string, routes: string) {
    this.#folder = folder;
    const id = createHash('sha256').update(resolve(routes)).digest('hex').slice(0, 12);
    this.#path = join(folder, `last-good-routes-${id}.yaml`);
  }

  /** What was kept; undefined: nothing, or nothing that can be read. */
  async read(): Promise<KeptFile | undefined> {
    try {
      const [text, { mtimeMs }] = await Promise.all([readFile(this.#path, 'utf8'), stat(this.#path)]);
      return { text, at: Math.round(mtimeMs), path: this.#path };
    } catch {
      return undefined;
    }
  }

  /** Keeps `text`, all or nothing. Errors: why it cannot. */
  async keep(text: string): Promise<Result<void, string>> {
    if (text === this.#kept) return ok(undefined);
    const temporary = `${this.#path}.${process.pid}.tmp`;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFile(temporary, text, { mode: 0o600 });
      await rename(temporary, this.#path);
      this.#kept = text;
      return ok(undefined);
    } catch (error) {
      return fail(reasonOf(error));
    }
  }
}
