import { describe, expect, onTestFinished, test } from 'vitest';
import { type LoadResult, load, startLoad } from '../kit/load.ts';
import { burst, spaced } from '../kit/load-plan.ts';
import { Pods } from '../kit/pods.ts';
import { exponential, fixed } from '../kit/random.ts';
import { slotPeaks } from '../kit/slot-peaks.ts';
import { Queue, startQueue, startSluice } from './queue.ts';

function costing(cost: number, count: number, options: Parameters<typeof burst>[1] = {}) {
  return burst(count, { ...options, name: `${cost}x`, each: { headers: { 'x-cost': String(cost) } } });
}

function statuses(results: readonly LoadResult[]): readonly number[] {
  return results.map(({ status }) => status);
}

describe('limits of pods', () => {
  test('each pod has its own', async () => {
    const pods = await Pods.start({ count: 3 });
    onTestFinished(() => pods.stop());
    const [small = '', large = '', usual = ''] = pods.addresses;
    const list = [{ address: small, limit: 1 }, { address: large, limit: 5 }, usual];
    const service = { static: list, limit: 2 };
    const sluice = await startSluice({
      services: { codec: service },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    });
    const queue = new Queue(pods, sluice, { limit: 2 });
    const results = await load(queue.http1(), burst(120, { work: exponential(30) }));
    expect(new Set(statuses(results))).toEqual(new Set([200]));
    const most = Object.fromEntries((await pods.counts()).map(({ pod, peak }) => [pod, peak]));
    expect(most).toEqual({ [small]: 1, [large]: 5, [usual]: 2 });
    // A limit is edited like any other, while requests run.
    const running = startLoad(queue.http1(), spaced(150, 4, { name: 's', work: fixed(40) }));
    await sluice.edit({
      services: { codec: { static: [small, { address: large, limit: 3 }, { address: usual, limit: 1 }], limit: 2 } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    });
    await running.results;
    await pods.forget();
    const after = await load(queue.http1(), burst(60, { name: 't', work: fixed(30) }));
    expect(new Set(statuses(after))).toEqual(new Set([200]));
    const held = slotPeaks(await pods.requests());
    expect(held).toEqual({ [small]: 2, [large]: 3, [usual]: 1 });
  });
});

describe('cost', () => {
  const cost = { header: 'x-cost' };

  test('a request takes its slots of one pod: no pod has more than its limit, and large ones do not starve', async () => {
    const queue = await startQueue({ pods: 2, limit: 4, service: { cost } });
    const client = queue.h2();
    // More small ones than both pods can do, for as long as the test runs.
    const small = startLoad(client, spaced(400, 4, { name: '1x', work: fixed(40) }));
    const large = startLoad(
      client,
      spaced(6, 150, { name: '4x', from: 200, work: fixed(40), each: { headers: { 'x-cost': '4' } } }),
    );
    const medium = startLoad(
      client,
      spaced(10, 90, { name: '2x', from: 150, work: fixed(40), each: { headers: { 'x-cost': '2' } } }),
    );
    const results = [...(await small.results), ...(await large.results), ...(await medium.results)];
    expect(new Set(statuses(results))).toEqual(new Set([200]));
    const requests = await queue.pods.requests();
    for (const most of Object.values(slotPeaks(requests))) expect(most).toBeLessThanOrEqual(4);
    const sent = new Map(results.map(({ id, sent: at }) => [id, at]));
    const waits = (prefix: string) =>
      requests.filter(({ id }) => id.startsWith(prefix)).map(({ id, arrived }) => arrived - (sent.get(id) ?? 0));
    process.stdout.write(
      `── waits: 1 slot up to ${Math.max(...waits('1x')).toFixed(0)}, 2 slots ${Math.max(...waits('2x')).toFixed(0)}, 4 slots ${Math.max(...waits('4x')).toFixed(0)} ms\n`,
    );
    // A large one waits for its turn, and then for one pod to finish what it has.
    expect(Math.max(...waits('4x'))).toBeLessThan(Math.max(...waits('1x')) + 120);
  });

  test('more than any pod has is answered at once, and says so', async () => {
    const queue = await startQueue({ pods: 1, limit: 2, service: { cost: { header: 'x-cost', default: 2 } } });
    const client = queue.h2();
    const [refused] = await load(client, costing(3, 1));
    expect(refused?.status).toBe(400);
    expect(JSON.parse(refused?.body ?? '')).toMatchObject({
      error: 'too costly',
      message: 'This request takes 3 slots of one pod, and no pod has more than 2. No pod has seen it.',
      status: 400,
    });
    // One that does not say takes both.
    const results = await load(client, burst(6, { name: '2x', work: fixed(20) }));
    expect(statuses(results)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(await queue.pods.peak()).toBe(1);
  });
});
