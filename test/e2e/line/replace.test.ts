import { expect, onTestFinished, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, type Line, startLine } from './line.ts';

test.each(['http1', 'h2c'] as const)('all pods replaced under jobs longer than that (%s)', async (protocol) => {
  const line = await startLine({ pods: 3, protocol });
  const old = [...line.pods.addresses];
  const client = line.h2();
  const first = startLoad(client, burst(3, { name: 'old', work: fixed(3500) }));
  await line.untilHeld(3);
  const second = startLoad(client, burst(3, { name: 'new', work: fixed(3500) }));
  await line.untilWaiting(3);
  const third = startLoad(client, burst(30, { name: 'rest', work: fixed(20) }));
  await line.untilWaiting(33);
  const young = await line.pods.add(3);
  await line.edit(young);
  await line.untilHeld(6);
  expect(first.ended, 'the new pods have work before the old ones have ended').toEqual([]);
  const stuck = watchForStuck(line);
  const results = [...(await first.results), ...(await second.results), ...(await third.results)];
  // A request that left the line with no pod free for it would wait at the second hop, out of order.
  expect(stuck()).toEqual([]);
  await expectKept(line, results, { title: `all pods replaced, ${protocol}`, ordered: true, slots: [] });
  const requests = await line.pods.requests();
  expect(requests.filter(({ pod, id }) => old.includes(pod) !== id.startsWith('old'))).toEqual([]);
});

/** Looks at what waits behind the gate; a request may be there for as long as a connection takes, not longer. */
function watchForStuck(line: Line): () => readonly number[] {
  const seen: number[] = [];
  let watching = true;
  onTestFinished(() => {
    watching = false;
  });
  const watch = async () => {
    let before = 0;
    while (watching) {
      const now = await line.stat('cluster.pods/codec.upstream_rq_pending_active');
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
