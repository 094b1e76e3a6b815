import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import { pause } from '../kit/instant.ts';
import { load, startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { Pods } from '../kit/pods.ts';
import { fixed } from '../kit/random.ts';
import { ControlPlane } from './control-plane.ts';
import { CutWire } from './cut-wire.ts';
import { CODEC } from './routes.ts';
import { patience } from './some-load.ts';

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'sluice-linked-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** A Sluice that coordinates and one that follows it over a wire, and what both need for Envoys. */
async function world() {
  const pods = await Pods.start({ count: 2, network: '127.0.10' });
  onTestFinished(() => pods.stop());
  const routes = {
    services: { codec: { static: pods.addresses, limit: 1 } },
    routes: [{ match: { prefix: '/' }, service: 'codec' }],
  };
  const coordinator = await ControlPlane.start(routes, ['--state-dir', await folder(), '--name', 'first']);
  const wire = await CutWire.to(coordinator.xds.port);
  const args = ['--state-dir', await folder(), '--coordinator', `127.0.0.1:${wire.port}`];
  const follower = await ControlPlane.start(routes, args);
  return { pods, coordinator, follower, wire };
}

/** What both have of orders, in words. */
async function ordersOf(...planes: readonly ControlPlane[]): Promise<readonly (readonly string[])[]> {
  const all = await Promise.all(planes.map((plane) => plane.status()));
  return all.map(({ orders }) => orders.map((one) => `${one.kind} ${one.kind === 'paused' ? one.service : one.pod}`));
}

async function sharedOf(plane: ControlPlane) {
  const [service] = (await plane.status()).services;
  return service?.kind === 'limited' ? service.shared : undefined;
}

test('a Sluice that follows tries its coordinator before any Envoy is there, and says what is wrong', async () => {
  const { coordinator, follower, wire } = await world();
  const connected = async () => (await follower.get('/metrics')).match(/^sluice_coordinator_connected (\d)$/m)?.[1];
  await expect.poll(connected, patience).toBe('1');
  expect((await follower.status()).follows).toMatchObject({ name: 'first', state: 'connected' });
  wire.cut();
  await expect.poll(connected, patience).toBe('0');
  const problems = async () => (await follower.status()).problems.map(({ message }) => message);
  await expect.poll(problems, patience).toEqual([expect.stringMatching(/^does not answer since /)]);
  wire.mend();
  await expect.poll(problems, patience).toEqual([]);
  expect(await connected()).toBe('1');
  // Nothing is shared while it has no Envoy.
  expect((await coordinator.status()).sharing).toBeUndefined();
}, 60_000);

test('one whose coordinator is another follower is told so before any Envoy is there', async () => {
  const { follower } = await world();
  const astray = await ControlPlane.start(CODEC, ['--coordinator', `127.0.0.1:${follower.xds.port}`]);
  const problems = async () => (await astray.status()).problems.map(({ message }) => message);
  await expect
    .poll(problems, patience)
    .toEqual([
      expect.stringMatching(/^does not exchange orders with this Sluice: this Sluice does not coordinate, it follows /),
    ]);
}, 60_000);

test('an order to one of two Sluices holds for both, also one that was given while the other was away', async () => {
  const { pods, coordinator, follower, wire } = await world();
  await coordinator.envoy('first');
  await follower.envoy('second');
  const both = [coordinator, follower] as const;
  const [one, other] = both.map(({ traffic }) => {
    const client = http1Client({ port: traffic });
    onTestFinished(() => client.close());
    return client;
  });
  if (one === undefined || other === undefined) throw new Error('there are two');
  const works = async () =>
    (await Promise.all([one, other].map((client) => load(client, burst(2, { name: `warm-${performance.now()}` })))))
      .flat()
      .every(({ status }) => status === 200);
  await expect.poll(works, patience).toBe(true);
  // Who holds what, as the coordinator counts it.
  await expect
    .poll(async () => (await sharedOf(follower))?.held.map(({ node }) => node), patience)
    .toEqual(['first', 'second']);
  expect(await follower.command('status', 'codec')).toMatch(/^held by +first \d, second \d$/m);
  expect(await follower.command('pause', 'codec')).toContain('It holds for the Envoys of all Sluices that share.');
  await expect.poll(() => ordersOf(...both), patience).toEqual([['paused codec'], ['paused codec']]);
  await pause(500);
  const waiting = [one, other].map((client, at) =>
    startLoad(client, burst(2, { name: `paused-${at}`, work: fixed(20) })),
  );
  await pause(1000);
  expect((await pods.requests()).filter(({ id }) => id.startsWith('paused'))).toEqual([]);
  expect(await coordinator.command('resume', 'codec')).toContain('It holds for the Envoys of all Sluices that share.');
  for (const run of waiting) expect((await run.results).map(({ status }) => status)).toEqual([200, 200]);
  expect(await ordersOf(...both)).toEqual([[], []]);
  wire.cut();
  await expect.poll(async () => (await follower.status()).follows?.state, patience).toBe('away');
  const [pod = ''] = pods.addresses;
  expect(await follower.command('drain', pod)).toContain(
    'it holds for the Envoys of this Sluice alone until that is back',
  );
  expect(await ordersOf(...both)).toEqual([[], [`drained ${pod}`]]);
  wire.mend();
  await expect.poll(() => ordersOf(...both), patience).toEqual([[`drained ${pod}`], [`drained ${pod}`]]);
  // Who starts without a word of it is told.
  await coordinator.command('undrain', pod);
  await follower.restart();
  await expect.poll(() => ordersOf(...both), patience).toEqual([[], []]);
}, 120_000);

test('two Sluices on one machine are told apart, wherever they are named', async () => {
  const { coordinator, follower } = await world();
  await coordinator.envoy('first');
  await follower.envoy('second');
  const via = async () => (await coordinator.status()).sharing?.members.find(({ node }) => node === 'second')?.via;
  await expect.poll(via, patience).toMatch(new RegExp(`^.+:${follower.xds.port}$`));
  expect(await coordinator.command('status')).toMatch(new RegExp(`^second +connected +.+:${follower.xds.port}$`, 'm'));
  expect(await follower.command('status')).toMatch(/follows 127\.0\.0\.1:\d+ \(first\), connected/);
}, 60_000);
