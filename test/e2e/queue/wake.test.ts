import { expect, test } from 'vitest';
import { instant, until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { type Queue, startQueue } from './queue.ts';

async function desired(queue: Queue): Promise<number> {
  return Number(/"desiredPods":(\d+)/.exec(JSON.stringify(await queue.sluice.status()))?.[1]);
}

test('the first request that waits without a pod is told at once, and the queue goes on with the first pod', async () => {
  const queue = await startQueue({ pods: 1, service: { limit: 2 } });
  const [pod = ''] = queue.pods.addresses;
  await queue.edit([]);
  await until(async () => (await queue.sluice.podStates('codec')).length === 0, { what: 'the service to have no pod' });
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    await until(async () => (await desired(queue)) === 0, { what: 'no pod to be wanted' });
    const sent = instant();
    const one = startLoad(queue.http1(), burst(1, { name: `one${i}`, each: { abortAfter: 1500 } }));
    await until(async () => (await desired(queue)) === 1, { what: 'a pod to be wanted', every: 2 });
    times.push(instant() - sent);
    await one.results;
  }
  // Reports come twice a second; this one does not wait for that, unless the machine is busy.
  expect(Math.min(...times)).toBeLessThan(200);
  const waiting = startLoad(queue.http1(), burst(5, { work: fixed(10) }));
  await until(async () => (await desired(queue)) === 3, { what: 'three pods to be wanted' });
  await queue.edit([pod]);
  expect((await waiting.results).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
});

test('fewer pods are wanted when they have been enough for scale.down_after', async () => {
  const queue = await startQueue({ pods: 2, service: { scale: { down_after: '3s' } } });
  await startLoad(queue.http1(), burst(6, { work: fixed(200) })).results;
  const ended = instant();
  expect(await desired(queue)).toBeGreaterThanOrEqual(2);
  await until(async () => (await desired(queue)) === 0, { what: 'none to be wanted', within: 8000 });
  expect(instant() - ended).toBeGreaterThan(1900);
});
