import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { instant, pause } from '../kit/instant.ts';
import { type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst, poisson } from '../kit/load-plan.ts';
import { Pods } from '../kit/pods.ts';
import { fixed } from '../kit/random.ts';
import { overLimit } from '../kit/verdict.ts';
import { ControlPlane } from './control-plane.ts';
import { CutWire } from './cut-wire.ts';
import { PODS, patience, someLoad } from './some-load.ts';

/** Of each Envoy: each of them has slots of its own. */
const WORKERS = 2;

/** Sluice, two Envoys that carry the same service on the same port, and pods of limit 1 that judge. */
async function world(more: readonly string[] = [], workers = WORKERS) {
  const pods = await Pods.start({ count: PODS, network: '127.0.7' });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-shared-'));
  onTestFinished(async () => {
    await pods.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const file = (name: string, limit = 1) => ({
    services: { [name]: { static: pods.addresses, limit } },
    routes: [{ match: { prefix: '/' }, service: name }],
  });
  const plane = await ControlPlane.start(file('codec'), ['--state-dir', folder, ...more]);
  const client = http1Client({ port: plane.traffic });
  onTestFinished(() => client.close());
  const envoys = [await plane.envoy('first', {}, workers), await plane.envoy('second', {}, workers)] as const;
  // Nobody is left without one where there are enough.
  await expect.poll(async () => (await held(plane)).filter((slots) => slots > 0).length, patience).toBe(2);
  const statuses = async () =>
    (await load(client, burst(8, { name: `warm-${performance.now()}` }))).map(({ status }) => status);
  await expect.poll(statuses, patience).toEqual(Array.from({ length: 8 }, () => 200));
  return { pods, plane, client, envoys, file };
}

/** How many slots an Envoy has started requests in. */
async function started(envoy: TestEnvoy): Promise<number> {
  const name = 'wasmcustom.sluice_queue_started.codec';
  const stats = await envoy.admin.stats({ filter: name });
  return stats.ok ? (stats.value.get(name) ?? 0) : 0;
}

async function startedAt(envoys: readonly TestEnvoy[]): Promise<number> {
  const counts = await Promise.all(envoys.map(started));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** How many slots each Envoy holds. */
async function held(plane: ControlPlane): Promise<readonly number[]> {
  const [service] = (await plane.status()).services;
  return service?.kind === 'limited' ? (service.shared?.held ?? []).map(({ slots }) => slots) : [];
}

async function members(plane: ControlPlane): Promise<readonly string[]> {
  return ((await plane.status()).sharing?.members ?? []).map(({ state }) => state);
}

const failed = (results: readonly LoadResult[]) => results.filter(({ status }) => status !== 200);

test('two Envoys carry one service: one limit, and both work', async () => {
  const { pods, client, envoys } = await world();
  const results = await load(client, someLoad('both', 6));
  expect(failed(results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  // The kernel spreads connections over them as it likes.
  for (const envoy of envoys) await expect.poll(() => started(envoy), patience).toBeGreaterThan(0);
}, 120_000);

test('an Envoy is killed and started again: only its own clients notice, and its slots come back', async () => {
  const { pods, plane, client, envoys } = await world();
  const run = startLoad(client, someLoad('killed', 8));
  await pause(1500);
  const killedAt = instant();
  process.kill(envoys[0].pid, 'SIGKILL');
  await envoys[0].exited;
  await pause(3000);
  await plane.envoy('first', {}, WORKERS);
  const results = await run.results;
  const others = failed(results).filter(({ ended, status }) => status !== 0 || ended - killedAt > 1000);
  expect(others.map(({ status, body, error }) => `${status} ${body}${error}`)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  // All slots are in use again.
  const all = await load(client, poisson(PODS * 3, 1000, { name: 'all', work: fixed(400) }));
  expect(failed(all)).toEqual([]);
  const last = (await pods.requests()).filter(({ id }) => id.startsWith('all'));
  expect(new Set(last.map(({ pod }) => pod)).size).toBe(PODS);
}, 120_000);

test('an Envoy is frozen and goes on: nobody gets its slots, and nothing is lost', async () => {
  const { pods, client, envoys } = await world();
  const run = startLoad(client, someLoad('frozen', 8));
  await pause(1500);
  process.kill(envoys[0].pid, 'SIGSTOP');
  await pause(4000);
  process.kill(envoys[0].pid, 'SIGCONT');
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
}, 120_000);

test('Sluice is killed and started again: each Envoy goes on with its slots, nothing is lost', async () => {
  const { pods, plane, client, envoys } = await world();
  const run = startLoad(client, someLoad('restart', 9));
  await pause(1500);
  await plane.process.end('SIGKILL');
  await pause(500);
  const before = await startedAt(envoys);
  await pause(2000);
  expect(await startedAt(envoys)).toBeGreaterThan(before);
  await plane.restart();
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
}, 120_000);

test('edits under load: a renamed service and a raised limit hold over both Envoys', async () => {
  const { pods, plane, client, file } = await world();
  const run = startLoad(client, someLoad('edits', 10));
  await pause(1500);
  await plane.edit(file('other'));
  await pause(3000);
  const renamed = (await pods.requests()).length;
  await plane.edit(file('other', 2));
  await pause(2000);
  await plane.edit(file('other', 1));
  await pause(2000);
  const lowered = instant();
  expect(failed(await run.results)).toEqual([]);
  const requests = await pods.requests();
  expect(overLimit(requests.slice(0, renamed), 1).times).toBe(0);
  expect(overLimit(requests, 2).times).toBe(0);
  expect(
    overLimit(
      requests.filter(({ arrived }) => arrived > lowered),
      1,
    ).times,
  ).toBe(0);
}, 120_000);

test('an Envoy is cut off from Sluice: it goes on with its slots, and nobody else gets them', async () => {
  // There is a slot for each of them.
  const { pods, plane, client } = await world([], 1);
  const wire = await CutWire.to(plane.xds.port);
  await plane.envoy('third', { xds: { kind: 'tcp', host: '127.0.0.1', port: wire.port } });
  await expect.poll(() => members(plane), patience).toEqual(['connected', 'connected', 'connected']);
  await expect.poll(async () => (await held(plane)).filter((slots) => slots > 0).length, patience).toBe(3);
  const run = startLoad(client, someLoad('cut', 10));
  await pause(1500);
  wire.cut();
  await pause(3000);
  wire.mend();
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
}, 120_000);

test('slots of an Envoy that does not come back are missing, until they are reclaimed if that was asked for', async () => {
  const { pods, plane, client, envoys } = await world(['--slots-reclaim', '12s']);
  process.kill(envoys[0].pid, 'SIGKILL');
  const lost = /^Envoy first has lost its connection, and may still use its pods: /;
  await expect.poll(() => plane.problems(), patience).toEqual([expect.stringMatching(lost)]);
  await expect.poll(() => plane.problems(), patience).toEqual([]);
  const results = await load(client, poisson(PODS * 3, 1000, { name: 'all', work: fixed(300) }));
  expect(failed(results)).toEqual([]);
  const requests = (await pods.requests()).filter(({ id }) => id.startsWith('all'));
  expect(new Set(requests.map(({ pod }) => pod)).size).toBe(PODS);
  expect(overLimit(requests, 1).times).toBe(0);
}, 120_000);
