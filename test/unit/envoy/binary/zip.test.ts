import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { unzipFile } from '../../../../src/envoy/binary/zip.ts';
import { makeZip } from './fake-programs.ts';

let folder: string;
let archive: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-zip-'));
  archive = join(folder, 'a.zip');
});
afterEach(() => rmSync(folder, { recursive: true }));

const long = 'Envoy '.repeat(50_000);
const unzip = (name: string) => unzipFile(archive, name, join(folder, 'out'));

test('unpacks the file asked for, wherever it is', async () => {
  writeFileSync(archive, makeZip({ 'a/first': 'one', 'a/long': long, 'a/last': 'three' }));
  expect(await unzip('a/long')).toEqual({ ok: true, value: undefined });
  expect(readFileSync(join(folder, 'out'), 'utf8')).toBe(long);
});

test('says when there is no such file', async () => {
  writeFileSync(archive, makeZip({ 'a/first': 'one' }));
  expect(await unzip('a/firs')).toEqual({ ok: false, errors: [`${archive} has no file a/firs`] });
  expect(existsSync(join(folder, 'out'))).toBe(false);
});

test('notices content that was changed', async () => {
  const zip = makeZip({ file: 'the text as it was' });
  const at = zip.indexOf('file') + 10;
  zip.writeUInt8(zip.readUInt8(at) ^ 0x10, at);
  writeFileSync(archive, zip);
  const result = await unzip('file');
  expect(result).toEqual({ ok: false, errors: [expect.stringMatching(/damaged|cannot unpack/)] });
});

test.each([
  ['empty', (zip: Buffer) => zip.subarray(0, 0)],
  ['cut off', (zip: Buffer) => zip.subarray(0, zip.length - 30)],
  ['without its start', (zip: Buffer) => zip.subarray(100)],
])('fails on an archive that is %s', async (_what, damage) => {
  writeFileSync(archive, damage(makeZip({ file: long, other: 'x'.repeat(200) })));
  expect(await unzip('file')).toEqual({ ok: false, errors: [expect.stringContaining(`cannot unpack ${archive}`)] });
});
