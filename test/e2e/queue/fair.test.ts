import { describe, expect, test } from 'vitest';
import { until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { fixed } from '../kit/random.ts';
import { expectKept, expectStrict, type Keys, type Queue, startQueue } from './queue.ts';

function fairly(fair: Keys, pods = 1): Promise<Queue> {
  return startQueue({ pods, service: { queue: { fair } } });
}

function ofTenant(name: string, count: number, from: number, workMs = 20) {
  return spaced(count, 3, { name, from, work: fixed(workMs), each: { headers: { 'x-tenant': name } } });
}

/** What the pods saw after the request that kept them busy, in the order of arrival: the tenant of each. */
async function arrivals(queue: Queue): Promise<readonly string[]> {
  return (await queue.pods.requests()).map(({ id }) => id.replace(/\d+$/, '')).filter((name) => name !== 'first');
}

/** Sends a plan while the one pod is busy, and waits until all of it waits; resolves to the results of all. */
async function behind(queue: Queue, plan: ReturnType<typeof spaced>, busyMs = 500) {
  const client = queue.h2();
  const first = startLoad(client, burst(1, { name: 'first', work: fixed(busyMs) }));
  await queue.untilHeld(1);
  const running = startLoad(client, plan);
  return { first, running, all: async () => [...(await first.results), ...(await running.results)] };
}

describe('queue.fair', () => {
  test('tenants take turns, however much each has', async () => {
    const queue = await fairly({ header: 'x-tenant' });
    const plan = [
      ...ofTenant('greedy', 30, 0),
      ...ofTenant('a', 4, 100),
      ...ofTenant('b', 4, 115),
      ...spaced(2, 3, { name: 'none', from: 130, work: fixed(20) }),
    ];
    const { all } = await behind(queue, plan);
    await queue.untilWaiting(40);
    await until(
      async () => {
        const { services } = await queue.sluice.status();
        return Array.isArray(services) && services[0].tenants?.busy === 4;
      },
      { what: 'the status to tell of the tenants' },
    );
    const { services } = await queue.sluice.status();
    if (!Array.isArray(services)) throw new Error('the status has no services');
    expect(services[0].tenants.most[0]).toMatchObject({ name: 'greedy', waiting: 30, inUse: 0 });
    await expectKept(queue, await all(), { title: 'tenants' });
    const order = await arrivals(queue);
    // Each round has one of each that still has some.
    for (let round = 0; round < 2; round++) {
      expect(new Set(order.slice(round * 4, round * 4 + 4))).toEqual(new Set(['greedy', 'a', 'b', 'none']));
    }
    for (let round = 0; round < 2; round++) {
      expect(new Set(order.slice(8 + round * 3, 11 + round * 3))).toEqual(new Set(['greedy', 'a', 'b']));
    }
    expect(order.slice(14).every((name) => name === 'greedy')).toBe(true);
  });

  test('weights: three turns for one', async () => {
    const queue = await fairly({ header: 'x-tenant', weights: { gold: 3 } });
    const { all } = await behind(queue, [...ofTenant('tin', 15, 0), ...ofTenant('gold', 15, 60)]);
    await expectKept(queue, await all(), { title: 'weights' });
    const order = await arrivals(queue);
    for (let i = 4; i <= 20; i += 4) {
      const gold = order.slice(0, i).filter((name) => name === 'gold').length;
      expect(Math.abs(gold - (i * 3) / 4)).toBeLessThanOrEqual(1);
    }
  });

  test('max_per_tenant: one more is refused, and told whose it is', async () => {
    const queue = await fairly({ header: 'x-tenant', max_per_tenant: 3 });
    const { all, running } = await behind(queue, [...ofTenant('greedy', 5, 0), ...ofTenant('other', 2, 40)]);
    const results = await all();
    await expectStrict(queue, results, { title: 'max_per_tenant' });
    const refused = (await running.results).filter(({ status }) => status === 429);
    expect(refused.map(({ id }) => id)).toEqual(['greedy3', 'greedy4']);
    for (const { headers, body } of refused) {
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(JSON.parse(body)).toMatchObject({
        error: 'tenant full',
        message: 'Too many requests of tenant greedy wait: 3 (queue.fair.max_per_tenant). Try again later.',
        service: 'codec',
        status: 429,
      });
    }
  });

  test('slots_per_tenant: the others get what one may not have', async () => {
    const queue = await fairly({ header: 'x-tenant', slots_per_tenant: 2 }, 4);
    const client = queue.h2();
    const greedy = startLoad(client, ofTenant('greedy', 8, 0, 150));
    await queue.untilHeld(2);
    await queue.untilWaiting(6);
    const other = startLoad(client, ofTenant('other', 2, 0, 150));
    await queue.untilHeld(4);
    const results = [...(await greedy.results), ...(await other.results)];
    await expectKept(queue, results, { title: 'slots_per_tenant', slots: [] });
    // At no moment had one of them more than two.
    for (const name of ['greedy', 'other']) {
      const own = (await queue.pods.requests()).filter(({ id }) => id.startsWith(name));
      for (const { arrived } of own) {
        const held = own.filter((one) => one.arrived <= arrived && (one.ended ?? arrived) > arrived);
        expect(held.length).toBeLessThanOrEqual(2);
      }
    }
  });

  test('by the address of the client: two clients of one address are one', async () => {
    const queue = await fairly({ by: 'address' });
    const client = queue.h2();
    const first = startLoad(client, burst(1, { name: 'first', work: fixed(4000) }));
    await queue.untilHeld(1);
    const running = startLoad(queue.http1(), burst(3, { name: 'x', work: fixed(10) }));
    await queue.untilWaiting(3);
    await until(
      async () => {
        const { services } = await queue.sluice.status();
        return Array.isArray(services) && services[0].tenants?.most[0]?.waiting === 3;
      },
      { what: 'the status to tell of the tenant' },
    );
    const { services } = await queue.sluice.status();
    if (!Array.isArray(services)) throw new Error('the status has no services');
    expect(services[0].tenants).toEqual({ busy: 1, most: [{ name: '127.0.0.1', waiting: 3, inUse: 1 }] });
    await expectKept(queue, [...(await first.results), ...(await running.results)], { title: 'by address' });
  });
});
