import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { execute } from '../../../../src/envoy/binary/execute.ts';
import { writeScript } from './fake-programs.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-execute-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('gives the exit code and both outputs', async () => {
  const script = writeScript(folder, 'both', 'echo "out $1"; echo "err $HERE" >&2; exit 3');
  expect(await execute([script, 'a b'], { env: { HERE: 'x' } })).toEqual({
    ok: true,
    value: { code: 3, stdout: 'out a b\n', stderr: 'err x\n' },
  });
});

test('keeps the end of a long output', async () => {
  const script = writeScript(
    folder,
    'long',
    'n=0; while [ $n -lt 3000 ]; do echo "line $n of a long output"; n=$((n+1)); done',
  );
  const ended = await execute([script], { env: {} });
  expect(ended.ok && ended.value.stdout.length).toBe(64 * 1024);
  expect(ended.ok && ended.value.stdout.endsWith('line 2999 of a long output\n')).toBe(true);
});

test('says why a program cannot be started', async () => {
  const text = join(folder, 'text');
  writeFileSync(text, '');
  const loaderless = writeScript(folder, 'loaderless', '');
  writeFileSync(loaderless, '#!/nowhere/ld.so\n');
  expect(await execute([text], { env: {} })).toEqual({ ok: false, errors: ['no permission to execute it'] });
  expect(await execute([loaderless], { env: {} })).toMatchObject({ errors: [expect.stringContaining('loader')] });
});

test('ends a program that takes too long', async () => {
  const script = writeScript(folder, 'slow', 'exec /bin/sleep 600');
  expect(await execute([script], { env: {}, timeoutMs: 50 })).toEqual({
    ok: false,
    errors: ['did not end within 50 ms'],
  });
});

test('leaves nothing running that would hold up the end of this process', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await execute([join(folder, 'gone')], { env: {}, timeoutMs: 60_000 });
  expect(timers()).toBe(before);
});
