/**
 * Holds the waits that clients are told (`queue: {place: on}`) against those that they had, on a real Envoy: prints how far they are
 * apart in the middle, and writes it to docs/queue.md. `npm run bench:estimates`
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { h2Client } from '../test/e2e/kit/client-h2.ts';
import { type LoadResult, load } from '../test/e2e/kit/load.ts';
import { type Planned, poisson } from '../test/e2e/kit/load-plan.ts';
import { Pods } from '../test/e2e/kit/pods.ts';
import { exponential, fixed, lognormal, type ServiceTime } from '../test/e2e/kit/random.ts';
import { Sluice } from '../test/e2e/kit/sluice.ts';

const PODS = 8;
const WORK_MS = 50;
/** Until then nothing is usual. */
const WARM_UP = 300;
const REQUESTS = 5000;
/** Requests that are open all the time, where the load is closed: 8 at pods, the others wait. */
const OPEN = 48;

/** What was told of a request, and what became of it. */
interface Wait {
  readonly position: number;
  readonly estimate: number;
  readonly waited: number;
}

interface Scenario {
  readonly title: string;
  readonly work: ServiceTime;
  /** Share of the slots that are in use; undefined: always `OPEN` requests are there. */
  readonly load: number | undefined;
}

const SCENARIOS: readonly Scenario[] = [
  { title: 'exponential work, 48 clients', work: exponential(WORK_MS), load: undefined },
  { title: 'exponential work, 95 % load', work: exponential(WORK_MS), load: 0.95 },
  { title: 'equal work, 48 clients', work: fixed(WORK_MS), load: undefined },
  { title: 'log-normal work (σ 1), 48 clients', work: lognormal({ mean: WORK_MS, sigma: 1 }), load: undefined },
];

function waitsOf(results: readonly LoadResult[]): readonly Wait[] {
  return results.slice(WARM_UP).flatMap(({ status, headers }) => {
    if (status !== 200) throw new Error(`a request was answered ${status}`);
    const place = /^position=(\d+), estimate=(\d+)$/.exec(headers['sluice-queue'] ?? '');
    const waited = /^queue;dur=([\d.]+)$/.exec(headers['server-timing'] ?? '');
    if (place === null || waited === null) return [];
    return [{ position: Number(place[1]), estimate: Number(place[2]), waited: Number(waited[1]) }];
  });
}

/** The middle of how far estimates and waits were apart, as a share of the wait. */
function medianError(waits: readonly Wait[]): number {
  const errors = waits.map(({ estimate, waited }) => Math.abs(estimate - waited) / waited).sort((a, b) => a - b);
  return errors[errors.length >> 1] ?? Number.NaN;
}

/** As many requests as are open all the time: each that ends is followed by the next. */
async function closedLoad(port: number, work: ServiceTime): Promise<readonly LoadResult[]> {
  const client = h2Client({ port });
  const plan = [...poisson(REQUESTS, 1, { work })];
  const results: LoadResult[] = [];
  const one = async () => {
    for (let next: Planned | undefined = plan.shift(); next !== undefined; next = plan.shift())
      results.push(await client.send(next));
  };
  await Promise.all(Array.from({ length: OPEN }, one));
  client.close();
  return results;
}

async function openLoad(port: number, work: ServiceTime, share: number): Promise<readonly LoadResult[]> {
  const client = h2Client({ port });
  const results = await load(client, poisson(REQUESTS, (share * PODS * 1000) / WORK_MS, { work, seed: 4 }));
  client.close();
  return results;
}

async function measure({ work, load: share }: Scenario): Promise<readonly Wait[]> {
  const pods = await Pods.start({ count: PODS });
  const sluice = await Sluice.start({
    routes: {
      services: { codec: { static: pods.addresses, limit: 1, queue: { place: 'on' } } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    },
  });
  try {
    return waitsOf(await (share === undefined ? closedLoad(sluice.port, work) : openLoad(sluice.port, work, share)));
  } finally {
    await sluice.stop();
    await pods.stop();
  }
}

const PLACES = [
  ['all', 1, Number.POSITIVE_INFINITY],
  ['1 to 4', 1, 4],
  ['5 to 19', 5, 19],
  ['20 and more', 20, Number.POSITIVE_INFINITY],
] as const;

const percent = (share: number) => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(0)} %`);

const rows: string[] = [];
let worst = 0;
for (const scenario of SCENARIOS) {
  const waits = await measure(scenario);
  const cells = PLACES.map(([, from, to]) =>
    percent(medianError(waits.filter(({ position }) => position >= from && position <= to))),
  );
  rows.push(`| ${[scenario.title, String(waits.length), ...cells].join(' | ')} |`);
  if (scenario === SCENARIOS[0]) worst = medianError(waits);
}
const made = [
  `| ${PODS} slots, jobs of ${WORK_MS} ms | waited | ${PLACES.map(([name]) => (name === 'all' ? 'median error' : `at place ${name}`)).join(' | ')} |`,
  '| --- | ---: | ---: | ---: | ---: | ---: |',
  ...rows,
].join('\n');
process.stdout.write(`${made}\n`);
const page = fileURLToPath(new URL('../docs/queue.md', import.meta.url));
const marks = ['<!-- measured: npm run bench:estimates -->', '<!-- end of bench:estimates -->'] as const;
const [before = '', rest = ''] = readFileSync(page, 'utf8').split(marks[0]);
const [, after = ''] = rest.split(marks[1]);
writeFileSync(page, `${before}${marks[0]}\n\n${made}\n\n${marks[1]}${after}`);
// Steady load of exponential work: half of all estimates are to be within a quarter.
process.exitCode = worst < 0.25 ? 0 : 1;
