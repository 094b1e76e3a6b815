import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { h2Client } from '../e2e/kit/client-h2.ts';
import { pause, until } from '../e2e/kit/instant.ts';
import { load, startLoad } from '../e2e/kit/load.ts';
import { burst, poisson, spaced } from '../e2e/kit/load-plan.ts';
import { exponential } from '../e2e/kit/random.ts';
import { slotPeaks } from '../e2e/kit/slot-peaks.ts';
import { judge } from '../e2e/kit/summary.ts';
import { fifoOrder } from '../e2e/kit/verdict.ts';
import { CODE } from './kit/bootstrap.ts';
import { type FilterRun, SETTINGS } from './kit/run.ts';
import { client, start, started, stopAfterEach } from './kit/started.ts';

// Several workers of one Envoy, each with a VM of its own, share the slots of the pods.

stopAfterEach();

/** A count of the service `work`, by worker. */
function counted(run: FilterRun, which: 'arrived' | 'started' | 'answered' | 'refused'): readonly number[] {
  return [...run.side.byEpoch.values()].map((services) => Number(services.get('work')?.counts?.[which] ?? 0));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

const SEVERAL = [2, 4];

test.each(SEVERAL)('%i workers: never above the limit, nothing lost, and all of them work', async (workers) => {
  const run = await start({ workers });
  const clients = client(run);
  // The kernel spreads connections by chance: with so many each worker has some.
  const first = await load(clients, burst(64, { name: 'first', each: { workMs: 1 } }));
  const results = [...first, ...(await load(clients, spaced(600, 5.5, { work: exponential(20) })))];
  const verdict = judge({ results, requests: await run.pods.requests(), limit: 1, slots: 4 });
  expect(verdict.outcomes).toEqual({ 200: 664 });
  expect(verdict.strict.peak).toBe(1);
  expect(await run.pods.peak()).toBe(1);
  await until(() => sum(counted(run, 'answered')) === 664, { what: 'all to be reported' });
  expect(counted(run, 'answered').filter((count) => count > 2)).toHaveLength(workers);
});

test.each(SEVERAL)('%i workers: the slots are told once', async (workers) => {
  const run = await start({ workers, limit: 3, pods: { count: 2 } });
  const slots = async () => {
    const stats = await run.envoy.admin.stats({ filter: 'sluice_queue_slots' });
    return stats.ok ? [...stats.value.values()] : [];
  };
  await until(async () => (await slots()).join() === '6', { what: 'the slots to be told' });
  await load(client(run), burst(40, { each: { workMs: 5 } }));
  await pause(1500);
  expect(await slots()).toEqual([6]);
});

test.each(SEVERAL)('%i workers: in the order of arrival', async (workers) => {
  const run = await start({ workers, pods: { count: 2 } });
  // Further apart than the threads of a busy machine are late.
  const results = await load(client(run), spaced(40, 45, { work: () => 130 }));
  const tie = { sent: 40, arrived: 40 };
  const verdict = judge({ results, requests: await run.pods.requests(), limit: 1, slots: 2, tie });
  expect(verdict.outcomes).toEqual({ 200: 40 });
  expect(verdict.order.overtaken).toBe(0);
});

test.each(SEVERAL)('%i workers: pods with several slots are full, and no fuller', async (workers) => {
  const run = await start({ workers, pods: { count: 3 }, limit: 3 });
  const results = await load(client(run), burst(200, { each: { workMs: 30 } }));
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(3);
});

test.each(SEVERAL)('%i workers: clients that give up lose no slot', async (workers) => {
  const run = await start({ workers, limit: 2, settings: { ...SETTINGS, abortHoldMs: 20 } });
  const plan = poisson(1200, 500, { work: exponential(40), seed: 5 }).map((planned, index) =>
    index % 2 === 0 ? { ...planned, abortAfter: 5 + (index % 30) } : planned,
  );
  const results = await load(client(run), plan);
  const { strict, outcomes } = judge({ results, requests: await run.pods.requests(), limit: 2, slots: 8 });
  expect(strict.unexcused).toBe(0);
  expect(outcomes['aborted']).toBeGreaterThan(200);
  // All slots are there: as many run at once as before.
  await run.pods.forget();
  await load(client(run), burst(16, { name: 'after', each: { workMs: 300 } }));
  const counts = await run.pods.counts();
  expect(counts.map(({ peak }) => peak)).toEqual([2, 2, 2, 2]);
});

test('limits and pods change under load', async () => {
  const run = await start({ workers: 2, limit: 2 });
  const [first = '', second = '', third = '', fourth = ''] = run.pods.addresses;
  const running = startLoad(client(run), spaced(900, 4, { work: exponential(20) }));
  const set = (limits: Record<string, number>) =>
    run.side.set({
      name: 'work',
      settings: SETTINGS,
      pods: Object.entries(limits).map(([address, limit]) => ({ address, limit })),
    });
  await pause(600);
  set({ [first]: 1, [second]: 1, [third]: 1, [fourth]: 1 });
  await pause(600);
  const peaks: number[] = [];
  await run.pods.forget();
  await pause(500);
  peaks.push(await run.pods.peak());
  set({ [first]: 1, [second]: 1 });
  await until(() => run.side.events.filter(({ kind }) => kind === 2).length === 4, {
    what: 'both workers to forget two pods',
  });
  await run.pods.forget();
  await pause(500);
  expect(new Set((await run.pods.requests()).map(({ pod }) => pod))).toEqual(new Set([first, second]));
  set({ [first]: 2, [second]: 2, [third]: 2, [fourth]: 2 });
  const results = await running.results;
  peaks.push(await run.pods.peak());
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(peaks).toEqual([1, 2]);
});

test.each(SEVERAL)(
  '%i workers: requests that take several slots, never above the limit, and none starves',
  async (workers) => {
    const settings = { ...SETTINGS, cost: { header: 'x-cost', usual: 1, most: 4 } };
    const run = await start({ workers, pods: { count: 2 }, limit: 4, settings });
    const clients = Array.from({ length: 8 }, () => client(run));
    const costing = (cost: number) => ({ headers: { 'x-cost': String(cost) } });
    // One alone, on an Envoy with nothing else to do.
    const [alone] = await load(client(run), burst(1, { name: '4x-alone-', each: { workMs: 20, ...costing(4) } }));
    expect(alone?.status).toBe(200);
    // More small ones than both pods can do, for as long as the large ones take.
    const all = clients.flatMap((own, i) => [
      startLoad(own, spaced(60, 30, { name: `1x${i}-`, work: () => 40 })),
      startLoad(own, spaced(4, 400, { name: `2x${i}-`, from: 150, work: () => 40, each: costing(2) })),
      startLoad(own, spaced(2, 700, { name: `4x${i}-`, from: 200 + 40 * i, work: () => 40, each: costing(4) })),
    ]);
    const results = (await Promise.all(all.map((one) => one.results))).flat();
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([200]));
    const requests = await run.pods.requests();
    for (const most of Object.values(slotPeaks(requests))) expect(most).toBeLessThanOrEqual(4);
    // Who came first went first: a large one waited hardly longer than the small ones that came when it did.
    const arrived = new Map(requests.map(({ id, arrived: at }) => [id, at]));
    const waits = (cost: string) =>
      results.filter(({ id }) => id.startsWith(cost)).map(({ id, sent }) => (arrived.get(id) ?? 0) - sent);
    const middle = (list: readonly number[]) => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;
    expect(middle(waits('4x'))).toBeLessThan(middle(waits('1x')) + 500);
    await until(() => sum(counted(run, 'answered')) === results.length + 1, { what: 'all to be reported' });
    const done = await load(client(run), burst(1, { name: '9x', each: costing(9) }));
    expect(done.map(({ status }) => status)).toEqual([400]);
  },
);

