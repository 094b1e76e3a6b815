import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import { instant, pause } from '../kit/instant.ts';
import { type LoadClient, type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst, type Planned, poisson } from '../kit/load-plan.ts';
import { Pods } from '../kit/pods.ts';
import { isListening } from '../kit/ports.ts';
import { fixed } from '../kit/random.ts';
import { overLimit } from '../kit/verdict.ts';
import { ControlPlane } from './control-plane.ts';
import { CutWire } from './cut-wire.ts';
import { PODS, patience, someLoad } from './some-load.ts';

/** A Sluice that coordinates and one that follows it over a wire, each with an Envoy, and pods of limit 1 that judge. */
async function world() {
  const pods = await Pods.start({ count: PODS, network: '127.0.8' });
  onTestFinished(() => pods.stop());
  const file = (name = 'codec', limit = 1) => ({
    services: { [name]: { static: pods.addresses, limit } },
    routes: [{ match: { prefix: '/' }, service: name }],
  });
  const folder = async () => {
    const made = await mkdtemp(join(tmpdir(), 'sluice-relayed-'));
    onTestFinished(() => rm(made, { recursive: true, force: true }));
    return made;
  };
  const coordinator = await ControlPlane.start(file(), ['--state-dir', await folder()]);
  const wire = await CutWire.to(coordinator.xds.port);
  const args = ['--state-dir', await folder(), '--coordinator', `127.0.0.1:${wire.port}`];
  const follower = await ControlPlane.start(file(), args);
  const planes = [coordinator, follower] as const;
  const clients = planes.map(({ traffic }) => http1Client({ port: traffic }));
  onTestFinished(() => {
    for (const client of clients) client.close();
  });
  const envoys = [await coordinator.envoy('first'), await follower.envoy('second')] as const;
  // By turns.
  let sent = 0;
  const both: LoadClient = {
    send: (request: Planned) => (clients[sent++ % 2] as LoadClient).send(request),
    close: () => {},
  };
  const holders = async () => (await held(coordinator)).filter((slots) => slots > 0).length;
  await expect.poll(holders, patience).toBe(2);
  await expect.poll(() => answers(both, 8), patience).toEqual(Array.from({ length: 8 }, () => 200));
  // The last of those may have taken all to one side: while nobody waits the other one gets one back.
  await expect.poll(holders, patience).toBe(2);
  const [one, other] = clients as [LoadClient, LoadClient];
  return { pods, coordinator, follower, wire, envoys, both, one, other, file };
}

async function answers(client: LoadClient, count: number): Promise<readonly number[]> {
  const results = await load(client, burst(count, { name: `warm-${performance.now()}` }));
  return results.map(({ status }) => status);
}

/** How many slots each Envoy holds. */
async function held(plane: ControlPlane): Promise<readonly number[]> {
  const [service] = (await plane.status()).services;
  return service?.kind === 'limited' ? (service.shared?.held ?? []).map(({ slots }) => slots) : [];
}

/** All pods work at a time again, asked through one Envoy. */
async function usesAll({ pods, client, name }: { pods: Pods; client: LoadClient; name: string }): Promise<void> {
  expect(failed(await load(client, poisson(PODS * 3, 1000, { name, work: fixed(400) })))).toEqual([]);
  const last = (await pods.requests()).filter(({ id }) => id.startsWith(name));
  expect(new Set(last.map(({ pod }) => pod)).size).toBe(PODS);
}

const failed = (results: readonly LoadResult[]) =>
  results.filter(({ status }) => status !== 200).map(({ status, body, error }) => `${status} ${body}${error}`);

test('Envoys of two Sluices carry one service: one limit, and both work', async () => {
  const { pods, coordinator, follower, both, other } = await world();
  expect(failed(await load(both, someLoad('both', 6)))).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  const { sharing } = await coordinator.status();
  expect(sharing?.members.map(({ node, state, via }) => [node, state, via !== undefined])).toEqual([
    ['first', 'connected', false],
    ['second', 'connected', true],
  ]);
  expect((await follower.status()).follows).toMatchObject({
    state: 'connected',
    members: [{ node: 'second', state: 'connected' }],
  });
  await usesAll({ pods, client: other, name: 'all' });
}, 120_000);

test.each([
  ['the coordinator is killed, and started again', 'coordinator', 'SIGKILL'],
  ['the coordinator is frozen, and goes on', 'coordinator', 'SIGSTOP'],
  ['the Sluice that follows is killed, and started again', 'follower', 'SIGKILL'],
  ['the Sluice that follows is frozen, and goes on', 'follower', 'SIGSTOP'],
] as const)(
  '%s: each Envoy goes on with its slots, nothing is lost',
  async (_, who, signal) => {
    const all = await world();
    const { pods, both, one, other } = all;
    const run = startLoad(both, someLoad('fault', 9));
    await pause(1500);
    if (signal === 'SIGKILL') {
      await all[who].process.end('SIGKILL');
      await pause(2500);
      await all[who].restart();
    } else {
      process.kill(all[who].process.pid ?? 0, 'SIGSTOP');
      await pause(2500);
      process.kill(all[who].process.pid ?? 0, 'SIGCONT');
    }
    expect(failed(await run.results)).toEqual([]);
    expect(overLimit(await pods.requests(), 1).times).toBe(0);
    await usesAll({ pods, client: one, name: 'one' });
    await usesAll({ pods, client: other, name: 'other' });
  },
  120_000,
);

