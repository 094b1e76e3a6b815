import { dirname, resolve } from 'node:path';
import type { Result } from '../../base/result.ts';
import type { Problem } from '../../model/problem.ts';
import { parseRouteFile, type RouteFile } from '../file/parse.ts';
import type { Environment } from '../file/placeholder.ts';
import { fileTitle, readFileText } from '../file/read.ts';
import { isManifest, type ManifestText, readManifests } from './read.ts';

/** A file of routes as it was given, with its text. */
export interface RoutesText extends ManifestText {
  readonly path: string;
}

/** The text of a route file, or of a file of Kubernetes objects; `-`: standard input. */
export async function readRoutesText(path: string): Promise<Result<RoutesText, Problem>> {
  const text = await readFileText(path);
  return text.ok ? { ok: true, value: { path, file: fileTitle(path), text: text.value } } : text;
}

/** What a file's routes are: a route file's, or those of the Kubernetes objects in it. Errors: everything that is wrong with it. */
export function parseRoutes(one: RoutesText, env: Environment): Result<RouteFile, Problem> {
  if (isManifest(one.text)) return readManifests([one]);
  const baseDir = one.path === '-' ? process.cwd() : dirname(resolve(one.path));
  return parseRouteFile(one.text, { path: one.file, env, baseDir });
}

/** Reads and parses in one go. */
export async function readRoutes(path: string, env: Environment): Promise<Result<RouteFile, Problem>> {
  const text = await readRoutesText(path);
  return text.ok ? parseRoutes(text.value, env) : text;
}
