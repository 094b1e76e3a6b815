import { expect, test } from 'vitest';
import { load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, startQueue } from './queue.ts';

test('a pod that refuses connections from the start swallows nothing', async () => {
  const queue = await startQueue();
  const dead = queue.pods.addresses[0] ?? '';
  await queue.pods.setMode(dead, { kind: 'dead' });
  const results = await load(queue.h2(), spaced(300, 4, { work: fixed(10) }));
  await expectKept(queue, results, { title: 'one dead pod of four' });
  expect((await queue.pods.requests()).filter(({ pod }) => pod === dead)).toEqual([]);
});

test('a pod that dies idle, and comes back, is used again', async () => {
  const queue = await startQueue({ pods: 2, service: { outlier: { eject: '1s' } } });
  const [stays = '', dies = ''] = queue.pods.addresses;
  const client = queue.h2();
  const before = await load(client, burst(20, { name: 'before', work: fixed(10) }));
  await queue.untilHeld(0);
  await queue.pods.setMode(dies, { kind: 'dead' });
  const during = await load(client, burst(20, { name: 'during', work: fixed(10) }));
  await queue.pods.setMode(dies, { kind: 'normal' });
  const after = startLoad(client, spaced(300, 15, { name: 'after', work: fixed(20) }));
  const results = [...before, ...during, ...(await after.results)];
  await expectKept(queue, results, { title: 'a pod dies and comes back' });
  const pods = Map.groupBy(await queue.pods.requests(), ({ pod }) => pod);
  expect(pods.get(stays)?.some(({ id }) => id.startsWith('during'))).toBe(true);
  expect(pods.get(dies)?.some(({ id }) => id.startsWith('after'))).toBe(true);
});
