import { expect, test } from 'vitest';
import { pause, until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { FILTER_CONNECTED } from '../kit/sluice-process.ts';
import { expectKept, type Queue, startQueue } from './queue.ts';

/** What would change if a cluster or a listener were replaced. */
const REPLACEMENTS = '^(cluster_manager.cluster|listener_manager.listener)_(added|modified|removed)$';

test.each(['http1', 'h2c'] as const)('killed with 50 waiting, started again: nobody notices (%s)', async (protocol) => {
  const queue = await startQueue({ protocol });
  const client = queue.h2();
  const warm = await startLoad(client, burst(8, { name: 'warm', work: fixed(20) })).results;
  const run = startLoad(client, [
    ...burst(4, { name: 'busy', work: fixed(800) }),
    ...burst(50, { name: 'first', work: fixed(120) }),
    ...spaced(60, 50, { name: 'later', from: 100, work: fixed(40) }),
  ]);
  await queue.untilHeld(4);
  expect(await queue.waiting()).toBeGreaterThanOrEqual(50);
  const before = await queue.sluice.stats(REPLACEMENTS);

  await queue.sluice.kill();
  const endedBefore = run.ended.length;
  await pause(1000);
  expect(run.ended.length, 'Envoy goes on without a control plane').toBeGreaterThan(endedBefore);
  await queue.sluice.restart();
  await connected(queue);

  const results = [...warm, ...(await run.results)];
  await expectKept(queue, results, { title: `control plane killed and restarted, ${protocol}`, ordered: true });
  expect(await queue.sluice.stats(REPLACEMENTS)).toEqual(before);
  // The counters of the queue go on: it is the same cluster still.
  expect(await queue.stat('cluster.codec.upstream_rq_total')).toBe(results.length);
});

test('an edit made while the control plane is down is active once it is back', async () => {
  const queue = await startQueue({ pods: 1 });
  const run = startLoad(queue.h2(), burst(12, { work: fixed(600) }));
  await queue.untilHeld(1);
  await queue.sluice.kill();
  await queue.pods.add(3);
  await queue.edit(queue.pods.addresses);
  await queue.sluice.restart();
  await queue.untilHeld(4).catch((error) => {
    process.stdout.write(queue.sluice.process.log.map(({ fields }) => JSON.stringify(fields)).join('\n'));
    throw error;
  });
  await expectKept(queue, await run.results, { title: 'edited while the control plane was down', slots: [] });
});

test('a service that is renamed while the control plane is down has its new name once it is back', async () => {
  const queue = await startQueue({ pods: 1 });
  await queue.sluice.kill();
  await queue.sluice.edit({
    services: { other: { static: queue.pods.addresses, limit: 1 } },
    routes: [{ match: { prefix: '/' }, service: 'other' }],
  });
  await queue.sluice.restart();
  // Nothing else happens: no request wakes anybody.
  const hasName = async () => (await queue.stat('cluster.other.membership_total')) === 1;
  await until(hasName, { what: 'Envoy has the new name', every: 200 });
  const results = await startLoad(queue.h2(), burst(4, { work: fixed(50) })).results;
  await expectKept(queue, results, { title: 'renamed while the control plane was down', slots: [] });
});

/** Waits until the queue filter has a stream to the control plane that runs now. */
async function connected(queue: Queue): Promise<void> {
  await queue.sluice.process.logged('the filter is back', ({ msg }) => msg === FILTER_CONNECTED);
}
