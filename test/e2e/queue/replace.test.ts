import { expect, onTestFinished, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, type Queue, startQueue } from './queue.ts';

test.each(['http1', 'h2c'] as const)('all pods replaced under jobs longer than that (%s)', async (protocol) => {
  const queue = await startQueue({ pods: 3, protocol });
  const old = [...queue.pods.addresses];
  const client = queue.h2();
  const first = startLoad(client, burst(3, { name: 'old', work: fixed(3500) }));
  await queue.untilHeld(3);
  const second = startLoad(client, burst(3, { name: 'new', work: fixed(3500) }));
  await queue.untilWaiting(3);
  const third = startLoad(client, burst(30, { name: 'rest', work: fixed(20) }));
  await queue.untilWaiting(33);
  const young = await queue.pods.add(3);
  await queue.edit(young);
  await queue.untilHeld(6);
  expect(first.ended, 'the new pods have work before the old ones have ended').toEqual([]);
  const stuck = watchForStuck(queue);
  const results = [...(await first.results), ...(await second.results), ...(await third.results)];
  // A request that left the queue with no pod free for it would wait at the second hop, out of order.
  expect(stuck()).toEqual([]);
  await expectKept(queue, results, { title: `all pods replaced, ${protocol}`, ordered: true, slots: [] });
  const requests = await queue.pods.requests();
  expect(requests.filter(({ pod, id }) => old.includes(pod) !== id.startsWith('old'))).toEqual([]);
});

test.each(['http1', 'h2c'] as const)(
  'a pod replaced by another gets its first request at once (%s)',
  async (protocol) => {
    const queue = await startQueue({ pods: 1, protocol });
    const run = startLoad(queue.h2(), burst(8, { work: fixed(3000) }));
    await queue.untilHeld(1);
    const delays: number[] = [];
    for (let held = 2; held <= 6; held++) {
      const [young = ''] = await queue.pods.add(1);
      const edited = await queue.edit([young]);
      await queue.untilHeld(held);
      const arrived = (await queue.pods.requests()).find(({ pod }) => pod === young)?.arrived ?? Number.NaN;
      delays.push(Math.round(arrived - edited));
    }
    process.stdout.write(`── from an edit to the first request at the new pod: ${delays.join(', ')} ms, ${protocol}\n`);
    await expectKept(queue, await run.results, {
      title: `one pod after the other, ${protocol}`,
      ordered: true,
      slots: [],
    });
    // Only with Envoy's next load report, 500 to 1,000 ms later, is it known that the old pod's slot is still taken.
    expect(delays.toSorted((a, b) => a - b)[2]).toBeLessThan(450);
  },
);

/** Looks at what waits behind the queue; a request may be there for as long as a connection takes, not longer. */
function watchForStuck(queue: Queue): () => readonly number[] {
  const seen: number[] = [];
  let watching = true;
  onTestFinished(() => {
    watching = false;
  });
  const watch = async () => {
    let before = 0;
    while (watching) {
      const now = await queue.stat('cluster.codec.upstream_rq_pending_active');
      if (before > 0 && now > 0) seen.push(now);
      before = now;
      await pause(50);
    }
  };
  void watch();
  return () => {
    watching = false;
    return seen;
  };
}
