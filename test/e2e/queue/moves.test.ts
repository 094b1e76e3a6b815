import { expect, onTestFinished, test } from 'vitest';
import { pause } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { Pods } from '../kit/pods.ts';
import { fixed } from '../kit/random.ts';
import { overLimit } from '../kit/verdict.ts';
import { expectKept, type Keys, startQueue } from './queue.ts';

/** The same pods under another name. */
function renamed(pods: readonly string[], name: string, keys: Keys = {}) {
  return {
    services: { [name]: { static: pods, limit: 2, ...keys } },
    routes: [{ match: { prefix: '/' }, service: name }],
  };
}

test('a renamed service: nobody is lost, the limit holds, the queue keeps its order', async () => {
  const queue = await startQueue({ pods: 2, limit: 2 });
  const run = startLoad(queue.h2(), spaced(80, 15, { work: fixed(300) }));
  await pause(600);
  await queue.sluice.edit(renamed(queue.pods.addresses, 'other'));
  const results = await run.results;
  const { order } = await expectKept(queue, results, { title: 'renamed', slots: [] });
  // Those that have left the queue in the moment of the edit, at most as many as there are slots, find their pod anew.
  expect(order.overtaken).toBeLessThanOrEqual(4);
});

test('renamed and back again while requests wait', async () => {
  const queue = await startQueue({ pods: 2, limit: 2 });
  const run = startLoad(queue.h2(), spaced(80, 15, { work: fixed(300) }));
  await pause(500);
  await queue.sluice.edit(renamed(queue.pods.addresses, 'other'));
  await pause(300);
  await queue.edit(queue.pods.addresses);
  await expectKept(queue, await run.results, { title: 'renamed and back', slots: [] });
});

test.each([
  ['connect timeout', { timeout: { connect: '3s' } }],
  ['ejection', { outlier: { consecutive_5xx: 3, eject: '1s' } }],
  ['queue', { queue: { max: 500, timeout: '1m' } }],
] as const)('another %s while requests wait', async (_, service) => {
  const queue = await startQueue({ pods: 2, limit: 2 });
  const run = startLoad(queue.h2(), spaced(60, 15, { work: fixed(250) }));
  await pause(500);
  await queue.edit(queue.pods.addresses, { service });
  await expectKept(queue, await run.results, { title: `another ${_}`, slots: [] });
});

test.each([
  ['http1', 'h2c'],
  ['h2c', 'http1'],
] as const)('pods that are spoken to by %s, and then by %s, while requests wait', async (protocol, next) => {
  const queue = await startQueue({ pods: 2, limit: 2, protocol: 'both', service: { protocol } });
  const run = startLoad(queue.h2(), spaced(60, 15, { work: fixed(250) }));
  await pause(500);
  await queue.edit(queue.pods.addresses, { service: { protocol: next } });
  const { order } = await expectKept(queue, await run.results, { title: `${protocol}, then ${next}`, slots: [] });
  // As for a renamed one: those in front look for a pod while it moves.
  expect(order.overtaken).toBeLessThanOrEqual(4);
});

test('renamed, and spoken to by another protocol, while requests wait', async () => {
  const queue = await startQueue({ pods: 2, limit: 2, protocol: 'both', service: { protocol: 'http1' } });
  const run = startLoad(queue.h2(), spaced(80, 15, { work: fixed(300) }));
  await pause(600);
  await queue.sluice.edit(renamed(queue.pods.addresses, 'other', { protocol: 'h2c' }));
  const { order } = await expectKept(queue, await run.results, { title: 'renamed, then h2c', slots: [] });
  expect(order.overtaken).toBeLessThanOrEqual(4);
});

test('the pods have another port: those at work finish there, those who wait go to the new one', async () => {
  const queue = await startQueue({ pods: 2, limit: 2 });
  const moved = await Pods.start({ count: 2 });
  onTestFinished(() => moved.stop());
  const run = startLoad(queue.h2(), spaced(60, 15, { work: fixed(250) }));
  await pause(500);
  await queue.edit(moved.addresses);
  const results = await run.results;
  expect(results.filter(({ status }) => status !== 200)).toEqual([]);
  const requests = [...(await queue.pods.requests()), ...(await moved.requests())];
  expect(overLimit(requests, 2)).toMatchObject({ unexcused: 0 });
  expect(requests.map(({ id }) => id).sort()).toEqual(results.map(({ id }) => id).sort());
  expect((await moved.requests()).length).toBeGreaterThan(0);
});

test('routes in another order: nothing is disturbed', async () => {
  const queue = await startQueue({ pods: 2, limit: 2 });
  const run = startLoad(queue.h2(), spaced(60, 15, { work: fixed(250) }));
  await pause(500);
  const routes = [
    { match: { path: '/first' }, service: 'codec' },
    { match: { prefix: '/' }, service: 'codec' },
  ];
  await queue.edit(queue.pods.addresses, { routes });
  await expectKept(queue, await run.results, { title: 'routes in another order', ordered: true });
});

test('a route and its service are taken out while requests wait: they are answered, new ones are not taken', async () => {
  const queue = await startQueue({ pods: 2, limit: 1 });
  const run = startLoad(queue.h2(), burst(10, { work: fixed(300) }));
  await queue.untilWaiting(8);
  const [pod = ''] = queue.pods.addresses;
  await queue.sluice.edit({
    services: { other: { static: [`${pod.split(':')[0]}:1`], limit: 1 } },
    routes: [{ match: { path: '/other' }, service: 'other' }],
  });
  await expectKept(queue, await run.results, { title: 'taken out', ordered: true });
  expect((await fetch(`http://127.0.0.1:${queue.sluice.port}/`)).status).toBe(404);
});