test.each(SEVERAL)('%i workers: tenants take turns over all of them', async (workers) => {
  const run = await start({ workers, pods: { count: 2 }, settings: { ...SETTINGS, fair: { header: 'x-tenant' } } });
  const of = (tenant: string) => ({ workMs: 20, headers: { 'x-tenant': tenant } });
  // One tenant has a long queue, over a connection: so at one worker.
  const many = startLoad(client(run, h2Client), burst(300, { name: 'many', each: of('many') }));
  await until(async () => (await run.pods.held()) === 2, { what: 'the pods to be busy' });
  await pause(500);
  // Another one comes now and then, to any worker.
  const waits: number[] = [];
  for (let i = 0; i < 12; i++) {
    const result = await client(run).send({ id: `few${i}`, at: 0, ...of('few') });
    expect(result.status).toBe(200);
    waits.push(result.ended - result.sent);
  }
  // Behind all others it would have waited for seconds; it is delayed by one or two requests.
  expect(waits.toSorted((a, b) => a - b)[6]).toBeLessThan(400);
  expect(many.open).toBeGreaterThan(0);
  expect((await many.results).every(({ status }) => status === 200)).toBe(true);
});

test.each(SEVERAL)('%i workers: classes go before each other over all of them', async (workers) => {
  const priority = { header: 'x-class', classes: [{ name: 'high' }, { name: 'low' }], usual: 1 };
  const run = await start({ workers, pods: { count: 1 }, settings: { ...SETTINGS, priority } });
  const of = (name: string) => ({ workMs: 20, headers: { 'x-class': name } });
  const clients = Array.from({ length: 8 }, () => client(run));
  const busy = startLoad(client(run), burst(1, { name: 'busy', each: { workMs: 5000 } }));
  await until(async () => (await run.pods.held()) === 1, { what: 'the pod to be busy' });
  const low = clients.map((each, i) => startLoad(each, burst(5, { name: `low${i}-`, each: of('low') })));
  await until(() => sum(counted(run, 'arrived')) === 41, { what: 'the low ones to wait' });
  const high = clients.map((each, i) => startLoad(each, burst(5, { name: `high${i}-`, each: of('high') })));
  await until(() => sum(counted(run, 'arrived')) === 81, { what: 'the high ones to wait' });
  expect(busy.open).toBe(1);
  const results = (await Promise.all([busy, ...low, ...high].map((one) => one.results))).flat();
  expect(results.every(({ status }) => status === 200)).toBe(true);
  const order = (await run.pods.requests()).toSorted((a, b) => a.arrived - b.arrived).map(({ id }) => id.slice(0, 3));
  // A worker that is late on a busy machine is passed by. Were the workers in the order of age, the low ones would go first.
  expect(order.slice(1, 41).filter((name) => name === 'hig').length).toBeGreaterThanOrEqual(30);
  expect(await run.pods.peak()).toBe(1);
});

