import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sourceFiles, violations } from './architecture.ts';

describe('the layers of src', () => {
  test('hold', () => {
    const files = sourceFiles(join(import.meta.dirname, '../src'));
    expect(files.length).toBeGreaterThan(50);
    expect(violations(files)).toEqual([]);
  });

  test.each([
    [
      'an import upwards',
      'model/pod.ts',
      "import { x } from '../endpoints/static.ts';",
      'model may not import endpoints',
    ],
    [
      'a type import upwards',
      'slots/a.ts',
      "import type { X } from '../dataplane/b.ts';",
      'slots may not import dataplane',
    ],
    ['a dynamic import', 'xds/a.ts', "const m = await import('../model/pod.ts');", 'xds may not import model'],
    [
      'generated code where no wire types belong',
      'routes/a.ts',
      "import { envoy } from '#xds';",
      'routes may not import gen',
    ],
    ['a side-effect import', 'base/a.ts', "import '../model/pod.ts';", 'base may not import model'],
    [
      'an import in several lines',
      'base/a.ts',
      "import {\n  x,\n} from '../model/pod.ts';",
      'base may not import model',
    ],
    ['a room nobody knows', 'helpers/a.ts', '', 'not a known room'],
    ['a file beside main.ts', 'helpers.ts', '', 'not a known room'],
    ['a clock in a pure room', 'slots/a.ts', 'const now = Date.now();', 'reads a clock'],
    ['randomness in a pure room', 'model/a.ts', 'Math.random()', 'is random'],
    ['waiting in a protocol step', 'xds/protocol/step-sotw.ts', 'await x;', 'waits'],
    ['I/O in a pure room', 'dataplane/a.ts', "import { readFileSync } from 'node:fs';", 'imports I/O'],
    ['a logger in a pure room', 'slots/a.ts', "import { pino } from 'pino';", 'talks to the outside'],
    ['a default export', 'base/a.ts', 'export default 1;', 'default export'],
    ['a barrel', 'base/a.ts', "export * from './b.ts';", 'barrel'],
  ])('would notice %s', (_, path, text, fault) => {
    expect(violations([{ path, text }]).join('\n')).toContain(fault);
  });

  test('leave alone what is allowed', () => {
    const text = "// Date.now() is for others\nimport { x } from '../base/result.ts';\nimport { y } from './pod.ts';";
    expect(violations([{ path: 'model/a.ts', text }])).toEqual([]);
  });
});

test('every folder of src opens with a page that says in a few lines what it is for', () => {
  const src = join(import.meta.dirname, '../src');
  const folders = [...new Set(sourceFiles(src).map(({ path }) => dirname(path)))].filter((folder) => folder !== '.');
  expect(folders.length).toBeGreaterThan(20);
  const pages = folders.map((folder) => [folder, join(src, folder, 'README.md')] as const);
  const missing = pages.filter(([, page]) => !existsSync(page)).map(([folder]) => folder);
  expect(missing).toEqual([]);
  for (const [folder, page] of pages) {
    const [title, , ...lines] = readFileSync(page, 'utf8').trimEnd().split('\n');
    expect([title, lines.length]).toEqual([`# ${folder}`, expect.toSatisfy((count: number) => count > 0 && count < 6)]);
  }
});
