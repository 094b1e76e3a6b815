import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import { type SupervisedEnvoy, superviseEnvoy } from '../../../../src/envoy/process/supervise.ts';
import { comesUp, writeScript } from '../binary/fake-programs.ts';

let folder: string;
let clock: FakeClock;
let restarts: { readonly reason: string; readonly delayMs: number }[];
let envoy: SupervisedEnvoy | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-supervise-'));
  clock = new FakeClock();
  restarts = [];
});
afterEach(async () => {
  await envoy?.stop(0);
  rmSync(folder, { recursive: true });
});

function supervise(body: string): SupervisedEnvoy {
  envoy = superviseEnvoy({
    binary: writeScript(folder, 'envoy', `echo run >> ${folder}/runs; ${body}`),
    bootstrap: {},
    onLog: () => {},
    onRestart: ({ reason }, delayMs) => restarts.push({ reason, delayMs }),
    stdout: 'ignore',
    workers: 1,
    clock,
  });
  return envoy;
}

const runs = () => readFileSync(join(folder, 'runs'), 'utf8').split('\n').length - 1;

async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('one that never came up is not started again', async () => {
  const { up } = supervise('echo "[error][main] bad" >&2; exit 1');
  expect(await up).toEqual({ ok: false, errors: ['Envoy ended with exit code 1: bad'] });
  await clock.advance(60_000);
  expect(runs()).toBe(1);
  expect(restarts).toEqual([]);
});

test('one that was up is started again, with growing pauses up to 10 s', async () => {
  const { up } = supervise(`${comesUp('127.0.0.1:7')}; /bin/sleep 0.1; exit 9`);
  expect(await up).toEqual({ ok: true, value: { host: '127.0.0.1', port: 7 } });
  const delays = [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000];
  for (const [index, delayMs] of delays.entries()) {
    await until(() => restarts.length === index + 1);
    expect(restarts[index]).toEqual({ reason: 'Envoy ended with exit code 9', delayMs });
    await clock.advance(delayMs - 1);
    expect(runs()).toBe(index + 1);
    await clock.advance(1);
    await until(() => runs() === index + 2);
  }
});

test('one that ran for a minute gets the first pause again', async () => {
  const wait = `while [ ! -e ${folder}/go ]; do /bin/sleep 0.02; done; /bin/rm ${folder}/go; exit 9`;
  const { up } = supervise(`${comesUp('127.0.0.1:7')}; ${wait}`);
  await up;
  for (const [index, ranMs] of [0, 0, 60_000].entries()) {
    await until(() => runs() === index + 1);
    await clock.advance(ranMs);
    writeScript(folder, 'go', '');
    await until(() => restarts.length === index + 1);
    await clock.advance(restarts[index]?.delayMs ?? 0);
  }
  expect(restarts.map(({ delayMs }) => delayMs)).toEqual([250, 500, 250]);
});

test('stop ends it for good', async () => {
  const supervised = supervise(`${comesUp('127.0.0.1:7')}; exec /bin/sleep 600`);
  await supervised.up;
  expect(supervised.pid()).toBeGreaterThan(0);
  await supervised.stop();
  expect(supervised.pid()).toBeUndefined();
  await clock.advance(60_000);
  expect(runs()).toBe(1);
  expect(restarts).toEqual([]);
});

test('stop works while it waits to start again, too', async () => {
  const supervised = supervise(`${comesUp('127.0.0.1:7')}; /bin/sleep 0.1; exit 9`);
  await until(() => restarts.length === 1);
  await supervised.stop();
  await clock.advance(60_000);
  expect(runs()).toBe(1);
});
