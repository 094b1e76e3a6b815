import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { assertNever } from '../../base/assert-never.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { coalesce } from '../../base/coalesce.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { Problem } from '../../model/problem.ts';
import type { Routing } from '../../model/routing.ts';
import type { Source, SourceState } from '../../model/source.ts';
import { keepSame } from '../keep-same.ts';
import { namedFiles, type ReadCertificates, readCertificates } from './certificates.ts';
import { FolderWatch, type WatchFolder } from './folder-watch.ts';
import type { LastGoodFile } from './last-good.ts';
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
  /** Where the last good file is kept for the next start; undefined: nowhere. */
  readonly lastGood?: LastGoodFile;
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

/** Whether certificates are still valid is looked at this often, if nothing else makes us look. */
const LOOK_MS = 3_600_000;

/**
 * The route file, followed as it changes, with the files it names. A good file is active at once; a bad or missing one
 * leaves the last good one active (`stale`), with what is wrong with it. At the start that is the one that was kept.
 */
export class RouteFileSource implements Source<Routing> {
  readonly name = 'route file';
  readonly #options: RouteFileOptions;
  #state: SourceState<Routing> = { kind: 'pending', problems: [] };
  /** What the state was made of: the text, or why there was none, and what it says. */
  #taken: { readonly text: Result<string, Problem>; readonly file: Result<RouteFile, Problem> } | undefined;
  /** Which files, in which version, were read last. */
  #read = '';
  /** The last look found something bad, and a second one is still to come. */
  #doubted = false;
  #lookedAt: number;

  constructor(options: RouteFileOptions) {
    this.#options = options;
    this.#lookedAt = options.clock.monotonic();
  }

  state(): SourceState<Routing> {
    return this.#state;
  }

