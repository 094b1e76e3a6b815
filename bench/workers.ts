// What it costs that the workers of an Envoy share one limit and one queue: the same load, one round after the other, on Envoys
// with one, two and four workers, each with pods of its own.
// npm run bench:workers [-- --rounds 7]: prints the table.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { http1Client } from '../test/e2e/kit/client-http1.ts';
import { closedLoop, load } from '../test/e2e/kit/load.ts';
import { poisson } from '../test/e2e/kit/load-plan.ts';
import { exponential } from '../test/e2e/kit/random.ts';
import { judge } from '../test/e2e/kit/summary.ts';
import { type FilterRun, startRun } from '../test/filter/kit/run.ts';
import { median, ratio, turned } from './rounds.ts';

const WORKERS = [1, 2, 4];
const REQUESTS = 1000;
/** Four pods of limit 1, jobs of 20 ms: 90 % of what they can do. */
const PER_SECOND = 180;
const CLIENTS = 64;
const CLOSED = 8000;
/** Ticks of a second in /proc. */
const HERTZ = 100;

interface Round {
  /** Mean response, and that of one queue without any time lost. */
  readonly response: number;
  readonly ideal: number;
  /** Slot time lost for each request, in milliseconds. */
  readonly lost: number;
  readonly overtaken: number;
  /** By how many requests one was overtaken at most. */
  readonly mostPlaces: number;
  readonly compared: number;
  readonly overLimit: number;
  /** Requests for each second of CPU that Envoy used, with jobs of no time. */
  readonly perCpuSecond: number;
}

async function measure(run: FilterRun, seed: number): Promise<Round> {
  await run.pods.forget();
  const client = http1Client({ port: run.port });
  const results = await load(client, poisson(REQUESTS, PER_SECOND, { work: exponential(20), seed }));
  const { response, ideal, lost, order, strict } = judge({
    results,
    requests: await run.pods.requests(),
    limit: 1,
    slots: 4,
  });
  const before = cpuSeconds(run.envoy.pid);
  await closedLoop(client, { clients: CLIENTS, count: CLOSED, request: (i) => ({ id: `c${i}`, at: 0, workMs: 0 }) });
  const used = cpuSeconds(run.envoy.pid) - before;
  client.close();
  return {
    response: response.mean,
    ideal: ideal?.response.mean ?? Number.NaN,
    lost: lost.total / REQUESTS,
    overtaken: order.overtaken,
    mostPlaces: order.mostPlaces,
    compared: order.compared,
    overLimit: strict.times,
    perCpuSecond: CLOSED / used,
  };
}

/** The CPU time of a process, in seconds. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / HERTZ;
}

async function table(rounds: number): Promise<string> {
  const runs = new Map<number, FilterRun>();
  const all = new Map(WORKERS.map((workers) => [workers, [] as Round[]]));
  try {
    for (const workers of WORKERS) runs.set(workers, await startRun({ workers }));
    for (let round = 0; round < rounds; round++) {
      for (const [workers, run] of turned([...runs], round)) all.get(workers)?.push(await measure(run, round + 1));
    }
  } finally {
    for (const run of runs.values()) await run.stop();
  }
  const one = all.get(1) ?? [];
  const beside = (list: readonly Round[], of: (round: Round) => number) => `${ratio(list, one, of).toFixed(3)} ×`;
  const rows = [...all].map(([workers, list]) => {
    const sum = (of: (round: Round) => number) => list.reduce((total, round) => total + of(round), 0);
    return [
      workers,
      `${median(list.map(({ response, ideal }) => response / ideal)).toFixed(3)} ×`,
      beside(list, ({ response }) => response),
      `${median(list.map(({ lost }) => lost)).toFixed(2)} ms`,
      beside(list, ({ lost }) => lost),
      `${sum(({ overtaken }) => overtaken)} of ${sum(({ compared }) => compared)}`,
      Math.max(...list.map(({ mostPlaces }) => mostPlaces)),
      sum(({ overLimit }) => overLimit),
      Math.round(median(list.map(({ perCpuSecond }) => perCpuSecond))).toLocaleString('en'),
      beside(list, ({ perCpuSecond }) => perCpuSecond),
    ];
  });
  return [
    '| workers | mean response ÷ one queue without loss | ÷ one worker | slot time lost a request | ÷ one worker | overtaken | at most by, places | over the limit | requests for a second of Envoy’s CPU, jobs of 0 ms | ÷ one worker |',
    '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n');
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } });
process.stdout.write(`${await table(Number(values.rounds))}\n`);
