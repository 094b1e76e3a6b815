import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { envoyPath } from './kit/envoy.ts';

test('docs/moving.md: Envoy takes the configuration that people move from', async () => {
  const moving = readFileSync(join(import.meta.dirname, '../../docs/moving.md'), 'utf8');
  const config = /^```yaml\n(static_resources:.*?)^```/ms.exec(moving)?.[1];
  if (config === undefined) throw new Error('there is no such example');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-documents-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'envoy.yaml');
  writeFileSync(file, config);
  const options = { encoding: 'utf8', timeout: 30_000 } as const;
  const { status, stderr } = spawnSync(await envoyPath(), ['--mode', 'validate', '-c', file], options);
  expect([status, stderr]).toEqual([0, expect.not.stringMatching(/\[(warning|error|critical)\]/)]);
});
