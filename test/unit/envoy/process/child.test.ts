import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EnvoyChild, spawnEnvoy } from '../../../../src/envoy/process/child.ts';
import type { LogEntry } from '../../../../src/envoy/process/log-lines.ts';
import { comesUp, writeScript } from '../binary/fake-programs.ts';

let folder: string;
let logs: LogEntry[];
let child: EnvoyChild | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-child-'));
  logs = [];
});
afterEach(async () => {
  await child?.stop(0);
  rmSync(folder, { recursive: true });
});

function start(body: string, options: { readonly logLevel?: 'debug' } = {}): EnvoyChild {
  const binary = writeScript(folder, 'envoy', body);
  child = spawnEnvoy({
    binary,
    bootstrap: { node: { id: "it's" } },
    onLog: (entry) => logs.push(entry),
    stdout: 'ignore',
    workers: 3,
    ...options,
  });
  return child;
}

const head = ({ level, message }: LogEntry) => `${level} ${message}`;

describe('spawnEnvoy', () => {
  test('passes the configuration and what every Envoy needs', async () => {
    await start(`printf '%s\\n' "$@" > ${folder}/args`, { logLevel: 'debug' }).exited;
    const args = readFileSync(join(folder, 'args'), 'utf8').split('\n');
    expect(args.slice(0, 2)).toEqual(['--config-yaml', `{"node":{"id":"it's"}}`]);
    expect(args.join(' ')).toContain(
      '--concurrency 3 --disable-hot-restart --drain-time-s 31536000 --drain-strategy immediate --file-flush-interval-msec 1000 --log-level debug',
    );
  });

  test.each([
    ['127.0.0.1:1234', { host: '127.0.0.1', port: 1234 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
  ])('learns that the admin is at %s', async (text, expected) => {
    expect(await start(`${comesUp(text)}; exec /bin/sleep 600`).admin).toEqual(expected);
  });

  test('has no admin when Envoy ends before it has one', async () => {
    expect(await start('exit 1').admin).toBeUndefined();
  });

  test('leaves no temporary file behind', async () => {
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = folder;
    try {
      const running = start('exit 1');
      expect(readdirSync(folder).length).toBe(2);
      await running.admin;
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
    expect(readdirSync(folder)).toEqual(['envoy']);
  });

  test('hands on every line of the log, the last one too', async () => {
    await start('echo "[info][main] one" >&2; echo "  more" >&2; printf "[error][config] two" >&2').exited;
    expect(logs.map(head)).toEqual(['info one', 'info   more', 'error two']);
  });

  test('has a process group of its own, which a Ctrl-C does not reach', async () => {
    const { pid, admin } = start(`${comesUp('127.0.0.1:1')}; exec /bin/sleep 600`);
    await admin;
    // Field 5 of /proc/<pid>/stat, behind the name in brackets, is the process group.
    const group = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[2];
    expect(group).toBe(String(pid));
  });
});

describe('stop', () => {
  test('asks first, and the signal we sent is no warning', async () => {
    const caught = 'trap \'echo "[warning][main] caught ENVOY_SIGTERM" >&2; exit 0\' TERM';
    const running = start(`${caught}; ${comesUp('127.0.0.1:1')}; while :; do /bin/sleep 0.05; done`);
    await running.admin;
    expect(await running.stop()).toMatchObject({ requested: true, code: 0, signal: null });
    expect(logs.map(head)).toEqual(['info caught ENVOY_SIGTERM']);
  });

  test('kills what does not listen', async () => {
    const running = start(`trap '' TERM; ${comesUp('127.0.0.1:1')}; while :; do /bin/sleep 0.05; done`);
    await running.admin;
    expect(await running.stop(50)).toMatchObject({ requested: true, code: null, signal: 'SIGKILL' });
  });

  test('does nothing to one that has ended', async () => {
    const running = start('exit 3');
    await running.exited;
    expect(await running.stop()).toMatchObject({ requested: false, code: 3 });
  });
});

describe('an unexpected end', () => {
  test.each([
    ['exit 3', 'Envoy ended with exit code 3'],
    ['echo "[error][main] first" >&2; echo "[error][main] second" >&2; exit 1', 'Envoy ended with exit code 1: second'],
    ['kill -SEGV $$', 'Envoy was ended by SIGSEGV'],
    [
      `echo "[critical][main] error \\\`cannot bind '127.0.0.1:9901': Address already in use\\\` initializing config 'x" >&2; echo " y'" >&2; exit 1`,
      'Envoy cannot listen on 127.0.0.1:9901: another process has this port; stop it, or choose another port',
    ],
    [
      `echo "[critical][main] error \\\`cannot bind '127.0.0.1:80': Permission denied\\\` initializing" >&2; exit 1`,
      'Envoy cannot listen on 127.0.0.1:80: Permission denied` initializing',
    ],
  ])('%s: %s', async (body, reason) => {
    expect(await start(body).exited).toMatchObject({ requested: false, reason });
  });

  test('comes with the last lines only', async () => {
    const { lastLines } = await start('n=0; while [ $n -lt 50 ]; do echo "[info][main] $n" >&2; n=$((n+1)); done')
      .exited;
    expect(lastLines).toEqual(Array.from({ length: 20 }, (_, index) => String(index + 30)));
  });

  test('a program that cannot be started is an end as well', async () => {
    const gone = spawnEnvoy({
      binary: join(folder, 'gone'),
      bootstrap: {},
      workers: 1,
      onLog: (entry) => logs.push(entry),
    });
    expect(gone.pid).toBeUndefined();
    expect(await gone.admin).toBeUndefined();
    expect(await gone.exited).toMatchObject({
      code: null,
      signal: null,
      reason: expect.stringContaining(`cannot start ${folder}/gone: not found`),
    });
    expect(existsSync(join(folder, 'gone'))).toBe(false);
  });
});