test('the way to the coordinator is cut, and that is told; nobody gets the slots of the Envoy behind it', async () => {
  const { pods, follower, coordinator, wire, both, other } = await world();
  const run = startLoad(both, someLoad('cut', 9));
  await pause(1500);
  wire.cut();
  const about = async (plane: ControlPlane) => (await plane.status()).problems.map(({ message }) => message);
  await expect.poll(() => about(follower), patience).toEqual([expect.stringMatching(/^does not answer since /)]);
  await expect
    .poll(() => about(coordinator), patience)
    .toEqual([expect.stringMatching(/^has lost its connection \(it came by /)]);
  // Both go on with their slots.
  for (const plane of [coordinator, follower]) expect(JSON.parse(await plane.get('/readyz'))).toEqual({ ready: true });
  wire.mend();
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  await usesAll({ pods, client: other, name: 'all' });
  await expect.poll(() => about(follower), patience).toEqual([]);
  await expect.poll(() => about(coordinator), patience).toEqual([]);
}, 120_000);

test('the Sluice that follows is started without --coordinator: it makes no slot, and says so, until it is told who coordinates', async () => {
  const { pods, coordinator, follower, both, other } = await world();
  const run = startLoad(both, someLoad('alone', 9));
  await pause(1000);
  await follower.restart({ without: '--coordinator' });
  await expect
    .poll(async () => (await follower.status()).problems.map(({ message }) => message), patience)
    .toEqual([
      expect.stringMatching(/^this Sluice followed the coordinator 127\.0\.0\.1:\d+, and was started without/),
    ]);
  // Its Envoy comes back, and none of what is missing there is made for it.
  await pause(4000);
  const { sharing, follows } = await follower.status();
  expect([sharing, follows?.state]).toEqual([undefined, 'away']);
  await follower.restart();
  expect(failed(await run.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  expect((await coordinator.status()).sharing?.members).toHaveLength(2);
  await usesAll({ pods, client: other, name: 'all' });
}, 120_000);

test('edits that reach the two at different times: a renamed service, a raised and a lowered limit', async () => {
  const { pods, coordinator, follower, both, file } = await world();
  const run = startLoad(both, someLoad('edits', 16));
  await pause(1000);
  await coordinator.edit(file('other'));
  await pause(2000);
  await follower.edit(file('other'));
  await pause(2000);
  await follower.edit(file('last'));
  await pause(2000);
  await coordinator.edit(file('last'));
  await pause(2000);
  const renamed = instant();
  await follower.edit(file('last', 2));
  await pause(1000);
  await coordinator.edit(file('last', 2));
  await pause(1000);
  await follower.edit(file('last', 1));
  await pause(1000);
  await coordinator.edit(file('last', 1));
  await pause(2000);
  const lowered = instant();
  expect(failed(await run.results)).toEqual([]);
  const requests = await pods.requests();
  const during = (from: number, to: number) => requests.filter(({ arrived }) => arrived >= from && arrived < to);
  expect(overLimit(during(0, renamed), 1).times).toBe(0);
  expect(overLimit(requests, 2).times).toBe(0);
  expect(overLimit(during(lowered, Number.POSITIVE_INFINITY), 1).times).toBe(0);
}, 120_000);

test('an Envoy that starts while the coordinator is away has no slot, and its requests wait for it', async () => {
  const { pods, coordinator, follower, envoys, one, other } = await world();
  await coordinator.process.end('SIGKILL');
  await envoys[1].stop();
  await follower.envoy('second');
  await expect.poll(() => isListening(follower.traffic), patience).toBe(true);
  const waiting = startLoad(other, burst(6, { name: 'waiting', work: fixed(50) }));
  // The other Envoy uses what it has meanwhile.
  expect(failed(await load(one, burst(6, { name: 'meanwhile', work: fixed(50) })))).toEqual([]);
  await pause(2000);
  const arrived = async () => (await pods.requests()).filter(({ id }) => id.startsWith('waiting')).length;
  expect(await arrived()).toBe(0);
  await coordinator.restart();
  expect(failed(await waiting.results)).toEqual([]);
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  await usesAll({ pods, client: other, name: 'all' });
}, 120_000);

test('routes that stay different: who waits for a service that the coordinator lacks is served, and so is everybody else', async () => {
  const { pods, coordinator, follower, both, one, other, file } = await world();
  await coordinator.edit(file('other'));
  const services = async (plane: ControlPlane) =>
    (await plane.status()).problems.filter(({ subject }) => subject === 'service codec').length;
  await expect.poll(() => services(coordinator), patience).toBe(1);
  await expect.poll(() => services(follower), patience).toBe(1);
  expect(failed(await load(both, someLoad('both', 5)))).toEqual([]);
  await usesAll({ pods, client: one, name: 'one' });
  await usesAll({ pods, client: other, name: 'other' });
  expect(overLimit(await pods.requests(), 1).times).toBe(0);
  await follower.edit(file('other'));
  await expect.poll(() => services(coordinator), patience).toBe(0);
  await expect.poll(() => services(follower), patience).toBe(0);
}, 120_000);
