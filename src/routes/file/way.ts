import { lstatSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

/** A name in a folder, on the way to a file. */
export interface Step {
  readonly folder: string;
  /** Tells a folder from another one that later has the same path. */
  readonly folderId: string;
  readonly name: string;
}

/** As many symbolic links as Linux follows. */
const MOST_LINKS = 40;

/**
 * Every name that leads to the file at `path`: its own, those of the folders above it, and those of the symbolic links
 * on the way, with their targets. If none of them changes, the path leads to the same file. Ends where something is
 * missing: that name may appear.
 */
export function wayTo(path: string): readonly Step[] {
  const steps: Step[] = [];
  const ahead = resolve(path).split(sep).filter(Boolean);
  let folder: string = sep;
  for (let links = 0; links <= MOST_LINKS; ) {
    const name = ahead.shift();
    if (name === undefined) break;
    if (name === '..') {
      folder = dirname(folder);
      continue;
    }
    const id = identity(folder);
    if (id === undefined) break;
    steps.push({ folder, folderId: id, name });
    const target = linkTarget(join(folder, name));
    if (target === undefined) {
      folder = join(folder, name);
    } else {
      links++;
      if (target.startsWith(sep)) folder = sep;
      ahead.unshift(...target.split(sep).filter((part) => part !== '' && part !== '.'));
    }
  }
  return steps;
}

function identity(folder: string): string | undefined {
  const stat = statSync(folder, { bigint: true, throwIfNoEntry: false });
  return stat?.isDirectory() ? `${stat.dev}:${stat.ino}` : undefined;
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    // Not allowed to look, or gone between the two calls: the poll finds out what becomes of it.
    return undefined;
  }
}
