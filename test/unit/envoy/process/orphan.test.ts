import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { guardAgainstOrphan } from '../../../../src/envoy/process/orphan.ts';
import { isRunning } from '../../../e2e/kit/is-running.ts';

const started: ChildProcess[] = [];
const guarded: number[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  for (const pid of guarded.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
});

async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Starts a process that starts `script` guarded, and gives both. */
async function parentOf(script: string): Promise<{ readonly parent: ChildProcess; readonly pid: number }> {
  const program = `
    import { spawn } from 'node:child_process';
    import { guardAgainstOrphan } from ${JSON.stringify(new URL('../../../../src/envoy/process/orphan.ts', import.meta.url).href)};
    const child = spawn('sh', ['-c', ${JSON.stringify(script)}], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.once('data', () => {
      guardAgainstOrphan(child.pid, () => {});
      console.log(child.pid);
    });`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(parent);
  const [line] = await once(createInterface({ input: parent.stdout }), 'line');
  guarded.push(Number(line));
  return { parent, pid: Number(line) };
}

test('a child does not outlive a parent that was killed', { timeout: 30_000 }, async () => {
  const { parent, pid } = await parentOf('echo up; exec sleep 600');
  expect(isRunning(pid)).toBe(true);
  parent.kill('SIGKILL');
  await until(() => !isRunning(pid));
});

test('nor does one that ignores SIGTERM', { timeout: 40_000 }, async () => {
  const { parent, pid } = await parentOf("trap '' TERM; echo up; while :; do sleep 1; done");
  parent.kill('SIGKILL');
  await until(() => !isRunning(pid));
});

test('a released guard does nothing, and neither holds up our end', async () => {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  started.push(child);
  const before = process.getActiveResourcesInfo().length;
  const release = guardAgainstOrphan(child.pid ?? 0, () => {});
  release();
  await until(() => process.getActiveResourcesInfo().length <= before);
  expect(child.exitCode).toBeNull();
  expect(child.signalCode).toBeNull();
});

test('without sh it says so', async () => {
  const path = process.env['PATH'];
  const messages: string[] = [];
  process.env['PATH'] = '/nowhere';
  try {
    guardAgainstOrphan(1, ({ level, message }) => messages.push(`${level} ${message}`));
  } finally {
    process.env['PATH'] = path;
  }
  await until(() => messages.length > 0);
  expect(messages[0]).toMatch(/^warn no sh .*its Envoy goes on$/);
});