  /**
   * Reads the file now, and takes over what it says, or else what was kept. Errors: everything that is wrong with the file,
   * if nothing was kept. With a file that names others which cannot be used (yet) the state stays `pending`.
   */
  async load(): Promise<Result<RouteFile, Problem>> {
    this.#read = await this.#identify();
    const text = await readText(this.#options.path);
    const file = await this.#parse(text);
    const kept = file.ok ? undefined : await this.#loadKept(file.errors);
    if (kept !== undefined) return kept;
    this.#taken = { text, file };
    this.#take(await this.#found(file));
    await this.#keep();
    return file;
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    const { clock, watch } = this.#options;
    let looking = Promise.resolve();
    const look = (attempt: 'first' | 'second') => {
      looking = looking.then(async () => {
        if (signal.aborted) return;
        const outcome = await this.#look(attempt);
        if (signal.aborted) return;
        follow();
        if (outcome === 'changed') changed();
        else if (outcome === 'moving') first.poke();
        else if (outcome === 'doubtful') second.poke();
      });
    };
    const first = coalesce(() => look('first'), { quiet: QUIET_MS, longest: LONGEST_MS, clock });
    const second = coalesce(() => look('second'), { quiet: DOUBT_QUIET_MS, longest: DOUBT_LONGEST_MS, clock });
    const folders = new Map<string, FolderWatch>();
    const poke = () => {
      first.poke();
      if (this.#doubted) second.poke();
    };
    /** Watches the files that are named now, and no others. */
    const follow = () => {
      const paths = new Set(this.#paths());
      for (const [path, folder] of folders) {
        if (paths.has(path)) continue;
        folder.close();
        folders.delete(path);
      }
      for (const path of paths) {
        if (folders.has(path)) continue;
        const folder = new FolderWatch(path, poke, watch);
        folders.set(path, folder);
        folder.refresh();
      }
    };
    follow();
    look('first');
    while (!signal.aborted) {
      await sleep(clock, POLL_MS, signal);
      if (signal.aborted) break;
      for (const folder of folders.values()) folder.refresh();
      const isLate = clock.monotonic() - this.#lookedAt > LOOK_MS;
      if (isLate || (await this.#identify()) !== this.#read) first.poke();
    }
    for (const folder of folders.values()) folder.close();
    first.stop();
    second.stop();
    await looking;
  }

  /** Reads the files and takes over what they say, unless they are just being written, or may be. */
  async #look(attempt: 'first' | 'second'): Promise<'unchanged' | 'changed' | 'moving' | 'doubtful'> {
    const before = await this.#identify();
    const text = await readText(this.#options.path);
    const file = isDeepStrictEqual(text, this.#taken?.text) ? this.#taken?.file : undefined;
    const parsed = file ?? (await this.#parse(text));
    const found = await this.#found(parsed);
    this.#lookedAt = this.#options.clock.monotonic();
    if (before !== (await this.#identify())) return 'moving';
    // Of another file others may be named.
    const taken = { text, file: parsed };
    this.#read = await this.#identify(taken);
    const isNews = file === undefined || found.routing === undefined;
    this.#doubted = found.routing === undefined && isNews && attempt === 'first' && this.#state.kind !== 'pending';
    if (this.#doubted) return 'doubtful';
    this.#taken = taken;
    const isChanged = this.#take(found);
    if (isChanged) await this.#keep();
    return isChanged ? 'changed' : 'unchanged';
  }

  async #parse(text: Result<string, Problem>): Promise<Result<RouteFile, Problem>> {
    const { path, env } = this.#options;
    if (!text.ok) return fail(...text.errors);
    return parseApart(text.value, { path, env, baseDir: dirname(resolve(path)) });
  }

  /** What a file says, with the contents of the files it names. */
  async #found(file: Result<RouteFile, Problem>): Promise<ReadCertificates> {
    if (!file.ok) return { routing: undefined, problems: file.errors };
    const { path, clock } = this.#options;
    const { routing, problems } = await readCertificates(file.value.routing, path, clock.now());
    const replaced = await replacedMount(path);
    return { routing, problems: [...file.value.warnings, ...problems, ...replaced] };
  }

  /** The route file that was kept, in the place of one that cannot be used; undefined: none was, or it is bad as well. */
  async #loadKept(problems: readonly Problem[]): Promise<Result<RouteFile, Problem> | undefined> {
    const { path, clock, lastGood } = this.#options;
    const kept = await lastGood?.read();
    if (kept === undefined) return undefined;
    const file = await this.#parse(ok(kept.text));
    if (!file.ok) return undefined;
    const found = await this.#found(file);
    const when = new Date(kept.at).toISOString();
    const instead: Problem = {
      severity: 'error',
      subject: path,
      message: `cannot be used: Sluice goes on with the last one that could, of ${when} (kept in ${kept.path})`,
      fix: 'correct the file; it is taken as soon as it can be used',
    };
    const all = [instead, ...problems, ...(found.routing === undefined ? found.problems : [])];
    this.#state =
      found.routing === undefined
        ? { kind: 'pending', problems: all }
        : { kind: 'stale', value: found.routing, problems: all, since: clock.now() };
    return file;
  }

  /** Keeps the file that has just been taken over, for the next start. */
  async #keep(): Promise<void> {
    const { lastGood } = this.#options;
    if (lastGood === undefined || this.#state.kind !== 'ready' || !this.#taken?.text.ok) return;
    const kept = await lastGood.keep(this.#taken.text.value);
    if (kept.ok) return;
    const problem: Problem = {
      severity: 'warning',
      subject: 'state folder',
      message: `the last good route file cannot be kept for the next start: ${kept.errors.join()}`,
      fix: 'name a folder that can be written with --state-dir',
    };
    this.#state = { ...this.#state, problems: [...this.#state.problems, problem] };
  }

  #paths(taken = this.#taken): readonly string[] {
    return [this.#options.path, ...(taken?.file.ok ? namedFiles(taken.file.value.routing) : [])];
  }

  async #identify(taken = this.#taken): Promise<string> {
    return (await Promise.all(this.#paths(taken).map(identify))).join('\n');
  }

  /** Whether the state is another one now. */
  #take(found: ReadCertificates): boolean {
    const before = this.#state;
    const after = this.#after(before, found);
    if (isDeepStrictEqual(before, after)) return false;
    this.#state = after;
    return true;
  }

  #after(before: SourceState<Routing>, { routing, problems }: ReadCertificates): SourceState<Routing> {
    if (routing !== undefined) {
      // The same routing stays the same object, so that its readers see at once that nothing is to be done.
      const value = before.kind === 'pending' ? routing : keepSame(before.value, routing);
      return { kind: 'ready', value, problems };
    }
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

/** A file that is mounted by itself stays the old one when another is put in its place outside: then it has no name left. */
async function replacedMount(path: string): Promise<readonly Problem[]> {
  const places = await Promise.all([path, dirname(resolve(path))].map((place) => stat(place).catch(() => undefined)));
  if (!places.some((place) => place?.nlink === 0)) return [];
  const message = 'this file was replaced outside of this container, and the mount still shows the old one';
  return [{ severity: 'error', subject: path, message, fix: 'mount its folder instead of the file, and restart' }];
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