test.each(SEVERAL)('%i workers: a job keeps its slot, wherever who waits for it came', async (workers) => {
  const jobs = { jobStatus: 202, jobTimeoutMs: 1500, jobHeader: 'x-pod' };
  const run = await start({ workers, pods: { count: 2 }, settings: { ...SETTINGS, ...jobs } });
  const [first = ''] = run.pods.addresses;
  await run.pods.setMode(first, { kind: 'status', status: 202 });
  const began = performance.now();
  // As soon as the pod has a job, it gets nothing: the other one does all.
  await Promise.all(Array.from({ length: 8 }, () => load(client(run), burst(10, { each: { workMs: 20 } }))));
  const requests = await run.pods.requests();
  const taken = requests.filter(({ pod }) => pod === first);
  expect(requests).toHaveLength(80);
  // A job keeps the slot until its time is over.
  const least = 1 + Math.floor((performance.now() - began) / 1500);
  expect(taken.length).toBeGreaterThanOrEqual(1);
  expect(taken.length).toBeLessThanOrEqual(least);
});

test('the queue is as long as it may be in all workers together', async () => {
  const run = await start({ workers: 4, pods: { count: 1 }, settings: { ...SETTINGS, queueMax: 5 } });
  const results = await load(client(run), burst(30, { each: { workMs: 100 } }));
  expect(results.filter(({ status }) => status === 200)).toHaveLength(6);
  expect(results.filter(({ status }) => status === 429)).toHaveLength(24);
  await until(() => sum(counted(run, 'refused')) === 24, { what: 'the refused to be reported' });
});

test('a service without a queue: who finds a free slot gets it', async () => {
  const run = await start({ workers: 2, pods: { count: 2 }, settings: { ...SETTINGS, queueMax: 0 } });
  for (let i = 0; i < 8; i++) {
    const results = await load(client(run), burst(3, { name: `r${i}-`, each: { workMs: 400 } }));
    expect(results.map(({ status }) => status).sort()).toEqual([200, 200, 429]);
  }
});

test.each(SEVERAL)(
  '%i workers: pods that end and come back under load, and requests that are tried again',
  async (workers) => {
    const run = await start({ workers });
    const [first = '', second = ''] = run.pods.addresses;
    const running = startLoad(client(run), poisson(900, 150, { work: exponential(15), seed: 7 }));
    for (const [address, kind] of [
      [first, 'dead'],
      [second, 'dead'],
      [first, 'normal'],
      [second, 'normal'],
    ] as const) {
      await pause(1000);
      await run.pods.setMode(address, { kind });
    }
    const results = await running.results;
    // What ran at a pod when it ended is lost with it; nobody else is.
    expect(results.filter(({ status }) => status !== 200).length).toBeLessThanOrEqual(2);
    expect(await run.pods.peak()).toBe(1);
  },
);

