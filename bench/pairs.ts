// What it costs that several Envoys share one limit and one queue, with one Sluice and with one each: the same load, one round after the
// other, on one pair of Sluice and Envoy, on two Envoys of one Sluice, and on two pairs, each with pods of its own.
// npm run bench:pairs [-- --rounds 9] [--workers 1]: prints the table. `--workers`: threads of each Envoy that shares with another one.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { envoyBootstrap } from '../src/envoy/bootstrap.ts';
import { sum } from '../src/slots/coordinator.ts';
import { http1Client } from '../test/e2e/kit/client-http1.ts';
import { startEnvoy, type TestEnvoy } from '../test/e2e/kit/envoy.ts';
import { until } from '../test/e2e/kit/instant.ts';
import { type LoadClient, load } from '../test/e2e/kit/load.ts';
import { type Planned, poisson, rateFor } from '../test/e2e/kit/load-plan.ts';
import { Pods } from '../test/e2e/kit/pods.ts';
import { freePorts } from '../test/e2e/kit/ports.ts';
import { exponential } from '../test/e2e/kit/random.ts';
import { SluiceProcess } from '../test/e2e/kit/sluice-process.ts';
import { judge } from '../test/e2e/kit/summary.ts';
import { median, ratio, turned } from './rounds.ts';

/** Four pods of limit 1, at 90 % of what they can do. */
const SLOTS = 4;
const SHARE = 0.9;
/** How long jobs take on average, in milliseconds, and how many of them a round has. */
const JOBS = [
  { workMs: 20, requests: 1000 },
  { workMs: 100, requests: 400 },
] as const;
/** What a request costs its slot beside its work, in milliseconds, roughly. */
const OVERHEAD_MS = 2;
/** `queue.slack` as it is when nobody sets it; not more than a request usually works. */
const SLACK_MS = 20;

/** Which Sluices and Envoys are there: for each Sluice how many Envoys it has. The second Sluice follows the first. */
const SETUPS = [
  { name: 'one pair', envoys: [1] },
  { name: 'two Envoys of one Sluice', envoys: [2] },
  { name: 'two pairs', envoys: [1, 1] },
] as const;

interface Round {
  /** Mean response, and that of one queue without any time lost. */
  readonly response: number;
  readonly ideal: number;
  readonly lost: number;
  readonly overtaken: number;
  readonly compared: number;
  readonly worstMs: number;
  readonly overLimit: number;
}

/** Sluices, Envoys, and the pods that they share. */
class Setup {
  readonly #pods: Pods;
  readonly #folder: string;
  readonly #sluices: SluiceProcess[] = [];
  readonly #envoys: TestEnvoy[] = [];
  readonly #clients: LoadClient[] = [];

  private constructor(pods: Pods, folder: string) {
    this.#pods = pods;
    this.#folder = folder;
  }

  static async start(envoys: readonly number[], workers: number): Promise<Setup> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-pairs-'));
    const setup = new Setup(await Pods.start({ count: SLOTS }), folder);
    let coordinator: number | undefined;
    for (const [index, count] of envoys.entries()) {
      const port = await setup.#sluice(`sluice-${index}`, coordinator);
      coordinator ??= port;
      for (let i = 0; i < count; i++) setup.#envoys.push(await envoyOf(`edge-${index}-${i}`, port, workers));
    }
    for (const client of setup.#clients) await serves(client);
    return setup;
  }

