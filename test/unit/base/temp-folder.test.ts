import { rmSync, statSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { makeTempFolder } from '../../../src/base/temp-folder.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('where TMPDIR leads nowhere, /tmp takes its place', () => {
  vi.stubEnv('TMPDIR', '/no/such/folder');
  const made = makeTempFolder('sluice-test-');
  if (!made.ok) throw new Error(made.errors.join());
  expect(made.value).toMatch(/^\/tmp\/sluice-test-/);
  expect(statSync(made.value).mode & 0o077).toBe(0);
  rmSync(made.value, { recursive: true });
});

test('when nothing can be written, every place is named, and what to do', () => {
  vi.stubEnv('TMPDIR', '/no/such/folder');
  const made = makeTempFolder('no/such/prefix-');
  expect(made).toEqual({
    ok: false,
    errors: [
      'no temporary folder: cannot write to /no/such/folder (ENOENT) and /tmp (ENOENT); set TMPDIR to a folder that can be written',
    ],
  });
});