test.each(SEVERAL)('%i workers: pods that end and are removed, and new ones, under load', async (workers) => {
  const run = await start({ workers, limit: 2, pods: { count: 6 } });
  const set = (addresses: readonly string[]) =>
    run.side.set({ name: 'work', settings: SETTINGS, pods: addresses.map((address) => ({ address, limit: 2 })) });
  const all = run.pods.addresses;
  const running = startLoad(client(run), poisson(1200, 200, { work: exponential(20), seed: 9 }));
  for (let i = 0; i < 5; i++) {
    await pause(500);
    const ended = all[i] ?? '';
    await run.pods.setMode(ended, { kind: 'dead' });
    await pause(300);
    set(all.filter((address) => address !== ended));
    await pause(100);
    await run.pods.setMode(ended, { kind: 'normal' });
    set(all);
  }
  const results = await running.results;
  expect(results.filter(({ status }) => status !== 200).length).toBeLessThanOrEqual(10);
  expect(await run.pods.peak()).toBe(2);
});

test('a pod that refuses connections: each worker finds out, and no client sees it', async () => {
  const run = await start({ workers: 2 });
  const [, dead = ''] = run.pods.addresses;
  await run.pods.setMode(dead, { kind: 'dead' });
  const results = await load(client(run), poisson(300, 100, { seed: 3 }));
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(1);
  await run.pods.setMode(dead, { kind: 'normal' });
  let round = 0;
  const isBack = async () => {
    await load(client(run), burst(20, { name: `after${round++}-`, each: { workMs: 30 } }));
    return (await run.pods.requests()).some(({ pod }) => pod === dead);
  };
  await until(isBack, { what: 'the pod to get requests again', within: 30_000 });
  expect(await run.pods.peak()).toBe(1);
});

test('Sluice is killed and comes back: all workers go on together', async () => {
  const run = await start({ workers: 2 });
  const running = startLoad(client(run), spaced(500, 5.5, { work: exponential(20) }));
  await pause(500);
  const { port } = run.side;
  run.side.stop();
  await pause(1000);
  await run.side.start(port);
  await until(() => run.side.open === 2, { what: 'both workers to come back', within: 10_000 });
  const results = await running.results;
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(1);
});

test.each(SEVERAL)(
  '%i workers: Sluice stands still: they go on together, and hear of the next edit after it',
  async (workers) => {
    const run = await start({ workers, limit: 2 });
    const running = startLoad(client(run), spaced(600, 4, { work: exponential(20) }));
    await pause(400);
    run.side.freeze();
    await until(() => run.side.open === workers, { what: 'the workers to come back', within: 10_000 });
    run.side.set({
      name: 'work',
      settings: SETTINGS,
      pods: run.pods.addresses.map((address) => ({ address, limit: 1 })),
    });
    const results = await running.results;
    expect(results.every(({ status }) => status === 200)).toBe(true);
    await run.pods.forget();
    await load(client(run), burst(40, { name: 'after', each: { workMs: 20 } }));
    expect(await run.pods.peak()).toBe(1);
  },
);

test.each(SEVERAL)(
  '%i workers: new code under load is a member beside the old one, and slots move',
  async (workers) => {
    const run = await start({ workers, dynamic: true, limit: 2 });
    const code = join(tmpdir(), `sluice-queue-workers-${process.pid}-${workers}.wasm`);
    started.push({ stop: () => rm(code) });
    // The same code with another hash: a section that nobody reads.
    await writeFile(code, Buffer.concat([await readFile(CODE), Buffer.from([0, 5, 4, 116, 101, 115, 116])]));
    const running = startLoad(client(run), poisson(1200, 300, { work: exponential(20), seed: 11 }));
    await pause(1000);
    await run.set({ code });
    const results = await running.results;
    expect(results.filter(({ status }) => status !== 200)).toEqual([]);
    expect(await run.pods.peak()).toBe(2);
    expect(run.side.hellos.length).toBeGreaterThanOrEqual(2 * workers);
    await run.pods.forget();
    await load(client(run), burst(32, { name: 'after', each: { workMs: 100 } }));
    expect((await run.pods.counts()).map(({ peak }) => peak)).toEqual([2, 2, 2, 2]);
  },
);

test('HTTP/2 clients and pods', async () => {
  const run = await start({
    workers: 2,
    pods: { count: 2, protocol: 'h2c' },
    limit: 3,
    service: { h2c: true, connections: 4 },
  });
  const clients = [1, 2, 3, 4].map(() => client(run, h2Client));
  const all = await Promise.all(
    clients.map((one, i) => load(one, burst(40, { name: `c${i}-`, each: { workMs: 10 } }))),
  );
  expect(all.flat().every(({ status }) => status === 200)).toBe(true);
  expect(await run.pods.peak()).toBe(3);
});

