// What the features of the queue cost, all of them on: classes, tenants, deadlines, costs, places, jobs, repeated requests and bodies that
// are waited for, beside the same service with none of them. Both get the same arrivals with the same headers and bodies, in turn.
// npm run bench:order [-- --rounds 9]: prints every round and the medians; exits with 1 where it costs too much.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { http1Client } from '../test/e2e/kit/client-http1.ts';
import { load } from '../test/e2e/kit/load.ts';
import { poisson, rateFor } from '../test/e2e/kit/load-plan.ts';
import { Pods } from '../test/e2e/kit/pods.ts';
import { exponential } from '../test/e2e/kit/random.ts';
import { Sluice } from '../test/e2e/kit/sluice.ts';
import { judge } from '../test/e2e/kit/summary.ts';
import { cpuOf, difference } from './compare/cost/process-cost.ts';
import { findLoadTools, type LoadTools, press, type QuickPods, startQuickPods } from './compare/cost/wrk.ts';
import { table } from './compare/report/format.ts';
import { middle } from './compare/report/statistics.ts';

/** Slot time lost: an open load on pods that work. */
const REQUESTS = 1500;
const WORK_MS = 20;
const PODS = 4;
/** A timer of a pod fires this much late. */
const TIMER_LATE_MS = 0.6;

/** Capacity: wrk keeps twice as many requests open as there are slots of pods that answer at once. */
const QUICK_LIMIT = 8;
const CLIENTS = 64;
const SECONDS = 4;

/** The most slot time that may be lost, and the least capacity, as a multiple of those without. */
const MOST_LOST = 1.15;
const LEAST_CAPACITY = 0.85;

const ALL = {
  queue: {
    max: 10_000,
    priority: { header: 'x-priority', classes: ['high', 'normal', 'low'], default: 'normal', max_wait: { low: '5s' } },
    fair: { header: 'x-tenant', weights: { 'tenant-1': 3 }, max_per_tenant: 5000, slots_per_tenant: 64 },
    deadline: 'exact',
    place: 'on',
    wait_for_body: '64KiB',
  },
  cost: { header: 'x-cost' },
  async: { timeout: '2h' },
  idempotency: { on_duplicate: 'join' },
};
const NONE = { queue: { max: 10_000 } };

const BODY = JSON.stringify({ text: 'x'.repeat(200) });

/** What each request says, by its number: all classes, eight tenants, a deadline that never comes, a key of its own. */
function headersOf(key: string, index: number): Readonly<Record<string, string>> {
  const priority = ['high', 'normal', 'low'][index % 3] ?? 'normal';
  return {
    'content-type': 'application/json',
    'x-priority': priority,
    'x-tenant': `tenant-${index % 8}`,
    'x-request-deadline': '1h',
    'x-cost': '1',
    'idempotency-key': `${key}-${index}`,
  };
}

/** The same for wrk. */
const SCRIPT = `
local n = 0
local start = tostring(os.time()) .. "-"
local classes = { "high", "normal", "low" }
local headers = { ["content-type"] = "application/json", ["x-request-deadline"] = "1h", ["x-cost"] = "1" }
local body = '${BODY}'
request = function()
  n = n + 1
  headers["x-priority"] = classes[n % 3 + 1]
  headers["x-tenant"] = "tenant-" .. n % 8
  headers["idempotency-key"] = start .. n
  return wrk.format("POST", "/", headers, body)
end
`;

/** What one round shows of a side. */
interface Round {
  /** Slot time lost for each request, in milliseconds. */
  readonly lost: number;
  readonly wait: number;
  readonly perSecond: number;
  /** CPU time of Envoy for each of these, in microseconds. */
  readonly cpu: number;
}

interface Side {
  readonly name: string;
  readonly pods: Pods;
  readonly sluice: Sluice;
  readonly quick: { readonly pods: QuickPods; readonly sluice: Sluice };
  readonly rounds: Round[];
}

async function start(
  name: string,
  service: object,
  { tools, folder, network }: { readonly tools: LoadTools; readonly folder: string; readonly network: number },
): Promise<Side> {
  const before = (pods: readonly string[], limit: number) =>
    Sluice.start({
      routes: {
        services: { codec: { static: pods, limit, ...service } },
        routes: [{ match: { prefix: '/' }, service: 'codec' }],
      },
      logLevel: 'info',
    });
  const pods = await Pods.start({ count: PODS, workMs: WORK_MS, network: `127.0.${network}` });
  const own = await mkdtemp(join(folder, 'pods-'));
  const quick = await startQuickPods(tools, { count: PODS, network: `127.0.${network + 1}`, folder: own });
  return {
    name,
    pods,
    sluice: await before(pods.addresses, 1),
    quick: { pods: quick, sluice: await before(quick.addresses, QUICK_LIMIT) },
    rounds: [],
  };
}

