import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LARGEST_BYTES } from '../../../../src/routes/file/read.ts';
import { readRoutes } from '../../../../src/routes/manifests/read-routes.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-read-'));
});
afterEach(() => rm(folder, { recursive: true }));

const read = (name: string, env = {}) => readRoutes(join(folder, name), env);

it('reads a file, its environment, and names relative to its folder', async () => {
  await writeFile(join(folder, 'r.yaml'), `version: 1\nroutes: []\nlisten: {port: "\${P}", tls: {cert: c, key: k}}\n`);
  const result = await read('r.yaml', { P: '81' });
  expect(result.ok && result.value.routing.listeners[0]).toEqual({
    name: 'public',
    address: '0.0.0.0',
    port: 81,
    tls: { certificates: [{ kind: 'files', cert: join(folder, 'c'), key: join(folder, 'k') }] },
  });
});

it('takes exactly as much as is allowed', async () => {
  const head = 'version: 1\nroutes: []\n#';
  await writeFile(join(folder, 'r.yaml'), head + 'x'.repeat(LARGEST_BYTES - head.length));
  expect((await read('r.yaml')).ok).toBe(true);
});

it.each([
  ['UTF-16', Buffer.from('\ufeffversion: 1', 'utf16le'), { message: 'written in UTF-16', fix: 'save it as UTF-8' }],
  [
    'another encoding',
    Buffer.from('version: 1\nroutes: [] # f\xfcr\n', 'latin1'),
    { message: 'a byte that is not UTF-8', fix: 'save the file as UTF-8', position: { line: 2, column: 15 } },
  ],
  [
    'too much',
    Buffer.alloc(LARGEST_BYTES + 1, '#'),
    { message: 'larger than 4 MiB', fix: 'route files are small: is this the right file?' },
  ],
])('refuses %s', async (_, bytes, problem) => {
  await writeFile(join(folder, 'r.yaml'), bytes);
  expect(await read('r.yaml')).toEqual({
    ok: false,
    errors: [{ severity: 'error', subject: join(folder, 'r.yaml'), ...problem }],
  });
});

it('says why a file cannot be read', async () => {
  await symlink('loop', join(folder, 'loop'));
  await writeFile(join(folder, 'file'), '');
  const why = async (name: string) => {
    const result = await read(name);
    return result.ok ? [] : result.errors.map(({ message, fix }) => `${message}; ${fix}`);
  };
  expect(await why('none.yaml')).toEqual(['there is no such file; create it, or name another one']);
  expect(await why('file/r.yaml')).toEqual(['there is no such file; create it, or name another one']);
  expect(await why('.')).toEqual(['this is a folder; name the file in it']);
  expect(await why('loop')).toEqual(['its symbolic links lead in a circle; let them lead to a file']);
});

it('a file that is not there: one with a name near to it is named, and a folder that is not there', async () => {
  const place = await mkdtemp(join(tmpdir(), 'sluice-read-'));
  await writeFile(join(place, 'routes.yml'), 'version: 1\nroutes: []\n');
  const told = async (...names: readonly string[]) => {
    const read = await readRoutes(join(place, ...names), {});
    return read.ok ? [] : read.errors.map(({ message, fix }) => `${message}; ${fix}`.replaceAll(place, ''));
  };
  expect(await told('routes.yaml')).toEqual(['there is no such file; did you mean /routes.yml?']);
  expect(await told('other.txt')).toEqual(['there is no such file; create it, or name another one']);
  expect(await told('none', 'r.yaml')).toEqual([
    'there is no folder /none; create it with the file in it, or name another one',
  ]);
  await rm(place, { recursive: true });
});
