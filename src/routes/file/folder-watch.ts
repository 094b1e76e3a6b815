import { type FSWatcher, watch } from 'node:fs';
import { type Step, wayTo } from './way.ts';

/** Watches one folder: Node's `fs.watch`, or a test's. */
export type WatchFolder = (folder: string, changed: (name: string | null) => void) => Pick<FSWatcher, 'close' | 'on'>;

const watchFolder: WatchFolder = (folder, changed) => watch(folder, (_event, name) => changed(name));

interface Watched {
  names: Set<string>;
  readonly watcher: Pick<FSWatcher, 'close' | 'on'>;
}

/**
 * Tells whenever something on the way to a file changes. Folders are watched, never the file: a watch stays with the
 * inode, and editors, `kubectl` and Kubernetes' own ConfigMap volumes put another file in its place.
 */
export class FolderWatch {
  readonly #path: string;
  readonly #changed: () => void;
  readonly #watch: WatchFolder;
  readonly #watched = new Map<string, Watched>();

  constructor(path: string, changed: () => void, watch: WatchFolder = watchFolder) {
    this.#path = path;
    this.#changed = changed;
    this.#watch = watch;
  }

  /** Watches what is on the way now, and no longer what was. Folders that cannot be watched are left out. */
  refresh(): void {
    // While the watches are put in place the way may change: look again until it does not.
    for (let round = 0; round < 5; round++) if (!this.#replace(wayTo(this.#path))) return;
  }

  /** Ends all watching. */
  close(): void {
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  /** Whether anything new is watched. */
  #replace(steps: readonly Step[]): boolean {
    const wanted = Map.groupBy(steps, ({ folder, folderId }) => `${folderId} ${folder}`);
    for (const [key, { watcher }] of this.#watched) {
      if (wanted.has(key)) continue;
      watcher.close();
      this.#watched.delete(key);
    }
    let added = false;
    for (const [key, [step, ...others]] of wanted) {
      if (step === undefined) continue;
      const names = new Set([step, ...others].map(({ name }) => name));
      const watched = this.#watched.get(key);
      if (watched !== undefined) watched.names = names;
      else added = this.#add(key, step.folder, names) || added;
    }
    return added;
  }

  #add(key: string, folder: string, names: Set<string>): boolean {
    try {
      const watcher = this.#watch(folder, (name) => {
        if (name !== null && !this.#watched.get(key)?.names.has(name)) return;
        this.refresh();
        this.#changed();
      });
      watcher.on('error', () => this.#forget(key));
      this.#watched.set(key, { names, watcher });
      return true;
    } catch {
      // No permission, no more inotify watches (ENOSPC, EMFILE), a file system without them: the poll remains.
      return false;
    }
  }

  #forget(key: string): void {
    this.#watched.get(key)?.watcher.close();
    this.#watched.delete(key);
  }
}
