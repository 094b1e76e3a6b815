import { expect } from 'vitest';
import { parseRouteFile, type RouteFile } from '../../../../src/routes/file/parse.ts';
import { importFiles } from '../../../../src/routes/import/import.ts';
import { formatFinding } from '../../../../src/routes/import/write.ts';

/** What an import came to: the route file as its own parser reads it, and the lines on standard error. */
export interface Outcome {
  readonly text: string;
  readonly read: RouteFile;
  /** Without the file's name. */
  readonly refused: readonly string[];
  readonly notes: readonly string[];
}

/** Imports files that can be read; the result must be a route file without a fault. */
export function imported(...texts: readonly string[]): Outcome {
  const sources = texts.map((text, index) => ({ file: index === 0 ? 'in.yaml' : `in${index + 1}.yaml`, text }));
  const result = importFiles(sources);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  const { text, findings } = result.value;
  const parsed = parseRouteFile(text, { path: 'routes.yaml', env: {}, baseDir: '/' });
  if (!parsed.ok) throw new Error(`${text}\n${JSON.stringify(parsed.errors)}`);
  const lines = (refused: boolean) =>
    findings.filter((one) => one.refused === refused).map((one) => formatFinding(one).replace(/^in\.yaml:/, ''));
  return { text, read: parsed.value, refused: lines(true), notes: lines(false) };
}

/** The lines of the route file that are not comments. */
export function keysOf({ text }: Outcome): string {
  return text
    .split('\n')
    .map((line) => line.replace(/\s+# .*$/, ''))
    .filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'))
    .join('\n');
}

/** Nothing was left out. */
export function expectWhole(outcome: Outcome): void {
  expect(outcome.refused).toEqual([]);
}
