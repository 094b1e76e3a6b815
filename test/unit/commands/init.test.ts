import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type InitialPods, initialFile } from '../../../src/commands/init-file.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';

const MAIN = join(import.meta.dirname, '../../../src/main.ts');

const PODS: readonly (readonly [string, InitialPods])[] = [
  ['kubernetes', { kind: 'kubernetes', namespace: 'ai-media', service: 'codec', port: 'http' }],
  ['kubernetes in its own namespace', { kind: 'kubernetes', service: 'codec', port: '80' }],
  ['dns', { kind: 'dns', host: 'codec.example', port: '8080' }],
  ['static', { kind: 'static', addresses: ['10.0.0.1:8080', '"[fd00::1]:8080"'] }],
];

function parse(text: string) {
  return parseRouteFile(text, { path: 'routes.yaml', env: {}, baseDir: '/' });
}

describe.each(PODS)('pods by %s', (_, pods) => {
  test('are in a file without a fault', () => {
    expect(parse(initialFile(pods))).toMatchObject({ ok: true, value: { warnings: [] } });
  });

  test('every key in a comment can be written', () => {
    const text = initialFile(pods);
    const commented = [...text.matchAll(/^ +# (?=\w+: )/gm)];
    expect(commented.length).toBeGreaterThanOrEqual(6);
    const all = text.replaceAll(/^( +)# (?=\w+: )/gm, '$1');
    expect(parse(all)).toMatchObject({ ok: true, value: { warnings: [] } });
  });
});

/** Runs `sluice init` in a folder of its own. */
function init(...args: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-init-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const run = (...more: readonly string[]) => {
    const all = [MAIN, 'init', ...args, ...more];
    const { status, stdout, stderr } = spawnSync(process.execPath, all, { cwd: folder, encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  return { run, written: (name = 'routes.yaml') => readFileSync(join(folder, name), 'utf8') };
}

test('writes the file, and never over one that is there', () => {
  const { run, written } = init('--kubernetes', 'ai-media/codec:80');
  expect(run()).toMatchObject({ status: 0, stdout: expect.stringContaining('sluice validate routes.yaml') });
  expect(written()).toBe(initialFile({ kind: 'kubernetes', namespace: 'ai-media', service: 'codec', port: '80' }));
  expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining('is there already') });
  expect(run('-o', 'other.yaml').status).toBe(0);
  expect(written('other.yaml')).toBe(written());
});

test.each([
  [['--kubernetes', 'codec'], 'ai-media/codec:80'],
  [['--dns', 'http://codec'], ':8080'],
  [['--static', '10.0.0.1'], '10.0.0.1:8080'],
  [['--static', '10.0.0.999:80'], 'not an IP address'],
  [['--dns', '--static'], 'cannot be used with'],
])('%j is bad input', (args, message) => {
  expect(init(...args).run()).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
});
