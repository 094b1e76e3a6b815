import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { Page } from './page.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Where the dashboard's files are: beside this one, in the source as well as in what is built from it. */
const FOLDER = new URL('./page/', import.meta.url);

/**
 * The dashboard's files by the path they are served at: `/` and `/page/…`. Read once, at start; throws when they are
 * not there, which is an installation that lacks a part.
 */
export function readAssets(): ReadonlyMap<string, Page> {
  return new Map(
    readdirSync(FOLDER).flatMap((file) => {
      const type = TYPES[extname(file)];
      if (type === undefined) return [];
      const body = readFileSync(new URL(file, FOLDER), 'utf8');
      return [[file === 'index.html' ? '/' : `/page/${file}`, { status: 200, type, body }] as const];
    }),
  );
}
