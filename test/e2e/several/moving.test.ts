import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { pause } from '../kit/instant.ts';
import { type LoadClient, type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst, type Planned, poisson } from '../kit/load-plan.ts';
import { Pods } from '../kit/pods.ts';
import { freePorts } from '../kit/ports.ts';
import { fixed } from '../kit/random.ts';
import { routeFileText } from '../kit/sluice.ts';
import { overLimit } from '../kit/verdict.ts';
import { ControlPlane } from './control-plane.ts';
import { CutWire } from './cut-wire.ts';
import { PODS, patience, someLoad } from './some-load.ts';

/**
 * A Sluice that coordinates and one that follows it, both with the same routes, as behind one name. One Envoy stays at each, and a third one, with two workers, comes to
 * either by a wire that can be turned. All three listen at one place, and pods of limit 1 judge.
 */
async function world(more: readonly string[] = []) {
  const pods = await Pods.start({ count: PODS, network: '127.0.9' });
  onTestFinished(() => pods.stop());
  const [traffic = 0] = await freePorts(1);
  const routes = (addresses: readonly string[]) =>
    routeFileText(
      {
        services: { codec: { static: addresses, limit: 1 } },
        routes: [{ match: { prefix: '/' }, service: 'codec' }],
      },
      traffic,
    );
  const folder = await mkdtemp(join(tmpdir(), 'sluice-moving-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const coordinator = await ControlPlane.start(routes(pods.addresses), [
    '--state-dir',
    join(folder, 'coordinator'),
    ...more,
  ]);
  const follower = await ControlPlane.start(routes(pods.addresses), [
    ...['--state-dir', join(folder, 'follower')],
    ...['--coordinator', `127.0.0.1:${coordinator.xds.port}`],
  ]);
  const wire = await CutWire.to(coordinator.xds.port);
  const others = [await coordinator.envoy('first'), await follower.envoy('second')] as const;
  const mover = await coordinator.envoy('mover', { xds: { kind: 'tcp', host: '127.0.0.1', port: wire.port } }, 2);
  await expect.poll(async () => (await held(coordinator)).size, patience).toBe(3);
  const all = kernelClient(traffic);
  await expect.poll(() => answers(all, 12), patience).toEqual(Array.from({ length: 12 }, () => 200));
  return { pods, coordinator, follower, wire, mover, others, all, traffic, routes };
}

/** A connection for each request: the kernel spreads them over the Envoys. */
function kernelClient(port: number): LoadClient {
  const client = http1Client({ port });
  onTestFinished(() => client.close());
  return { send: (request: Planned) => client.send(request), close: () => {} };
}

async function answers(client: LoadClient, count: number): Promise<readonly number[]> {
  const results = await load(client, burst(count, { name: `warm-${performance.now()}` }));
  return results.map(({ status }) => status);
}

/** How many slots each Envoy holds, those that hold some. */
async function held(plane: ControlPlane): Promise<ReadonlyMap<string, number>> {
  const [service] = (await plane.status()).services;
  const all = service?.kind === 'limited' ? (service.shared?.held ?? []) : [];
  return new Map(all.flatMap(({ node, slots }) => (slots > 0 ? [[node, slots]] : [])));
}

/** By which Sluice each Envoy has come, as the coordinator has it: its own, or another one. */
async function ways(plane: ControlPlane): Promise<readonly string[]> {
  const members = (await plane.status()).sharing?.members ?? [];
  const all = members.map(({ node, state, via }) => `${node} ${state} ${via === undefined ? 'here' : 'there'}`);
  // One of several workers says no more.
  return [...new Set(all)].sort();
}

/** The Envoys that are connected to a Sluice by xDS. */
async function nodes(plane: ControlPlane): Promise<readonly string[]> {
  return (await plane.status()).nodes.map(({ id }) => id).sort();
}

async function started(envoy: TestEnvoy): Promise<number> {
  const name = 'wasmcustom.sluice_queue_started.codec';
  const stats = await envoy.admin.stats({ filter: name });
  return stats.ok ? (stats.value.get(name) ?? 0) : 0;
}

/** All pods work at a time again. */
async function usesAll(pods: Pods, client: LoadClient, name: string): Promise<void> {
  expect(failed(await load(client, poisson(PODS * 3, 1000, { name, work: fixed(400) })))).toEqual([]);
  const last = (await pods.requests()).filter(({ id }) => id.startsWith(name));
  expect(new Set(last.map(({ pod }) => pod)).size).toBe(PODS);
}

