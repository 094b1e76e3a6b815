import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'sluice-commands-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command that ends by itself. */
function sluice(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: folder,
    encoding: 'utf8',
    // A command that should end and does not must fail its test, not hold up all others.
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

const GOOD = `version: 1
services:
  codec: {static: [127.0.1.1:9000], limit: 2}
routes:
  - match: {path: /encode}
    service: codec
`;

const FIVE_MISTAKES = `version: 1
listen: {prot: 8080}
services:
  codec: {static: [pod.example:9000], limit: 0}
routes:
  - match: {path: encode}
    service: codek
`;

describe('help', () => {
  test.each([
    'run',
    'serve',
    'init',
    'validate',
    'import',
    'explain',
    'render',
    'bootstrap',
    'status',
    'schema',
    'completion',
    'demo-pod',
  ])('of %s has an example', (command) => {
    const { status, stdout } = sluice(command, '--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/Examples?:\n {2}(?:source <\()?sluice /);
  });

  test('names all commands', () => {
    const { status, stdout } = sluice('--help');
    expect(status).toBe(0);
    for (const command of ['run', 'serve', 'validate', 'render', 'bootstrap']) expect(stdout).toContain(command);
  });
});

describe('bad input ends with 2 and says what to write', () => {
  test('an unknown command', () => {
    const { status, stderr } = sluice('sreve');
    expect([status, stderr]).toEqual([2, expect.stringContaining('Did you mean serve?')]);
  });

  test('an option that is missing, or not of its kind', () => {
    expect(sluice('serve')).toMatchObject({ status: 2, stderr: expect.stringContaining('--routes') });
    const port = sluice('run', '--envoy-admin-port', 'many');
    expect([port.status, port.stderr]).toEqual([2, expect.stringContaining('a port from 0 to 65535')]);
    const address = sluice('serve', '--routes', 'x', '--xds', 'here');
    expect([address.status, address.stderr]).toEqual([2, expect.stringContaining('127.0.0.1:18000')]);
  });

  test.each(['validate', 'render'])(
    '%s: a file with five mistakes has five errors, each with line and column',
    (command) => {
      const { status, stdout, stderr } = sluice(command, file('five.yaml', FIVE_MISTAKES));
      expect(status).toBe(2);
      expect(stdout).toBe('');
      const lines = stderr.trimEnd().split('\n');
      expect(lines.map((line) => /^five\.yaml:(\d+:\d+): /.exec(line)?.[1])).toEqual([
        '2:10',
        '4:20',
        '4:46',
        '6:19',
        '7:14',
      ]);
    },
  );

  test.each(['serve', 'run'])('%s: does not start with such a file', (command) => {
    const { status, stderr } = sluice(command, '--routes', file('five.yaml', FIVE_MISTAKES));
    expect(status).toBe(2);
    expect(stderr.match(/^five\.yaml:\d+:\d+: /gm)).toHaveLength(5);
  });

  test('a file that is not there', () => {
    const { status, stderr } = sluice('validate', 'none.yaml');
    expect([status, stderr]).toEqual([2, expect.stringContaining('none.yaml: there is no such file')]);
  });
});

describe('good input', () => {
  test('validate says what it found', () => {
    expect(sluice('validate', file('good.yaml', GOOD))).toEqual({
      status: 0,
      stdout: 'good.yaml: ok, 1 service, 1 route\n',
      stderr: '',
    });
  });

  test('validate reads several files and standard input, and prints JSON', () => {
    file('good.yaml', GOOD);
    file('five.yaml', FIVE_MISTAKES);
    const all = sluice('validate', 'good.yaml', 'five.yaml');
    expect([all.status, all.stdout]).toEqual([2, 'good.yaml: ok, 1 service, 1 route\n']);
    expect(all.stderr.match(/^five\.yaml:/gm)).toHaveLength(5);
    const options = { cwd: folder, encoding: 'utf8', input: GOOD } as const;
    const piped = spawnSync(process.execPath, [MAIN, 'validate', '-'], options);
    expect([piped.status, piped.stdout]).toEqual([0, 'standard input: ok, 1 service, 1 route\n']);
    const json = sluice('validate', '--json', 'five.yaml', 'good.yaml');
    expect(json.status).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      files: [
        {
          file: 'five.yaml',
          ok: false,
          problems: [{ severity: 'error', line: 2, column: 10, path: 'listen.prot' }, {}, {}, {}, {}],
        },
        { file: 'good.yaml', ok: true, services: 1, routes: 1, problems: [] },
      ],
    });
  });

  test('explain ends with 1 when no route takes the request', () => {
    file('good.yaml', GOOD);
    const taken = sluice('explain', 'good.yaml', '/encode');
    expect([taken.status, taken.stdout]).toEqual([0, expect.stringContaining('routes[0] (good.yaml:5) takes it')]);
    expect(sluice('explain', 'good.yaml', '/other')).toMatchObject({ status: 1, stderr: '' });
  });

  test('render --diff says what was edited, and on request by its exit code', () => {
    file('good.yaml', GOOD);
    file('edited.yaml', GOOD.replace('limit: 2', 'limit: 3'));
    const diff = sluice('render', '--diff', 'good.yaml', 'edited.yaml');
    expect([diff.status, diff.stdout]).toEqual([0, expect.stringMatching(/^codec: limit 2 → 3\n/)]);
    expect(sluice('render', '--diff', '--exit-code', 'good.yaml', 'edited.yaml').status).toBe(1);
    expect(sluice('render', '--diff', '--exit-code', 'good.yaml', 'good.yaml').status).toBe(0);
  });

  test('render prints the resources as YAML documents', () => {
    const { status, stdout } = sluice('render', file('good.yaml', GOOD));
    expect(status).toBe(0);
    const names = parseAllDocuments(stdout).map((document) => document.toJS()?.name ?? document.toJS()?.cluster_name);
    expect(names).toContain('codec');
    expect(names).toContain('sluice.control');
  });

  test('render is content with a reader that has had enough', async () => {
    const child = spawn(process.execPath, [MAIN, 'render', file('good.yaml', GOOD)], { cwd: folder });
    let stderr = '';
    child.stderr.on('data', (piece) => {
      stderr += piece;
    });
    child.stdout.destroy();
    const [status] = await once(child, 'close');
    expect([status, stderr]).toEqual([0, '']);
  });

  test('bootstrap prints YAML that begins with the command line', () => {
    const { status, stdout } = sluice('bootstrap', '--xds', 'unix:/run/sluice.sock');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^# [\s\S]*--disable-hot-restart/);
    expect(stdout).toContain('/run/sluice.sock');
  });
});

test('a port in use ends serve with 1 and is named', async () => {
  const taken = createServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => {
      const address = taken.address();
      resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
    });
  });
  const { status, stderr } = sluice('serve', '--routes', file('good.yaml', GOOD), '--xds', `127.0.0.1:${port}`);
  taken.close();
  expect([status, stderr]).toEqual([1, expect.stringContaining(`127.0.0.1:${port}`)]);
});
