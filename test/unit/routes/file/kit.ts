import { formatProblem } from '../../../../src/model/problem.ts';
import { parseRouteFile, type RouteFile } from '../../../../src/routes/file/parse.ts';
import type { Environment } from '../../../../src/routes/file/placeholder.ts';

/** What a file says; its problems as an exception when it cannot be used. */
export function parsed(text: string, env: Environment = {}): RouteFile {
  const result = parseRouteFile(text, { path: 'routes.yaml', env, baseDir: '/etc/sluice' });
  if (!result.ok) throw new Error(result.errors.map(formatProblem).join('\n'));
  return result.value;
}

/** Every problem of a file as it is printed, without the file's name; warnings of a good file as well. */
export function told(text: string, env: Environment = {}): readonly string[] {
  const result = parseRouteFile(text, { path: 'routes.yaml', env, baseDir: '/etc/sluice' });
  const problems = result.ok ? result.value.warnings : result.errors;
  return problems.map((problem) => formatProblem(problem).replace('routes.yaml:', ''));
}

/** As `told`, without the places. */
export function said(text: string, env: Environment = {}): readonly string[] {
  return told(text, env).map((line) => line.replace(/^\d+:\d+: /, ''));
}

/** A file with one service and the routes given as YAML list items. */
export function withRoutes(...routes: readonly string[]): string {
  const items = routes.map((route) => `  - {service: s, ${route}}\n`).join('');
  return `version: 1\nservices: {s: {static: [], limit: 1}}\nroutes:\n${items}`;
}

/** A file with one service, of the keys given as lines, and a route to it. */
export function withService(...lines: readonly string[]): string {
  const keys = lines.map((line) => `    ${line}\n`).join('');
  return `version: 1\nroutes: [{match: {prefix: /}, service: s}]\nservices:\n  s:\n${keys}`;
}
