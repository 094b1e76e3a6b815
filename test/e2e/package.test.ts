import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'sluice-package-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

let packed: Packed;
beforeAll(() => {
  const args = ['pack', '--json', '--silent', '--pack-destination', folder];
  const output = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  // What is built before it may print as well.
  [packed] = JSON.parse(output.slice(output.indexOf('[\n')));
});

describe('the package that npm gets', () => {
  test('has what runs, and neither maps, nor types, nor sources', () => {
    const files = packed.files.map(({ path }) => path);
    expect(files).toEqual(
      expect.arrayContaining([
        'bin/sluice.cjs',
        'dist/main.js',
        'gen/guard.wasm',
        'gen/queue.wasm',
        'gen/xds.js',
        'gen/xds.binpb',
        'package.json',
      ]),
    );
    expect(files.filter((file) => /\.(map|ts)$/.test(file))).toEqual([]);
    expect(packed.size).toBeLessThan(1_000_000);
    expect(packed.unpackedSize).toBeLessThan(6_000_000);
  });

  test('is installed into an empty folder and runs there', () => {
    const install = ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', packed.filename];
    execFileSync('npm', install, { cwd: folder, stdio: 'ignore' });
    const npx = (...args: readonly string[]) => {
      const { status, stdout, stderr } = spawnSync('npx', ['--no-install', 'sluice', ...args], {
        cwd: folder,
        encoding: 'utf8',
      });
      return { status, stdout, stderr };
    };
    expect(npx('--version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(npx('init', '--static', '10.0.0.1:8080')).toMatchObject({ status: 0 });
    expect(npx('validate', 'routes.yaml')).toMatchObject({ status: 0, stderr: '' });
    expect(npx('render', 'routes.yaml')).toMatchObject({ status: 0, stdout: expect.stringContaining('10.0.0.1') });
    expect(npx('sreve')).toMatchObject({ status: 2 });
  });
});

describe('a Node that is too old', () => {
  /** Runs `sluice` on a Node that takes itself for another version. */
  function onNode(version: string) {
    const pretend = join(folder, 'pretend.cjs');
    const versions = `{ ...process.versions, node: '${version}' }`;
    writeFileSync(pretend, `Object.defineProperty(process, 'versions', { value: ${versions} });\n`);
    const args = ['--require', pretend, join(ROOT, 'bin/sluice.cjs'), '--version'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    return { status, stdout, stderr };
  }

  test.each(['18.20.0', '20.20.2', '22.18.0'])('%s says so in one line', (version) => {
    const said = `Sluice needs Node 22.19 or newer, and this is Node ${version}: see https://nodejs.org/\n`;
    expect(onNode(version)).toEqual({ status: 1, stdout: '', stderr: said });
  });

  test('22.19.0 is not', () => {
    expect(onNode('22.19.0')).toMatchObject({ status: 0, stderr: '' });
  });
});
