import { expect, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, expectStrict, HEALTH_PATH, type Queue, startQueue } from './queue.ts';

/** What Sluice says of the pods: how many of them get requests. */
async function readyNow(queue: Queue): Promise<number> {
  return (await queue.sluice.podStates('codec')).filter((state) => state === 'ready').length;
}

/** Waits until so many pods get requests, as Sluice sees it; resolves to the moment. */
async function untilReady(queue: Queue, count: number): Promise<number> {
  await until(async () => (await readyNow(queue)) === count, { what: `${count} ready pods`, within: 30_000 });
  return instant();
}

const statuses = (results: readonly LoadResult[]) => Object.keys(Object.groupBy(results, ({ status }) => status));

/** The last of so many in a row ends it, and the next ones go elsewhere; one more for each time it is tried again. */
function expectFailures(results: readonly LoadResult[], inARow: number, tries = 0): void {
  const { length } = results.filter(({ status }) => status === 500);
  expect(length).toBeGreaterThanOrEqual(inARow);
  expect(length).toBeLessThanOrEqual(inARow + tries);
}

const FAILING = { kind: 'status', status: 500 } as const;

test.each(['http1', 'h2c'] as const)(
  'a pod that answers 500 at once to everything is taken out, and its slots with it (%s)',
  async (protocol) => {
    const queue = await startQueue({ pods: 3, protocol, service: { outlier: { consecutive_5xx: 3, eject: '5s' } } });
    const [, ill = ''] = queue.pods.addresses;
    const run = startLoad(queue.h2(), spaced(300, 20, { work: fixed(50) }));
    await pause(500);
    await queue.pods.setMode(ill, FAILING);
    const broke = instant();
    const out = await untilReady(queue, 2);
    await queue.pods.setMode(ill, { kind: 'normal' });
    await untilReady(queue, 3);
    const results = await run.results;
    process.stdout.write(`── it was told ${(out - broke).toFixed(0)} ms after the pod broke, ${protocol}\n`);
    await expectStrict(queue, results, { title: `a pod answers 500 at once, ${protocol}`, slots: [] });
    expectFailures(results, 3);
    expect(statuses(results)).toEqual(['200', '500']);
    const back = (await queue.pods.requests()).filter(({ pod, arrived }) => pod === ill && arrived > out);
    expect(back.length, 'it works again').toBeGreaterThan(0);
  },
);

test('a pod that freezes is taken out by health checks, and comes back', async () => {
  const health = { path: HEALTH_PATH, interval: '200ms' };
  const queue = await startQueue({ pods: 3, service: { health } });
  const leaves = queue.h2();
  const stuck = startLoad(leaves, burst(1, { name: 'stuck', work: fixed(600_000) }));
  const atPod = async () => (await queue.pods.requests()).find(({ id }) => id === 'stuck0')?.pod;
  const ill = await until(atPod, { what: 'the request at its pod' });
  await queue.pods.setMode(ill, { kind: 'frozen' });
  await until(async () => (await queue.sluice.podStates('codec')).includes('unhealthy'), { what: 'a pod that is out' });
  leaves.close();
  const out = instant();
  const run = startLoad(queue.h2(), spaced(100, 20, { work: fixed(35) }));
  await pause(1500);
  await queue.pods.setMode(ill, { kind: 'normal' });
  const back = instant();
  await untilReady(queue, 3);
  const results = [...(await run.results), ...(await stuck.results)];
  const { outcomes } = await expectStrict(queue, results, { title: 'a frozen pod under health checks', slots: [] });
  expect(outcomes).toEqual({ 200: 100, failed: 1 });
  const met = (await queue.pods.requests()).filter(
    ({ pod, path, arrived }) => pod === ill && path !== HEALTH_PATH && arrived > out && arrived < back,
  );
  expect(met).toEqual([]);
});

test.each(['http1', 'h2c'] as const)(
  'all pods are taken out: requests wait until one is back (%s)',
  async (protocol) => {
    const queue = await startQueue({ pods: 2, protocol, service: { outlier: { consecutive_5xx: 1, eject: '2s' } } });
    const client = queue.h2();
    for (const pod of queue.pods.addresses) await queue.pods.setMode(pod, FAILING);
    const first = await load(client, spaced(2, 200, { name: 'first' }));
    expect(statuses(first)).toEqual(['500']);
    await untilReady(queue, 0);
    for (const pod of queue.pods.addresses) await queue.pods.setMode(pod, { kind: 'normal' });
    const run = startLoad(client, burst(20, { name: 'waits', work: fixed(50) }));
    await expectKept(queue, await run.results, { title: `all pods out and back, ${protocol}`, slots: [] });
    await untilReady(queue, 2);
  },
);

test('while the control plane is down an ejected pod costs no other pod its limit', async () => {
  const queue = await startQueue({ pods: 3, service: { outlier: { consecutive_5xx: 2, eject: '30s' } } });
  const [ill = ''] = queue.pods.addresses;
  const run = startLoad(queue.h2(), spaced(200, 20, { work: fixed(60) }));
  await queue.sluice.kill();
  await queue.pods.setMode(ill, FAILING);
  await until(() => queue.stat('wasmcustom.sluice_queue_ejections.codec'), { what: 'an ejection' });
  await queue.sluice.restart();
  await untilReady(queue, 2);
  const results = await run.results;
  await expectStrict(queue, results, { title: 'a pod ejected without a control plane', slots: [] });
  expectFailures(results, 2);
  expect(statuses(results)).toEqual(['200', '500']);
});