async function stop({ pods, sluice, quick }: Side): Promise<void> {
  await Promise.all([sluice.stop(), quick.sluice.stop()]);
  await Promise.all([pods.stop(), quick.pods.stop()]);
}

async function measure(side: Side, round: number, tools: LoadTools, script: string): Promise<Round> {
  await side.pods.forget();
  const plan = poisson(REQUESTS, rateFor(0.9, PODS, WORK_MS + TIMER_LATE_MS), {
    seed: round + 2,
    work: exponential(WORK_MS),
  });
  const client = http1Client({ port: side.sluice.port });
  const results = await load(
    client,
    plan.map((planned, index) => ({
      ...planned,
      headers: headersOf(`r${round}`, index),
      body: Buffer.from(BODY),
    })),
  );
  client.close();
  const verdict = judge({ results, requests: await side.pods.requests(), limit: 1, slots: PODS });
  if (verdict.outcomes['200'] !== REQUESTS) throw new Error(`${side.name}: ${JSON.stringify(verdict.outcomes)}`);
  const { port, envoy } = side.quick.sluice;
  const processes = { proxy: [envoy.pid], controlPlane: [] };
  const before = cpuOf(processes);
  const { perSecond, requests, errors } = await press(tools, port, { clients: CLIENTS, seconds: SECONDS, script });
  const { proxy } = difference(cpuOf(processes), before);
  if (errors > 0) throw new Error(`${side.name}: ${errors} of ${requests} requests failed`);
  return { lost: verdict.lost.total / REQUESTS, wait: verdict.wait.mean, perSecond, cpu: (proxy / requests) * 1000 };
}

const cells = ({ lost, wait, perSecond, cpu }: Round) => [
  lost.toFixed(3),
  wait.toFixed(1),
  Math.round(perSecond).toLocaleString('en'),
  cpu.toFixed(1),
];

/** Every round and the medians, and whether the bounds are kept. */
function report(off: Side, on: Side): { readonly text: string; readonly isKept: boolean } {
  const head = ['', 'slot time lost a request, ms', 'mean wait, ms', 'requests a second', 'CPU of Envoy each, µs'];
  const median = ({ rounds }: Side): Round => {
    const of = (figure: (round: Round) => number) => middle(rounds.map(figure));
    return {
      lost: of(({ lost }) => lost),
      wait: of(({ wait }) => wait),
      perSecond: of(({ perSecond }) => perSecond),
      cpu: of(({ cpu }) => cpu),
    };
  };
  const rows = off.rounds.flatMap((round, at) =>
    [off, on].map((side) => [`round ${at + 1}, ${side.name}`, ...cells(side.rounds[at] ?? round)]),
  );
  const [without, all] = [median(off), median(on)];
  const ratios = (figure: (round: Round) => number) =>
    off.rounds.flatMap((round, at) => {
      const other = on.rounds[at];
      return other === undefined ? [] : [figure(other) / figure(round)];
    });
  const told = (list: readonly number[]) =>
    `${middle(list).toFixed(2)} × (${Math.min(...list).toFixed(2)}–${Math.max(...list).toFixed(2)})`;
  const [lost, capacity] = [ratios((round) => round.lost), ratios(({ perSecond }) => perSecond)];
  const isKept = middle(lost) <= MOST_LOST && middle(capacity) >= LEAST_CAPACITY;
  const verdict = [
    `All on ÷ all off, median of ${lost.length} rounds and their range:`,
    `  slot time lost ${told(lost)}, at most ${MOST_LOST} ×: ${middle(lost) <= MOST_LOST ? 'kept' : 'NOT KEPT'}`,
    `  capacity ${told(capacity)}, at least ${LEAST_CAPACITY} ×: ${middle(capacity) >= LEAST_CAPACITY ? 'kept' : 'NOT KEPT'}`,
  ];
  const medians = [
    ['median, all off', ...cells(without)],
    ['median, all on', ...cells(all)],
  ];
  return { text: `${table(head, [...rows, ...medians])}\n\n${verdict.join('\n')}`, isKept };
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } });
const tools = await findLoadTools(console.error);
if (tools === undefined) process.exit(1);
const folder = await mkdtemp(join(tmpdir(), 'sluice-order-'));
const script = join(folder, 'requests.lua');
await writeFile(script, SCRIPT);
const off = await start('all off', NONE, { tools, folder, network: 90 });
const on = await start('all on', ALL, { tools, folder, network: 92 });
try {
  // The first round warms up.
  for (let round = -1; round < Number(values.rounds); round++) {
    for (const side of round % 2 === 0 ? [off, on] : [on, off]) {
      const seen = await measure(side, round, tools, script);
      if (round >= 0) side.rounds.push(seen);
    }
    console.error(`round ${round + 1} of ${values.rounds}`);
  }
} finally {
  await Promise.all([stop(off), stop(on)]);
  await rm(folder, { recursive: true, force: true });
}
const { text, isKept } = report(off, on);
console.log(text);
process.exitCode = isKept ? 0 : 1;
