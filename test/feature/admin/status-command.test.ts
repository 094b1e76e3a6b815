import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { startAdmin } from '../../../src/admin/server.ts';
import { describeStatus } from '../../../src/status/describe.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import type { Status } from '../../../src/status/status.ts';
import { exampleInput, noRoutes, noTelemetry } from '../../unit/status/example.ts';

vi.setConfig({ testTimeout: 30_000 });

const PROGRAM = fileURLToPath(new URL('./status-program.ts', import.meta.url));
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  const { FORCE_COLOR: _, NO_COLOR: __, ...rest } = process.env;
  const child = spawn(process.execPath, [PROGRAM, 'status', ...args], { env: { ...rest, ...env } });
  cleanups.push(() => child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, out, err }));
  return { child, out: () => out, ended };
}

async function admin(status: () => Status): Promise<string> {
  const started = await startAdmin({
    address: { host: '127.0.0.1', port: 0 },
    status,
    metrics: new Metrics({ version: '1', telemetry: noTelemetry() }),
    ready: () => ({ ready: true }),
    history: () => [],
    explain: noRoutes,
  });
  if (!started.ok) throw new Error(started.errors.join());
  cleanups.push(() => started.value.stop());
  return `http://127.0.0.1:${started.value.address.port}`;
}

const good = () => describeStatus(exampleInput());

test('a plain table in a pipe', async () => {
  const { code, out, err } = await run(['--admin', await admin(good)]).ended;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^Sluice 1\.2\.3, up 5h\n/);
  expect(out).toMatch(/^codec +2 +2\/3 ready +/m);
  expect(out).not.toContain('\u001b');
});

test('colours where they are asked for, unless NO_COLOR is set', async () => {
  const url = await admin(good);
  expect((await run(['--admin', url], { FORCE_COLOR: '1' }).ended).out).toContain('\u001b[32min sync');
  expect((await run(['--admin', url], { NO_COLOR: '1' }).ended).out).not.toContain('\u001b');
});

test('--json is the whole document', async () => {
  const { code, out } = await run(['--admin', await admin(good), '--json']).ended;
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual(good());
});

test('nobody there: exit 1, and how to start one', async () => {
  const closed = createServer();
  closed.listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const address = closed.address();
  const port = typeof address === 'object' ? address?.port : 0;
  await new Promise((resolve) => closed.close(resolve));
  const { code, out, err } = await run(['--admin', `127.0.0.1:${port}`]).ended;
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain(`Cannot reach Sluice at http://127.0.0.1:${port}: connection refused.`);
  expect(err).toContain('sluice run');
  expect(err).toContain('--admin URL');
});

test.each([
  [200, 'no json'],
  [200, '{"version": 1}'],
  [404, '{}'],
])('somebody else there (%d %s): exit 1', async (status, body) => {
  const other = createServer((_, response) => response.writeHead(status).end(body));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  cleanups.push(() => new Promise((resolve) => other.close(resolve)));
  const address = other.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const { code, err } = await run(['--admin', `127.0.0.1:${port}`]).ended;
  expect(code).toBe(1);
  expect(err).toContain(`http://127.0.0.1:${port} is not Sluice`);
});

test('a bad URL is refused with a good one', async () => {
  const { code, err } = await run(['--admin', 'https://x']).ended;
  expect(code).not.toBe(0);
  expect(err).toContain('Write one like http://127.0.0.1:18001.');
});

test('--watch --json writes a document a line, follows changes, survives a pause, and ends with Ctrl-C', async () => {
  let version = 'one';
  const url = await admin(() => {
    if (version === '') throw new Error('pause');
    return { ...good(), version };
  });
  const { child, out, ended } = run(['--admin', url, '--json', '--watch']);
  const versions = () =>
    out()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).version);
  await vi.waitFor(() => expect(versions()).toContain('one'), 20_000);
  version = '';
  await new Promise((resolve) => child.stderr?.once('data', resolve));
  version = 'two';
  await vi.waitFor(() => expect(versions()).toContain('two'), 20_000);
  child.kill('SIGINT');
  expect((await ended).code).toBe(0);
});

test('--watch ends when its reader has had enough', async () => {
  const { child, out, ended } = run(['--admin', await admin(good), '--watch']);
  await vi.waitFor(() => expect(out()).toContain('edge-1'), 20_000);
  child.stdout?.destroy();
  expect((await ended).code).toBe(0);
});
