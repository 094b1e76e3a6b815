import { expect, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, type Line, startLine } from './line.ts';

/** What would change if a cluster or a listener were replaced. */
const REPLACEMENTS = '^(cluster_manager.cluster|listener_manager.listener)_(added|modified|removed)$';

test.each(['http1', 'h2c'] as const)('killed with 50 waiting, started again: nobody notices (%s)', async (protocol) => {
  const line = await startLine({ protocol });
  const client = line.h2();
  const warm = await startLoad(client, burst(8, { name: 'warm', work: fixed(20) })).results;
  const run = startLoad(client, [
    ...burst(4, { name: 'busy', work: fixed(800) }),
    ...burst(50, { name: 'first', work: fixed(120) }),
    ...spaced(60, 50, { name: 'later', from: 100, work: fixed(40) }),
  ]);
  await line.untilHeld(4);
  expect(await line.waiting()).toBeGreaterThanOrEqual(50);
  const before = await line.sluice.stats(REPLACEMENTS);

  await line.sluice.kill();
  const endedBefore = run.ended.length;
  await pause(1000);
  expect(run.ended.length, 'Envoy goes on without a control plane').toBeGreaterThan(endedBefore);
  await line.sluice.restart();
  await connected(line);

  const results = [...warm, ...(await run.results)];
  await expectKept(line, results, { title: `control plane killed and restarted, ${protocol}`, ordered: true });
  expect(await line.sluice.stats(REPLACEMENTS)).toEqual(before);
  // The counters of the line go on: it is the same cluster still.
  expect(await line.stat('cluster.gate/codec.upstream_rq_total')).toBe(results.length);
});

test('an edit made while the control plane is down is in force once it is back', async () => {
  const line = await startLine({ pods: 1 });
  const run = startLoad(line.h2(), burst(12, { work: fixed(600) }));
  await line.untilHeld(1);
  await line.sluice.kill();
  await line.pods.add(3);
  await line.edit(line.pods.addresses);
  await line.sluice.restart();
  await line.untilHeld(4);
  await expectKept(line, await run.results, { title: 'edited while the control plane was down', slots: [] });
});

/** Waits until Envoy has answered what the control plane that runs now has told it. */
async function connected(line: Line): Promise<void> {
  for (const type of ['Cluster', 'Listener']) {
    await line.sluice.process.logged(`an ACK of ${type}`, ({ fields }) => {
      return fields['kind'] === 'acked' && String(fields['typeUrl']).endsWith(`.${type}`);
    });
  }
}
