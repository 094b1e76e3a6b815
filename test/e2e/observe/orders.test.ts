import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { HeldPod, SluiceRun } from './sluice-run.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const ROUTES = [{ match: { prefix: '/' }, service: 'codec' }];

/** What a command prints; as `kim@test`. */
async function sluice(run: SluiceRun, ...args: readonly string[]): Promise<string> {
  const env = { ...process.env, SLUICE_BY: 'kim@test' };
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args, '--admin', run.admin], { env });
  return stdout;
}

async function stateFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-orders-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The same order as the command line gives it, without the second that a command takes to start. */
async function give(run: SluiceRun, order: string): Promise<void> {
  const headers = { 'x-sluice-order': '1', 'x-sluice-by': 'kim@test' };
  const { status } = await fetch(`${run.admin}/${order}`, { method: 'POST', headers });
  expect([order, status]).toEqual([order, 200]);
}

test('a paused service: everything waits until it is resumed; who waits is listed, and one is cancelled', async () => {
  const pod = await HeldPod.start();
  pod.open();
  const run = await SluiceRun.start({ codec: { static: [pod.address], limit: 1 } }, ROUTES);
  expect(await run.send()).toBe(200);
  expect(await sluice(run, 'pause', 'codec')).toContain('codec is paused');
  await run.until('no slot', ({ slots, paused }) => slots === 0 && paused?.by === 'kim@test');
  const waits = run.send('/film?secret=1');
  await run.until('one waiting', ({ waiting }) => waiting === 1);
  const cancelled = run.send('/second');
  await run.until('two waiting', ({ waiting }) => waiting === 2);
  const { requests } = JSON.parse(await sluice(run, 'queue', 'codec', '--json'));
  expect(requests).toMatchObject([
    { method: 'GET', path: '/film' },
    { method: 'GET', path: '/second' },
  ]);
  expect(await sluice(run, 'queue', 'codec', '--cancel', requests[1].requestId)).toContain('GET /second');
  expect(await cancelled).toBe(503);
  await give(run, 'resume?service=codec');
  expect(await waits).toBe(200);
});

test('an order outlives a restart of Sluice', async () => {
  const pod = await HeldPod.start();
  pod.open();
  const env = { SLUICE_STATE_DIR: await stateFolder() };
  const run = await SluiceRun.start({ codec: { static: [pod.address], limit: 1 } }, ROUTES, env);
  await give(run, 'pause?service=codec');
  const again = await run.restart();
  const late = again.send();
  await again.until('it to wait', ({ waiting, inUse }) => waiting === 1 && inUse === 0);
  expect((await again.status()).orders).toMatchObject([{ kind: 'paused', service: 'codec', by: 'kim@test' }]);
  await give(again, 'resume?service=codec');
  expect(await late).toBe(200);
});

test('a drained pod finishes what it has and gets nothing more, until it is taken back', async () => {
  const [first, second] = [await HeldPod.start(), await HeldPod.start()];
  const run = await SluiceRun.start({ codec: { static: [first.address, second.address], limit: 1 } }, ROUTES);
  const sent = [run.send(), run.send()];
  await run.until('both in use', ({ inUse }) => inUse === 2);
  expect(await sluice(run, 'drain', first.address)).toContain('finishes what it has');
  await run.until(
    'one slot',
    ({ slots, pods }) =>
      slots === 1 &&
      pods.some(
        ({ address, state, drained }) =>
          address === first.address && state === 'draining' && drained?.by === 'kim@test',
      ),
  );
  first.answerOne();
  await run.until('its request to end', ({ inUse }) => inUse === 1);
  second.open();
  expect(await Promise.all(sent)).toEqual([200, 200]);
  // All on the other pod: the drained one answers nobody before it is told to.
  expect(await Promise.all(Array.from({ length: 8 }, () => run.send()))).toEqual(Array(8).fill(200));
  await give(run, `undrain?pod=${first.address}`);
  await run.until('two slots', ({ slots }) => slots === 2);
  const { events } = await run.status();
  expect(events.filter(({ kind }) => kind === 'command').map(({ message }) => message)).toEqual([
    'gets requests again, ordered by kim@test',
    'drained by kim@test',
  ]);
});
