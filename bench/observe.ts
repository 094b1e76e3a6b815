// What observing costs: 100 services, 1,000 pods, one Envoy whose queue filter reports to Sluice and two whose filters
// report to nobody, the same load on all in turns; medians of many short rounds, since Envoy's part is a small difference of
// two large numbers. How far the two that should be alike are apart tells how much of it is chance. At the end every
// request must have been counted.
// BENCH_BEFORE=FOLDER: one more, observed by the Sluice in that folder, to compare two versions in one run.
// npm run bench:observe [-- REQUESTS_PER_SECOND WORK_MS ROUNDS SECONDS]. Judges nothing.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { envoyBootstrap } from '../src/envoy/bootstrap.ts';
import { statusSchema } from '../src/status/status.ts';
import { startEnvoy } from '../test/e2e/kit/envoy.ts';
import { until } from '../test/e2e/kit/instant.ts';
import { freePorts } from '../test/e2e/kit/ports.ts';
import { middle } from './compare/report/statistics.ts';
import { cpuMs, sendLoad, startPods, writeRouteFile } from './observe-load.ts';

const [rate = 1000, workMs = 200, rounds = 9, seconds = 4] = process.argv.slice(2).map(Number);
/** Before each measurement the load runs for so long. */
const LEAD_SECONDS = 3;
const SERVICES = 100;
const PODS = 10;
const NODE_OPTIONS = (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter(Boolean);

const BEFORE = process.env['BENCH_BEFORE'];

const source = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));

const podPort = await startPods(workMs);

type Name = 'observed' | 'before' | 'unobserved' | 'unobserved too';

/** An Envoy and its control plane. */
interface Side {
  readonly name: Name;
  readonly port: number;
  readonly admin: number;
  readonly control: ChildProcess;
  readonly envoy: Awaited<ReturnType<typeof startEnvoy>>;
}

async function start(name: Name): Promise<Side> {
  const [port = 0, xds = 0, admin = 0, envoyAdmin = 0] = await freePorts(4);
  const file = writeRouteFile(folder, { services: SERVICES, pods: PODS }, { port, podPort });
  const observed = name === 'observed' || name === 'before';
  const main = name === 'before' ? join(BEFORE ?? '', 'src/main.ts') : source('src/main.ts');
  const args = observed
    ? [main, 'serve', '--routes', file, '--xds', `127.0.0.1:${xds}`, '--admin', `127.0.0.1:${admin}`]
    : [source('bench/unobserved.ts'), file, `${xds}`];
  const control = spawn(process.execPath, [...NODE_OPTIONS, ...args], {
    stdio: ['ignore', 'ignore', process.env['BENCH_LOG'] ? 'inherit' : 'ignore'],
  });
  const envoy = await startEnvoy(
    envoyBootstrap({
      nodeId: name.replaceAll(' ', '-'),
      nodeCluster: 'bench',
      xds: { kind: 'tcp', host: '127.0.0.1', port: xds },
      admin: { host: '127.0.0.1', port: envoyAdmin },
    }),
    'warn',
    undefined,
    1,
  );
  const live = async () => (await envoy.admin.state()).ok && (await answers(port));
  await until(live, { what: `${name} to answer`, within: 30_000, every: 100 });
  return { name, port, admin, control, envoy };
}

/** How many were answered well, by port. */
const answers200 = new Map<number, number>();

function noteAnswer(port: number): void {
  answers200.set(port, (answers200.get(port) ?? 0) + 1);
}

function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/svc-0/`).then(
    ({ ok }) => {
      if (ok) noteAnswer(port);
      return ok;
    },
    () => false,
  );
}

/** Sends the load for so many seconds and waits for the answers; how many there were. */
function load(port: number, forSeconds: number): Promise<number> {
  const path = (sent: number) => `/svc-${sent % SERVICES}/some/path`;
  return sendLoad({ port, rate, seconds: forSeconds, path, onAnswer: () => noteAnswer(port) });
}

/** Percent of a core that a control plane and an Envoy use while `during` runs. */
interface Cost {
  readonly control: number;
  readonly envoy: number;
}

/** `during` resolves to how many requests were answered; what is used is told as if they had been so many a second. */
async function cost({ control, envoy }: Side, during: () => Promise<number | undefined>): Promise<Cost> {
  const [a, b, began] = [cpuMs(control.pid), cpuMs(envoy.pid), performance.now()];
  const done = await during();
  const ms = done === undefined ? performance.now() - began : (done / rate) * 1000;
  const percent = (used: number) => (used / ms) * 100;
  return { control: percent(cpuMs(control.pid) - a), envoy: percent(cpuMs(envoy.pid) - b) };
}

/** Exact: the status has counted every answer, those of the warm-up and of the probe at the start included. */
async function checkCounts({ admin, port }: Side): Promise<void> {
  await sleep(1500);
  const response = await fetch(`http://127.0.0.1:${admin}/status`);
  const { services } = statusSchema.parse(await response.json());
  const counted = services.reduce(
    (sum, one) => sum + (one.kind === 'limited' ? (one.traffic?.total.answered ?? 0) : 0),
    0,
  );
  const seen = answers200.get(port) ?? 0;
  console.log(`${counted} counted of ${seen} answered${counted === seen ? '' : ': NOT THE SAME'}`);
  if (counted !== seen) process.exitCode = 1;
}

