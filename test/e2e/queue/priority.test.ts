import { describe, expect, test } from 'vitest';
import { instant, until } from '../kit/instant.ts';
import { type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, type Keys, type Queue, startQueue } from './queue.ts';

const CLASSES = { classes: ['high', 'normal', 'low'], default: 'normal' };
const BY_HEADER = { header: 'x-priority', ...CLASSES };

function prioritized(priority: Keys, routes?: readonly Keys[]): Promise<Queue> {
  const service = { queue: { priority } };
  return startQueue(routes === undefined ? { pods: 1, service } : { pods: 1, service, routes });
}

/** Requests of a class, spaced so that their order is beyond doubt. */
function ofClass(name: string, count: number, from: number, value: string = name) {
  return spaced(count, 4, { name, from, work: fixed(25), each: { headers: { 'x-priority': value } } });
}

/** What the pods saw after the request that kept them busy, in the order of arrival: the class of each. */
async function arrivals(queue: Queue): Promise<readonly string[]> {
  return (await queue.pods.requests()).map(({ id }) => id.replace(/\d+$/, '')).filter((name) => name !== 'first');
}

/** One of the numbers of each class, as the status has them: `4,7,5`. */
async function told(queue: Queue, what: 'waiting' | 'started'): Promise<string> {
  const { services } = await queue.sluice.status();
  if (!Array.isArray(services)) throw new Error('the status has no services');
  return services[0].classes.map((one: Readonly<Record<string, number>>) => one[what]).join();
}

describe('queue.priority', () => {
  test('a higher class goes first, in a class the one that came first; what a pod works on is not touched', async () => {
    const queue = await prioritized(BY_HEADER);
    const client = queue.h2();
    const first = startLoad(
      client,
      burst(1, { name: 'first', work: fixed(500), each: { headers: { 'x-priority': 'low' } } }),
    );
    await queue.untilHeld(1);
    const plan = [
      ...ofClass('low', 5, 0),
      ...ofClass('normal', 3, 40),
      // A class that nobody knows, and none: the usual one.
      ...ofClass('odd', 2, 60, 'highest'),
      ...spaced(2, 4, { name: 'none', from: 80, work: fixed(25) }),
      ...ofClass('high', 4, 100),
    ];
    const running = startLoad(client, plan);
    await queue.untilWaiting(16);
    await until(async () => (await told(queue, 'waiting')) === '4,7,5', {
      what: 'the status to tell of the classes',
    });
    const results: LoadResult[] = [...(await first.results), ...(await running.results)];
    await expectKept(queue, results, { title: 'priority' });
    const order = [...'hhhh', ...'nnnoonn', ...'lllll'];
    expect((await arrivals(queue)).map((name) => name[0])).toEqual(order);
    await until(async () => (await told(queue, 'started')) === '4,7,6', {
      what: 'the starts of each class to be told',
    });
  });

  test('max_wait: one of a low class goes before those of the highest that came after it', async () => {
    const queue = await prioritized({ ...BY_HEADER, max_wait: { low: '300ms' } });
    const client = queue.h2();
    const began = instant();
    // The one pod is busy for 40 ms with each; high ones come for 800 ms without a gap.
    const high = spaced(25, 32, { name: 'high', work: fixed(40), each: { headers: { 'x-priority': 'high' } } });
    const low = spaced(3, 4, { name: 'low', from: 60, work: fixed(40), each: { headers: { 'x-priority': 'low' } } });
    const results = await load(client, [...high, ...low]);
    await expectKept(queue, results, { title: 'max_wait' });
    const requests = await queue.pods.requests();
    const lows = requests.filter(({ id }) => id.startsWith('low')).map(({ arrived }) => arrived - began);
    // After 300 ms it waits for those that came before it, and for the one that the pod has.
    expect(Math.min(...lows)).toBeGreaterThanOrEqual(360);
    expect(Math.max(...lows)).toBeLessThan(360 + 5 * 40 + 60);
    expect(requests.at(-1)?.id).toMatch(/^high/);
  });

  test('a route says the class, whatever the header says', async () => {
    const routes = [
      { match: { path: '/batch' }, service: 'codec', priority: 'low' },
      { match: { path: '/health' }, service: 'codec', priority: 'high' },
      { match: { prefix: '/' }, service: 'codec' },
    ];
    const queue = await prioritized(BY_HEADER, routes);
    const client = queue.h2();
    const first = startLoad(client, burst(1, { name: 'first', work: fixed(300) }));
    await queue.untilHeld(1);
    const plan = ['/batch', '/other', '/health'].flatMap((path, index) =>
      spaced(2, 4, {
        name: path,
        from: 10 * index,
        work: fixed(20),
        each: { path, headers: { 'x-priority': path === '/batch' ? 'high' : 'normal' } },
      }),
    );
    const results = [...(await startLoad(client, plan).results), ...(await first.results)];
    await expectKept(queue, results, { title: 'priority by route' });
    expect(await arrivals(queue)).toEqual(['/health', '/health', '/other', '/other', '/batch', '/batch']);
  });

  test('classes may come, change and go while requests wait', async () => {
    const queue = await prioritized(BY_HEADER);
    const client = queue.h2();
    const first = startLoad(client, burst(1, { name: 'first', work: fixed(1500) }));
    await queue.untilHeld(1);
    const running = startLoad(client, [...ofClass('low', 2, 0), ...ofClass('high', 2, 20)]);
    await queue.untilWaiting(4);
    await queue.edit(queue.pods.addresses, { service: {} });
    const later = startLoad(client, ofClass('later', 2, 0, 'high'));
    await queue.untilWaiting(6);
    await queue.edit(queue.pods.addresses, { service: { queue: { priority: BY_HEADER } } });
    const last = startLoad(client, ofClass('last', 1, 0, 'high'));
    await queue.untilWaiting(7);
    const all = [first, running, later, last].map(({ results }) => results);
    const results = (await Promise.all(all)).flat();
    await expectKept(queue, results, { title: 'classes that change' });
    expect((await arrivals(queue)).slice(-2)).toEqual(['low', 'low']);
  });
});
