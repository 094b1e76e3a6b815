import { expect, test } from 'vitest';
import { instant, pause, until } from '../kit/instant.ts';
import { type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, expectStrict, HEALTH_PATH, type Line, startLine } from './line.ts';

const LIMIT = /^circuit_breakers\.gate\/codec\.default\.max_connections$/;

/** The limit of the gate that Envoy has now. */
async function limitNow(line: Line): Promise<number> {
  const { host, port } = line.sluice.envoy.address;
  const answer = await fetch(`http://${host}:${port}/runtime?format=json`);
  // Envoy's own form of its runtime.
  const { entries } = (await answer.json()) as { entries: Record<string, { final_value: string } | undefined> };
  const [limit] = Object.entries(entries).flatMap(([key, entry]) => (LIMIT.test(key) ? [entry?.final_value] : []));
  return Number(limit);
}

/** Waits until the gate has this limit; resolves to the moment. */
async function untilLimit(line: Line, limit: number): Promise<number> {
  await until(async () => (await limitNow(line)) === limit, { what: `a limit of ${limit}`, within: 30_000 });
  return instant();
}

const statuses = (results: readonly LoadResult[]) => Object.keys(Object.groupBy(results, ({ status }) => status));

/**
 * The last of so many in a row ends it, and the next ones go elsewhere: but for those that come while Envoy's main thread
 * takes the pod out and its worker does not know yet, which on a busy machine takes some milliseconds.
 */
function expectFailures(results: readonly LoadResult[], inARow: number): void {
  const { length } = results.filter(({ status }) => status === 500);
  expect(length).toBeGreaterThanOrEqual(inARow);
  expect(length).toBeLessThan(inARow + 10);
}

const FAILING = { kind: 'status', status: 500 } as const;

test.each(['http1', 'h2c'] as const)(
  'a pod that answers 500 at once to everything is taken out, and its slots with it (%s)',
  async (protocol) => {
    const line = await startLine({ pods: 3, protocol, service: { outlier: { consecutive_5xx: 3, eject: '5s' } } });
    const [, ill = ''] = line.pods.addresses;
    const run = startLoad(line.h2(), spaced(300, 20, { work: fixed(50) }));
    await pause(500);
    await line.pods.setMode(ill, FAILING);
    const broke = instant();
    const lowered = await untilLimit(line, 2);
    await line.pods.setMode(ill, { kind: 'normal' });
    await untilLimit(line, 3);
    const results = await run.results;
    process.stdout.write(`── the limit followed ${(lowered - broke).toFixed(0)} ms after the pod broke, ${protocol}\n`);
    await expectStrict(line, results, { title: `a pod answers 500 at once, ${protocol}`, slots: [] });
    expectFailures(results, 3);
    expect(statuses(results)).toEqual(['200', '500']);
    const back = (await line.pods.requests()).filter(({ pod, arrived }) => pod === ill && arrived > lowered);
    expect(back.length, 'it works again').toBeGreaterThan(0);
  },
);

test('a pod that freezes is taken out by health checks; its slot goes with the request it had, and comes back', async () => {
  const health = { path: HEALTH_PATH, interval: '200ms' };
  const line = await startLine({ pods: 3, service: { health } });
  const client = line.h2();
  const leaves = line.h2();
  const stuck = startLoad(leaves, burst(1, { name: 'stuck', work: fixed(600_000) }));
  await line.untilHeld(1);
  const ill = (await line.pods.requests()).find(({ id }) => id === 'stuck0')?.pod ?? '';
  await line.pods.setMode(ill, { kind: 'frozen' });
  await until(() => line.stat('cluster.pods/codec.health_check.failure'), { what: 'a failed check' });
  // The request that hangs there holds a slot of the gate, which is one more than the other two pods have.
  const run = startLoad(client, spaced(500, 20, { work: fixed(35) }));
  await pause(2000);
  await untilLimit(line, 3);
  expect(stuck.ended, 'the request still hangs').toEqual([]);
  leaves.close();
  await untilLimit(line, 2);
  await line.pods.setMode(ill, { kind: 'normal' });
  await untilLimit(line, 3);
  const results = [...(await run.results), ...(await stuck.results)];
  const { outcomes } = await expectStrict(line, results, { title: 'a frozen pod under health checks', slots: [] });
  expect(outcomes).toEqual({ 200: 500, failed: 1 });
});

test.each(['http1', 'h2c'] as const)(
  'all pods are taken out: requests wait until one is back (%s)',
  async (protocol) => {
    const line = await startLine({ pods: 2, protocol, service: { outlier: { consecutive_5xx: 1, eject: '2s' } } });
    const client = line.h2();
    for (const pod of line.pods.addresses) await line.pods.setMode(pod, FAILING);
    const first = await load(client, spaced(2, 200, { name: 'first' }));
    expect(statuses(first)).toEqual(['500']);
    await until(() => line.stat('cluster.pods/codec.outlier_detection.ejections_active'), { what: 'an ejection' });
    for (const pod of line.pods.addresses) await line.pods.setMode(pod, { kind: 'normal' });
    const run = startLoad(client, burst(20, { name: 'waits', work: fixed(50) }));
    await expectKept(line, await run.results, { title: `all pods out and back, ${protocol}`, slots: [] });
    await untilLimit(line, 2);
  },
);

test('while the control plane is down an ejected pod costs no other pod its limit', async () => {
  const line = await startLine({ pods: 3, service: { outlier: { consecutive_5xx: 2, eject: '30s' } } });
  const [ill = ''] = line.pods.addresses;
  const run = startLoad(line.h2(), spaced(200, 20, { work: fixed(60) }));
  await line.sluice.kill();
  await line.pods.setMode(ill, FAILING);
  await until(() => line.stat('cluster.pods/codec.outlier_detection.ejections_active'), { what: 'an ejection' });
  await pause(1000);
  expect(await limitNow(line), 'nobody is there to change it').toBe(3);
  await line.sluice.restart();
  await untilLimit(line, 2);
  const results = await run.results;
  await expectStrict(line, results, { title: 'a pod ejected without a control plane', slots: [] });
  expectFailures(results, 2);
  expect(statuses(results)).toEqual(['200', '500']);
});
