// What the order of a queue costs: classes, tenants, deadlines and costs, all on, beside the same service with none of them. Both
// get the same arrivals with the same headers, in turn. npm run bench:order: prints the table; exits with 1 where it costs too much.
import { http1Client } from '../test/e2e/kit/client-http1.ts';
import { closedLoop, load } from '../test/e2e/kit/load.ts';
import { poisson, rateFor } from '../test/e2e/kit/load-plan.ts';
import { Pods } from '../test/e2e/kit/pods.ts';
import { exponential } from '../test/e2e/kit/random.ts';
import { Sluice } from '../test/e2e/kit/sluice.ts';
import { judge } from '../test/e2e/kit/summary.ts';

const ROUNDS = 6;
const REQUESTS = 1500;
const WORK_MS = 20;
const PODS = 4;
/** A timer of a pod fires this much late. */
const TIMER_LATE_MS = 0.6;
const CLIENTS = 64;
const SHORT = 20_000;

/** The most slot time that may be lost, and the least capacity, as a multiple of those without. */
const MOST_LOST = 1.15;
const LEAST_CAPACITY = 0.85;

const ALL = {
  queue: {
    max: 10_000,
    priority: { header: 'x-priority', classes: ['high', 'normal', 'low'], default: 'normal', max_wait: { low: '5s' } },
    fair: { header: 'x-tenant', weights: { 'tenant-1': 3 }, max_per_tenant: 5000, slots_per_tenant: 64 },
    deadline: 'exact',
  },
  cost: { header: 'x-cost' },
};
const NONE = { queue: { max: 10_000 } };

interface Side {
  readonly name: string;
  readonly pods: Pods;
  readonly sluice: Sluice;
  readonly short: { readonly pods: Pods; readonly sluice: Sluice };
  readonly lost: number[];
  readonly wait: number[];
  readonly capacity: number[];
}

async function start(name: string, service: object, network: number): Promise<Side> {
  const made = async (count: number, limit: number, workMs: number, own: number) => {
    const pods = await Pods.start({ count, workMs, network: `127.0.${own}` });
    const services = { codec: { static: pods.addresses, limit, ...service } };
    const sluice = await Sluice.start({ routes: { services, routes: [{ match: { prefix: '/' }, service: 'codec' }] } });
    return { pods, sluice };
  };
  const usual = await made(PODS, 1, WORK_MS, network);
  const short = await made(PODS, 16, 0, network + 1);
  return { name, ...usual, short, lost: [], wait: [], capacity: [] };
}

/** What each request says, by its number: all classes, eight tenants, a deadline that never comes. */
function headersOf(index: number): Readonly<Record<string, string>> {
  const priority = ['high', 'normal', 'low'][index % 3] ?? 'normal';
  return { 'x-priority': priority, 'x-tenant': `tenant-${index % 8}`, 'x-request-deadline': '1h', 'x-cost': '1' };
}

async function measure(side: Side, round: number): Promise<void> {
  await side.pods.forget();
  const plan = poisson(REQUESTS, rateFor(0.9, PODS, WORK_MS + TIMER_LATE_MS), {
    seed: round + 1,
    work: exponential(WORK_MS),
  });
  const client = http1Client({ port: side.sluice.port });
  const results = await load(
    client,
    plan.map((planned, index) => ({ ...planned, headers: headersOf(index) })),
  );
  client.close();
  const verdict = judge({ results, requests: await side.pods.requests(), limit: 1, slots: PODS });
  if (verdict.outcomes['200'] !== REQUESTS) throw new Error(`${side.name}: ${JSON.stringify(verdict.outcomes)}`);
  side.lost.push(verdict.lost.total / REQUESTS);
  side.wait.push(verdict.wait.mean);
  const closed = http1Client({ port: side.short.sluice.port });
  const before = performance.now();
  const done = await closedLoop(closed, {
    clients: CLIENTS,
    count: SHORT,
    request: (index) => ({ id: `s${index}`, at: 0, workMs: 0, headers: headersOf(index) }),
  });
  const seconds = (performance.now() - before) / 1000;
  closed.close();
  if (done.some(({ status }) => status !== 200)) throw new Error(`${side.name}: a short request failed`);
  side.capacity.push(SHORT / seconds);
  await side.short.pods.forget();
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}

const sides = [await start('off', NONE, 90), await start('all on', ALL, 92)];
try {
  for (let round = -1; round < ROUNDS; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) await measure(side, round);
    // The first round warms up.
    if (round === -1)
      for (const { lost, wait, capacity } of sides) for (const list of [lost, wait, capacity]) list.length = 0;
  }
} finally {
  for (const { pods, sluice, short } of sides) {
    await Promise.all([sluice.stop(), short.sluice.stop()]);
    await Promise.all([pods.stop(), short.pods.stop()]);
  }
}
for (const { name, lost, wait, capacity } of sides) {
  console.log(
    `${name.padEnd(8)} slot time lost ${median(lost).toFixed(3)} ms a request, mean wait ${median(wait).toFixed(1)} ms, ${Math.round(median(capacity))} requests/s`,
  );
}
const [off, on] = sides;
const lost = median(on?.lost ?? []) / median(off?.lost ?? []);
const capacity = median(on?.capacity ?? []) / median(off?.capacity ?? []);
console.log(`all on / off: slot time lost ${lost.toFixed(2)} ×, capacity ${capacity.toFixed(2)} ×`);
process.exitCode = lost <= MOST_LOST && capacity >= LEAST_CAPACITY ? 0 : 1;
