import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatProblem } from '../../src/model/problem.ts';
import type { Routing } from '../../src/model/routing.ts';
import { parseRouteFile } from '../../src/routes/file/parse.ts';

/** One folder a case: `routes.yaml` in, `resources.yaml` out. */
export const CASES_FOLDER = join(import.meta.dirname, 'cases');

/** The names of all cases. */
export const CASES: readonly string[] = readdirSync(CASES_FOLDER);

/** The route file of a case. Throws with its errors when it is not valid. */
export function readCase(name: string): Routing {
  const folder = join(CASES_FOLDER, name);
  const path = join(folder, 'routes.yaml');
  const parsed = parseRouteFile(readFileSync(path, 'utf8'), { path, env: {}, baseDir: folder });
  if (!parsed.ok) throw new Error(parsed.errors.map(formatProblem).join('\n'));
  return parsed.value.routing;
}