test('many services share nothing but the workers', async () => {
  const others = Array.from({ length: 50 }, (_, i) => `other-${i}`);
  const run = await start({ workers: 4, pods: { count: 2 }, others });
  for (const name of others) {
    run.side.set({ name, settings: SETTINGS, pods: run.pods.addresses.map((address) => ({ address, limit: 1 })) });
  }
  const own = client(run);
  const plans = others.flatMap((name) => burst(6, { name: `${name}-`, each: { workMs: 5, path: `/${name}` } }));
  const results = await load(own, plans);
  expect(results.every(({ status }) => status === 200)).toBe(true);
  expect(results).toHaveLength(300);
});

test.each([1, ...SEVERAL])(
  '%i workers: a service that takes another one over has its queue and its pods, with what still runs there',
  async (workers) => {
    const run = await start({ workers, pods: { count: 2 }, limit: 2, others: ['next', 'last'] });
    const pods = run.pods.addresses.map((address) => ({ address, limit: 2 }));
    const [own, other] = [client(run), client(run)];
    const runs = [startLoad(own, burst(60, { name: 'before-', each: { workMs: 40 } }))];
    await pause(150);
    run.side.set({ name: 'next', settings: SETTINGS, pods, takes: ['work'] });
    runs.push(startLoad(other, burst(30, { name: 'next-', each: { workMs: 40, path: '/next' } })));
    // By the old name some may still come.
    await pause(50);
    runs.push(startLoad(own, burst(10, { name: 'late-', each: { workMs: 40 } })));
    await until(() => run.side.isKnown, { what: 'all to know the next one' });
    run.side.set({ name: 'last', settings: SETTINGS, pods, takes: ['work', 'next'] });
    await until(() => run.side.isKnown, { what: 'all to know the last one' });
    // Nobody else has to say anything from here on.
    run.side.stop();
    runs.push(startLoad(other, burst(30, { name: 'last-', each: { workMs: 40, path: '/last' } })));
    const results = (await Promise.all(runs.map((one) => one.results))).flat();
    expect(results.filter(({ status }) => status !== 200).slice(0, 3)).toEqual([]);
    const requests = await run.pods.requests();
    expect(await run.pods.peak()).toBe(2);
    // In the order in which they came, whatever their names are.
    expect(fifoOrder(results, requests, { sent: 200, arrived: 60 }).examples).toEqual([]);
  },
);

test.each(SEVERAL)(
  '%i workers: a slot that ends at a pod which its service has lost is seen by all of them',
  async (workers) => {
    const run = await start({ workers, pods: { count: 2 }, others: ['next'] });
    const own = client(run);
    const short = startLoad(own, burst(1, { name: 'short-', each: { workMs: 700 } }));
    const long = startLoad(own, burst(1, { name: 'long-', each: { workMs: 6000 } }));
    await until(async () => (await run.pods.held()) === 2, { what: 'the pods to be busy' });
    const pods = run.pods.addresses.map((address) => ({ address, limit: 1 }));
    run.side.set({ name: 'next', settings: SETTINGS, pods, takes: ['work'] });
    await until(() => run.side.isKnown, { what: 'all to know the next one' });
    run.side.stop();
    // Over as many connections, so that some wait at each worker.
    const next = await load(client(run), burst(24, { name: 'next-', each: { workMs: 20, path: '/next' } }));
    expect(next.filter(({ status }) => status !== 200)).toEqual([]);
    const [one] = await long.results;
    await short.results;
    expect(one?.status).toBe(200);
    expect(next.every(({ ended }) => ended < (one?.ended ?? 0))).toBe(true);
    expect(await run.pods.peak()).toBe(1);
  },
);

test('the VM of one worker traps: the others go on, the limit holds, and its slots come back', async () => {
  const run = await start({ workers: 2, envoy: { control: { allowTrap: true, reclaimMs: 60_000 } } });
  const own = client(run);
  const before = startLoad(own, burst(8, { each: { workMs: 4000 } }));
  await until(async () => (await run.pods.held()) === 4, { what: 'the pods to be busy' });
  const trapped = await own.send({ id: 'trap', at: 0, headers: { 'sluice-test-trap': '1' } });
  expect(trapped.status).toBe(503);
  const results = await before.results;
  expect(results.every(({ status }) => status === 200 || status === 503)).toBe(true);
  let round = 0;
  const isWhole = async () => {
    await run.pods.forget();
    const all = await load(own, burst(12, { name: `round${round++}-`, each: { workMs: 200 } }));
    const counts = await run.pods.counts();
    return all.every(({ status }) => status === 200) && counts.every(({ peak }) => peak === 1);
  };
  await until(isWhole, { what: 'all slots to be in use', within: 30_000 });
  expect(run.side.hellos.length).toBe(3);
});
