import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const FILE = fileURLToPath(new URL('../../k8s/base/bootstrap.yaml', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

test('the bootstrap of the ConfigMap is what `sluice bootstrap` prints (update: npm run test:golden)', () => {
  const text = execFileSync(process.execPath, [MAIN, 'bootstrap'], { encoding: 'utf8' });
  if (process.env['SLUICE_GOLDEN'] === 'write') writeFileSync(FILE, text);
  expect(readFileSync(FILE, 'utf8')).toBe(text);
});