  async measure(plan: readonly Planned[]): Promise<Round> {
    await this.#pods.forget();
    const clients = this.#clients;
    let turn = 0;
    const client: LoadClient = {
      send: (request) => (clients[turn++ % clients.length] as LoadClient).send(request),
      close: () => {},
    };
    const results = await load(client, plan);
    const requests = await this.#pods.requests();
    const { response, ideal, lost, order, strict } = judge({ results, requests, limit: 1, slots: SLOTS });
    return {
      response: response.mean,
      ideal: ideal?.response.mean ?? Number.NaN,
      lost: lost.total / plan.length,
      overtaken: order.overtaken,
      compared: order.compared,
      worstMs: order.worstMs,
      overLimit: strict.times,
    };
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.#envoys.map((envoy) => envoy.stop()));
    await Promise.all(this.#sluices.map((sluice) => sluice.end()));
    await this.#pods.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Starts one, with a port for requests that all its Envoys have, and gives where they connect. */
  async #sluice(name: string, coordinator: number | undefined): Promise<number> {
    const [xds = 0, traffic = 0] = await freePorts(2);
    const routes = join(this.#folder, `${name}.yaml`);
    const file = {
      version: 1,
      listen: { port: traffic },
      services: { codec: { static: this.#pods.addresses, limit: 1 } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    };
    // JSON is YAML.
    await writeFile(routes, JSON.stringify(file));
    const follow = coordinator === undefined ? [] : ['--coordinator', `127.0.0.1:${coordinator}`];
    const sluice = new SluiceProcess([
      ...['serve', '--routes', routes, '--xds', `127.0.0.1:${xds}`, '--admin', '127.0.0.1:0'],
      ...['--state-dir', join(this.#folder, name), ...follow],
    ]);
    this.#sluices.push(sluice);
    await sluice.logged('it serves', ({ msg }) => msg === 'serving');
    this.#clients.push(http1Client({ port: traffic }));
    return xds;
  }
}

function envoyOf(nodeId: string, port: number, workers: number): Promise<TestEnvoy> {
  const xds = { kind: 'tcp', host: '127.0.0.1', port } as const;
  const admin = { host: '127.0.0.1', port: 0 };
  return startEnvoy(envoyBootstrap({ nodeId, nodeCluster: 'bench', xds, admin }), 'warn', undefined, workers);
}

async function serves(client: LoadClient): Promise<void> {
  let sent = 0;
  const isServed = async () => (await client.send({ id: `hello-${sent++}`, at: 0, workMs: 1 })).status === 200;
  await until(isServed, { what: 'an answer', within: 20_000 });
}

async function table(rounds: number, workers: number): Promise<string> {
  const setups: (readonly [string, Setup])[] = [];
  const all = new Map<string, Round[]>();
  const keyOf = (name: string, workMs: number) => `${name} ${workMs}`;
  try {
    for (const { name, envoys } of SETUPS)
      setups.push([name, await Setup.start(envoys, sum(envoys) === 1 ? 1 : workers)]);
    // Programs are slower at first.
    for (const [, setup] of setups)
      await setup.measure(poisson(500, rateFor(0.5, SLOTS, 20), { work: exponential(20) }));
    for (let seed = 1; seed <= rounds; seed++) {
      for (const { workMs, requests } of JOBS) {
        const plan = poisson(requests, rateFor(SHARE, SLOTS, workMs + OVERHEAD_MS), {
          work: exponential(workMs),
          seed,
        });
        for (const [name, setup] of turned(setups, seed)) {
          const measured = await setup.measure(plan);
          all.set(keyOf(name, workMs), [...(all.get(keyOf(name, workMs)) ?? []), measured]);
        }
      }
    }
  } finally {
    for (const [, setup] of setups) await setup.stop();
  }
  const rows = JOBS.flatMap(({ workMs }) => {
    const one = all.get(keyOf('one pair', workMs)) ?? [];
    return SETUPS.map(({ name }) => row(`${name}`, { workMs, list: all.get(keyOf(name, workMs)) ?? [], one }));
  });
  return [
    '| | jobs | mean response ÷ one queue without loss | ÷ one pair | slot time lost a request | overtaken | at most by | over the limit |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `Between Envoys one may overtake by ${SLACK_MS} ms (\`queue.slack\`), and by what messages take.`,
  ].join('\n');
}

function row(
  name: string,
  { workMs, list, one }: { readonly workMs: number; readonly list: readonly Round[]; readonly one: readonly Round[] },
): readonly (string | number)[] {
  const total = (rounds: readonly Round[], of: (round: Round) => number) => sum(rounds.map(of));
  return [
    name,
    `${workMs} ms`,
    `${median(list.map(({ response, ideal }) => response / ideal)).toFixed(3)} ×`,
    `${ratio(list, one, ({ response }) => response).toFixed(3)} ×`,
    `${median(list.map(({ lost }) => lost)).toFixed(2)} ms`,
    `${((total(list, ({ overtaken }) => overtaken) / total(list, ({ compared }) => compared)) * 100).toFixed(1)} %`,
    `${Math.max(...list.map(({ worstMs }) => worstMs)).toFixed(0)} ms`,
    total(list, ({ overLimit }) => overLimit),
  ];
}

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, workers: { type: 'string', default: '1' } },
});
process.stdout.write(`${await table(Number(values.rounds), Number(values.workers))}\n`);