const failed = (results: readonly LoadResult[]) =>
  results.filter(({ status }) => status !== 200).map(({ status, body, error }) => `${status} ${body}${error}`);

test('an Envoy moves from the coordinator to the Sluice that follows, and back, under load', async () => {
  const { pods, coordinator, follower, wire, mover, all } = await world();
  const run = startLoad(all, someLoad('moves', 16));
  for (const [to, from, way] of [
    [follower, coordinator, 'there'],
    [coordinator, follower, 'here'],
    [follower, coordinator, 'there'],
  ] as const) {
    await pause(1500);
    wire.turn(to.xds.port);
    await expect
      .poll(async () => (await ways(coordinator)).filter((each) => each.startsWith('mover')), patience)
      .toEqual([`mover connected ${way}`]);
    await expect.poll(() => nodes(to), patience).toContain('mover');
    expect(await nodes(from)).not.toContain('mover');
    const before = await started(mover);
    await expect.poll(() => started(mover), patience).toBeGreaterThan(before);
  }
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  expect(await ways(coordinator)).toEqual(['first connected here', 'mover connected there', 'second connected there']);
  await usesAll(pods, all, 'all');
  for (const plane of [coordinator, follower])
    expect((await plane.status()).problems.map(({ subject, message }) => `${subject} ${message}`)).toEqual([]);
}, 120_000);

test.each([
  ['the Sluice that follows ends, and its Envoy comes to the coordinator', 'follower'],
  ['the coordinator is started again, and its Envoy has gone to the Sluice that follows', 'coordinator'],
] as const)(
  '%s: nothing is lost',
  async (_, who) => {
    const { pods, coordinator, follower, wire, mover, all } = await world();
    const planes = { coordinator, follower };
    const other = who === 'follower' ? coordinator : follower;
    wire.turn(planes[who].xds.port);
    await expect.poll(() => nodes(planes[who]), patience).toContain('mover');
    const run = startLoad(all, someLoad('ends', 12));
    await pause(1500);
    await planes[who].process.end('SIGKILL');
    wire.turn(other.xds.port);
    await expect.poll(() => nodes(other), patience).toContain('mover');
    await pause(1500);
    await planes[who].restart();
    await expect
      .poll(() => ways(coordinator), patience)
      .toEqual([
        'first connected here',
        `mover connected ${who === 'follower' ? 'here' : 'there'}`,
        'second connected there',
      ]);
    const before = await started(mover);
    await expect.poll(() => started(mover), patience).toBeGreaterThan(before);
    expect(failed(await run.results)).toEqual([]);
    expect(overLimit(await pods.requests(), 1).times).toBe(0);
    await usesAll(pods, all, 'all');
  },
  120_000,
);

test('behind one name for both Sluices each connection of an Envoy comes to either, and both soon to the same: it hears of edits', async () => {
  const { pods, coordinator, follower, wire, others, all, traffic, routes } = await world(['--slots-reclaim', '2s']);
  for (const plane of [coordinator, follower]) await plane.edit(routes(pods.addresses.slice(1)));
  const slots = async () => [...(await held(coordinator)).values()].reduce((sum, count) => sum + count, 0);
  await expect.poll(slots, patience).toBe(PODS - 1);
  const run = startLoad(all, someLoad('split', 18));
  await pause(1500);
  wire.turn(coordinator.xds.port, follower.xds.port);
  // Its configuration comes from the one to which its first connection went, and its filter is not to stay at the other one.
  await pause(1500);
  const isWhole = async () => {
    const at = await nodes(coordinator);
    const own = (await ways(coordinator)).filter((each) => each.startsWith('mover'));
    return own.join() === `mover connected ${at.includes('mover') ? 'here' : 'there'}`;
  };
  await expect.poll(isWhole, { ...patience, interval: 200 }).toBe(true);
  for (const plane of [coordinator, follower]) await plane.edit(routes(pods.addresses));
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  // All slots go to it, so it has to know all pods.
  for (const envoy of others) await envoy.stop();
  await expect.poll(() => held(coordinator), patience).toEqual(new Map([['mover', PODS]]));
  await usesAll(pods, kernelClient(traffic), 'all');
}, 120_000);