const percent = (value: number) => `${value.toFixed(1)} %`;

function print(what: string, costs: readonly { readonly on: Cost; readonly off: Cost }[]): void {
  const sluice = middle(costs.map(({ on }) => on.control));
  const extra = middle(costs.map(({ on, off }) => on.envoy - off.envoy));
  const envoys = `Envoy ${percent(middle(costs.map(({ on }) => on.envoy)))} against ${percent(middle(costs.map(({ off }) => off.envoy)))}`;
  const each = costs.map(({ on, off }) => (on.control + on.envoy - off.envoy).toFixed(1)).join(' ');
  console.log(
    `${what}: ${percent(sluice + extra)} of a core: Sluice ${percent(sluice)}, Envoy's part ${percent(extra)} (${envoys}); rounds ${each}`,
  );
}

async function compare(
  what: string,
  run: (side: Side) => Promise<number | undefined>,
  lead: (side: Side) => Promise<unknown> = async () => {},
): Promise<void> {
  const costs = new Map(sides.map(({ name }) => [name, [] as Cost[]]));
  for (let round = 0; round < rounds; round++) {
    // Each side is the first one as often as any other.
    const first = round % sides.length;
    for (const side of [...sides.slice(first), ...sides.slice(0, first)]) {
      await lead(side);
      costs.get(side.name)?.push(await cost(side, () => run(side)));
    }
  }
  const [off = [], too = []] = [costs.get('unobserved'), costs.get('unobserved too')];
  const apart = off.map(({ envoy }, at) => envoy - (too[at]?.envoy ?? 0));
  const mean = off.map((one, at): Cost => ({ control: 0, envoy: one.envoy - (apart[at] ?? 0) / 2 }));
  for (const name of ['before', 'observed'] as const) {
    const pairs = (costs.get(name) ?? []).flatMap((on, at) => (mean[at] ? [{ on, off: mean[at] }] : []));
    if (pairs.length > 0) print(`${what}${name === 'before' ? ' (before)' : ''}`, pairs);
  }
  console.log(`  two that nobody observes are ${percent(middle(apart))} apart`);
}

const on = await start('observed');
const sides = [
  on,
  ...(BEFORE === undefined ? [] : [await start('before')]),
  await start('unobserved'),
  await start('unobserved too'),
];
// What is compiled and cached at first is no part of the cost.
for (const { port } of sides) await load(port, seconds);
await compare('idle', async () => {
  await sleep((seconds * 1000) / 2);
  return undefined;
});
let answered = 0;
const loaded = async ({ port }: Side) => {
  const done = await load(port, seconds);
  answered += done;
  return done;
};
const lead = ({ port }: Side) => load(port, LEAD_SECONDS);
await compare(`${rate} requests/s of ${workMs} ms`, loaded, lead);
const watched = sides.filter(({ name }) => name === 'observed' || name === 'before');
const ask = (path: string, { admin }: Side) => get({ host: '127.0.0.1', port: admin, path }, (r) => r.resume());
const viewers = watched.map((side) => ask('/events', side));
const scrape = setInterval(() => watched.forEach((side) => void ask('/metrics', side)), 5000);
await compare('with a dashboard open and a scrape every 5 s', loaded, lead);
console.log(`${answered} answered on all sides`);
await checkCounts(on);
clearInterval(scrape);
for (const viewer of viewers) viewer.destroy();
for (const { control, envoy } of sides) {
  await envoy.stop();
  control.kill('SIGTERM');
  await new Promise((resolve) => control.once('exit', resolve));
}
rmSync(folder, { recursive: true });
process.exit();
