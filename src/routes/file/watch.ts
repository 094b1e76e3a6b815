import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { assertNever } from '../../base/assert-never.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { coalesce } from '../../base/coalesce.ts';
import { fail, type Result } from '../../base/result.ts';
import type { Problem } from '../../model/problem.ts';
import type { Routing } from '../../model/routing.ts';
import type { Source, SourceState } from '../../model/source.ts';
import { FolderWatch, type WatchFolder } from './folder-watch.ts';
import { keepSame } from './keep-same.ts';
import type { RouteFile } from './parse.ts';
import { parseApart } from './parse-apart.ts';
import type { Environment } from './placeholder.ts';
import { readText } from './read.ts';

/** What a route file source works with. */
export interface RouteFileOptions {
  /** The file's path, as the user gave it. */
  readonly path: string;
  /** For `${NAME}`. */
  readonly env: Environment;
  readonly clock: Clock;
  /** How folders are watched; for tests. */
  readonly watch?: WatchFolder;
}

/** A file that is written in several steps is read once it has been quiet for this long. */
const QUIET_MS = 30;
/** One that never gets quiet is read after this long. */
const LONGEST_MS = 300;
/** A file that became bad or disappeared is looked at once more when it has been quiet for this long: its writer may be slow. */
const DOUBT_QUIET_MS = 200;
/** One that never gets quiet is believed to be bad after this long. */
const DOUBT_LONGEST_MS = 2000;
/** Changes that no watch tells (NFS, no inotify watches left) are found by looking this often. */
const POLL_MS = 2000;

/**
 * The route file, followed as it changes. A good file is in force at once; a bad or missing one leaves the last good one
 * in force (`stale`), with what is wrong with it.
 */
export class RouteFileSource implements Source<Routing> {
  readonly name = 'route file';
  readonly #options: RouteFileOptions;
  #state: SourceState<Routing> = { kind: 'pending', problems: [] };
  /** What the state was made of: the text, or why there was none. */
  #taken: Result<string, Problem> | undefined;
  /** Which file, in which version, was read last. */
  #read = '';
  /** The last look found the file bad, and a second one is still to come. */
  #doubted = false;

  constructor(options: RouteFileOptions) {
    this.#options = options;
  }

  state(): SourceState<Routing> {
    return this.#state;
  }

  /** Reads the file now, and takes over what it says. Errors: everything that is wrong with it. */
  async load(): Promise<Result<RouteFile, Problem>> {
    const { path } = this.#options;
    this.#read = await identify(path);
    this.#taken = await readText(path);
    const result = await this.#parse(this.#taken);
    this.#take(result);
    return result;
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    const { path, clock, watch } = this.#options;
    let looking = Promise.resolve();
    const look = (attempt: 'first' | 'second') => {
      looking = looking.then(async () => {
        if (signal.aborted) return;
        const outcome = await this.#look(attempt);
        if (signal.aborted) return;
        if (outcome === 'changed') changed();
        else if (outcome === 'moving') first.poke();
        else if (outcome === 'doubtful') second.poke();
      });
    };
    const first = coalesce(() => look('first'), { quiet: QUIET_MS, longest: LONGEST_MS, clock });
    const second = coalesce(() => look('second'), { quiet: DOUBT_QUIET_MS, longest: DOUBT_LONGEST_MS, clock });
    const folders = new FolderWatch(
      path,
      () => {
        first.poke();
        if (this.#doubted) second.poke();
      },
      watch,
    );
    folders.refresh();
    look('first');
    while (!signal.aborted) {
      await sleep(clock, POLL_MS, signal);
      if (signal.aborted) break;
      folders.refresh();
      if ((await identify(path)) !== this.#read) first.poke();
    }
    folders.close();
    first.stop();
    second.stop();
    await looking;
  }

  /** Reads the file and takes over what it says, unless it is just being written, or may be. */
  async #look(attempt: 'first' | 'second'): Promise<'unchanged' | 'changed' | 'moving' | 'doubtful'> {
    const { path } = this.#options;
    const before = await identify(path);
    const text = await readText(path);
    this.#read = await identify(path);
    if (before !== this.#read) return 'moving';
    const same = isDeepStrictEqual(text, this.#taken);
    const result = same ? undefined : await this.#parse(text);
    this.#doubted = result?.ok === false && attempt === 'first';
    if (this.#doubted) return 'doubtful';
    if (result === undefined) return 'unchanged';
    this.#taken = text;
    return this.#take(result) ? 'changed' : 'unchanged';
  }

  async #parse(text: Result<string, Problem>): Promise<Result<RouteFile, Problem>> {
    const { path, env } = this.#options;
    if (!text.ok) return fail(...text.errors);
    return parseApart(text.value, { path, env, baseDir: dirname(resolve(path)) });
  }

  /** Whether the state is another one now. */
  #take(result: Result<RouteFile, Problem>): boolean {
    const before = this.#state;
    const after = this.#after(before, result);
    if (isDeepStrictEqual(before, after)) return false;
    this.#state = after;
    return true;
  }

  #after(before: SourceState<Routing>, result: Result<RouteFile, Problem>): SourceState<Routing> {
    if (result.ok) {
      const { routing, warnings } = result.value;
      // The same routing stays the same object, so that its readers see at once that nothing is to be done.
      const value = before.kind === 'pending' ? routing : keepSame(before.value, routing);
      return { kind: 'ready', value, problems: warnings };
    }
    const problems = result.errors;
    switch (before.kind) {
      case 'pending':
        return { kind: 'pending', problems };
      case 'ready':
        return { kind: 'stale', value: before.value, problems, since: this.#options.clock.now() };
      case 'stale':
        return { ...before, problems };
      default:
        return assertNever(before);
    }
  }
}

/** A text that is another one when the file, or what is in it, may be another one. */
async function identify(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return String(error);
  }
}
