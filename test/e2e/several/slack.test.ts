import { expect, onTestFinished, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { pause } from '../kit/instant.ts';
import type { LoadClient } from '../kit/load.ts';
import { Pods } from '../kit/pods.ts';
import { overLimit } from '../kit/verdict.ts';
import { ControlPlane } from './control-plane.ts';

const WORK_MS = 600;
const LATER_MS = 150;
const patience = { timeout: 20_000, interval: 50 };

async function started(envoy: TestEnvoy): Promise<number> {
  const name = 'wasmcustom.sluice_queue_started.codec';
  const stats = await envoy.admin.stats({ filter: name });
  return stats.ok ? (stats.value.get(name) ?? 0) : 0;
}

/** One pod with one slot, two Envoys, and clients whose one connection each is to a certain Envoy: the kernel chooses it. */
async function world(slack: string | undefined) {
  const pods = await Pods.start({ count: 1, network: '127.0.8', workMs: 10 });
  onTestFinished(() => pods.stop());
  const queue = slack === undefined ? {} : { queue: { slack } };
  const routes = (more: object) => ({
    services: { codec: { static: pods.addresses, limit: 1, ...more } },
    routes: [{ match: { prefix: '/' }, service: 'codec' }],
  });
  const plane = await ControlPlane.start(routes(queue));
  const envoys = [await plane.envoy('first'), await plane.envoy('second')] as const;
  const states = async () => ((await plane.status()).sharing?.members ?? []).map(({ state }) => state);
  await expect.poll(states, patience).toEqual(['connected', 'connected']);
  const clients: [LoadClient[], LoadClient[]] = [[], []];
  const enough = () => clients[0].length >= 2 && clients[1].length >= 1;
  // Also until both listen: that comes last.
  const find = async () => {
    const client = http1Client({ port: plane.traffic });
    onTestFinished(() => client.close());
    const before = [await started(envoys[0]), await started(envoys[1])];
    const { status } = await client.send({ id: 'find', at: 0 });
    if (status !== 200) return false;
    // The filter tells its numbers now and then.
    const more = async () => [
      (await started(envoys[0])) - (before[0] ?? 0),
      (await started(envoys[1])) - (before[1] ?? 0),
    ];
    await expect.poll(async () => (await more()).toSorted(), patience).toEqual([0, 1]);
    clients[(await more())[0] === 1 ? 0 : 1].push(client);
    return enough();
  };
  await expect.poll(find, patience).toBe(true);
  return { pods, plane, clients, routes };
}

/** The first Envoy has the slot, then one waits at the second, then one at the first: in which order are they served? */
async function orderOf({ pods, clients }: Awaited<ReturnType<typeof world>>, name: string): Promise<string[]> {
  const [[one, two], [other]] = clients;
  const send = (client: LoadClient | undefined, who: string) =>
    client?.send({ id: `${name}-${who}`, at: 0, workMs: WORK_MS });
  const answers = [send(one, 'runs')];
  await expect.poll(async () => (await pods.requests()).map(({ id }) => id), patience).toContain(`${name}-runs`);
  answers.push(send(other, 'older elsewhere'));
  await pause(LATER_MS);
  answers.push(send(two, 'younger here'));
  expect((await Promise.all(answers)).map((answer) => answer?.status)).toEqual([200, 200, 200]);
  const requests = await pods.requests();
  expect(overLimit(requests, 1).times).toBe(0);
  return requests.filter(({ id }) => id.startsWith(`${name}-`)).map(({ id }) => id.slice(name.length + 1));
}

const EXACT = ['runs', 'older elsewhere', 'younger here'];
const NEAREST = ['runs', 'younger here', 'older elsewhere'];

test('between Envoys the older request goes first, unless queue.slack lets one go that is not much younger', async () => {
  const all = await world('0');
  // What a request usually works bounds it: they have worked for 10 ms so far.
  expect(await orderOf(all, 'exact')).toEqual(EXACT);
  await all.plane.edit(all.routes({ queue: { slack: '10s' } }));
  // The edit is at both filters once they have taken it.
  await expect
    .poll(() => orderOf(all, `edited${performance.now()}`), { timeout: 60_000, interval: 10 })
    .toEqual(NEAREST);
  await all.plane.edit(all.routes({ queue: { slack: '0' } }));
  await expect.poll(() => orderOf(all, `back${performance.now()}`), { timeout: 60_000, interval: 10 }).toEqual(EXACT);
}, 180_000);

test('a slack of less than the difference, such as the usual one, leaves the older request first', async () => {
  const all = await world(undefined);
  expect([await orderOf(all, 'one'), await orderOf(all, 'two'), await orderOf(all, 'three')]).toEqual([
    EXACT,
    EXACT,
    EXACT,
  ]);
}, 180_000);
