// What a record of each request costs Envoy: an access log in a file, one at a collector, and traces. 100 services of 5 pods,
// requests in bursts of ten, so that half of them wait; an Envoy for each kind, and two that record nothing, with the same load
// in turns; medians of many short rounds. How far the two that should be alike are apart tells how much of it is chance. At
// the end there must be a record for every request.
// npm run bench:records [-- REQUESTS_PER_SECOND ROUNDS SECONDS].
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { rawMethod } from '../src/base/raw-method.ts';
import { envoyBootstrap } from '../src/envoy/bootstrap.ts';
import { startEnvoy } from '../test/e2e/kit/envoy.ts';
import { until } from '../test/e2e/kit/instant.ts';
import { freePorts } from '../test/e2e/kit/ports.ts';
import { middle } from './compare/report/statistics.ts';
import { cpuMs, sendLoad, startPods, writeRouteFile } from './observe-load.ts';

const [rate = 1000, rounds = 7, seconds = 4] = process.argv.slice(2).map(Number);
const LEAD_SECONDS = 2;
const SERVICES = 100;
const PODS = 5;
const BURST = 10;
const WORK_MS = 200;

/** Takes OTLP over gRPC, and counts afterwards, so that the load is not disturbed by it. */
class CountingCollector {
  readonly #messages: Buffer[] = [];
  readonly #server = new Server();

  async start(): Promise<string> {
    const take = (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
      this.#messages.push(call.request);
      reply(null, Buffer.alloc(0));
    };
    this.#server.addService(
      {
        logs: rawMethod('/opentelemetry.proto.collector.logs.v1.LogsService/Export', 'neither'),
        traces: rawMethod('/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'neither'),
      },
      { logs: take, traces: take },
    );
    const port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    return `127.0.0.1:${port}`;
  }

  /** Log records or spans: both are at the same place of their messages. */
  records(): number {
    const { root } = protobuf.parse(`
      syntax = "proto3";
      message Scope { repeated bytes records = 2; }
      message Resource { repeated Scope scopes = 2; }
      message Export { repeated Resource resources = 1; }
    `);
    const type = root.lookupType('Export');
    return this.#messages.reduce((sum, message) => {
      const { resources = [] } = type.toObject(type.decode(message));
      const scopes = resources.flatMap(
        ({ scopes = [] }: { scopes?: readonly { records?: readonly unknown[] }[] }) => scopes,
      );
      return (
        sum +
        scopes.reduce((count: number, { records = [] }: { records?: readonly unknown[] }) => count + records.length, 0)
      );
    }, 0);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

/** A way to record requests. */
interface Kind {
  readonly name: string;
  readonly keys: object;
  /** How many records there are, and how many there have to be for so many answers. */
  readonly count?: { readonly records: () => number; readonly least: (answered: number) => number };
}

/** An Envoy that records in one way, and its control plane. */
interface Side extends Kind {
  readonly port: number;
  readonly control: ChildProcess;
  readonly envoy: Awaited<ReturnType<typeof startEnvoy>>;
  /** Answers so far. */
  answered: number;
  /** Envoy's CPU time for a request, in microseconds, by round. */
  readonly micros: number[];
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const podPort = await startPods(WORK_MS);

async function start(kind: Kind): Promise<Side> {
  const [port = 0, xds = 0, admin = 0, envoyAdmin = 0] = await freePorts(4);
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const args = [
    'serve',
    '--routes',
    writeRouteFile(folder, { services: SERVICES, pods: PODS }, { port, podPort, keys: kind.keys }),
    '--xds',
    `127.0.0.1:${xds}`,
    '--admin',
    `127.0.0.1:${admin}`,
  ];
  const control = spawn(process.execPath, [main, ...args], { stdio: 'ignore' });
  const envoy = await startEnvoy(
    envoyBootstrap({
      nodeId: kind.name.replaceAll(' ', '-'),
      nodeCluster: 'bench',
      xds: { kind: 'tcp', host: '127.0.0.1', port: xds },
      admin: { host: '127.0.0.1', port: envoyAdmin },
    }),
    'warn',
    undefined,
    1,
  );
  const side: Side = { ...kind, port, control, envoy, answered: 0, micros: [] };
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/svc-0/`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(async () => (await answers()) && ++side.answered > 0, {
    what: `${kind.name} to answer`,
    within: 30_000,
    every: 100,
  });
  return side;
}

/** Bursts to one service after the other. */
const path = (sent: number) => `/svc-${Math.floor(sent / BURST) % SERVICES}/some/path`;

async function load(side: Side, forSeconds: number): Promise<number> {
  const answered = await sendLoad({ port: side.port, rate, seconds: forSeconds, path });
  side.answered += answered;
  return answered;
}

async function measure(side: Side): Promise<void> {
  await load(side, LEAD_SECONDS);
  const before = cpuMs(side.envoy.pid);
  const answered = await load(side, seconds);
  side.micros.push(((cpuMs(side.envoy.pid) - before) * 1000) / answered);
}

const file = join(folder, 'access.log');
const lines = () => readFileSync(file, 'utf8').split('\n').length - 1;
const collectors = { log: new CountingCollector(), some: new CountingCollector(), all: new CountingCollector() };
const every = (answered: number) => answered;
const kinds: readonly Kind[] = [
  { name: 'nothing', keys: {} },
  { name: 'nothing too', keys: {} },
  { name: 'access log in a file', keys: { access_log: { path: file } }, count: { records: lines, least: every } },
  {
    name: 'access log at a collector',
    keys: { access_log: { otlp: await collectors.log.start() } },
    count: { records: () => collectors.log.records(), least: every },
  },
  {
    name: 'traces of 10 %',
    keys: { tracing: { otlp: await collectors.some.start(), sample: 10 } },
    // Of so many by chance: a tenth is right to within a few percent.
    count: { records: () => collectors.some.records(), least: (answered) => answered * 0.09 },
  },
  {
    name: 'traces of all',
    keys: { tracing: { otlp: await collectors.all.start(), sample: 100 } },
    count: { records: () => collectors.all.records(), least: every },
  },
];
const sides: Side[] = [];
for (const kind of kinds) sides.push(await start(kind));
// What is compiled and cached at first is no part of the cost.
for (const side of sides) await load(side, seconds);
for (let round = 0; round < rounds; round++) {
  // Each is the first one as often as any other.
  const first = round % sides.length;
  for (const side of [...sides.slice(first), ...sides.slice(0, first)]) await measure(side);
}

const [one, two] = [sides[0]?.micros ?? [], sides[1]?.micros ?? []];
const without = one.map((micros, round) => (micros + (two[round] ?? Number.NaN)) / 2);
for (const { name, micros } of sides) {
  const more = middle(micros.map((value, round) => value - (without[round] ?? Number.NaN)));
  const share = (more * rate) / 10_000;
  console.log(
    `${name}: ${middle(micros).toFixed(0)} µs of Envoy for a request, ${more.toFixed(1)} more: ${share.toFixed(2)} % of a core at ${rate}/s`,
  );
}
// The last ones are on their way for a second.
await sleep(3000);
for (const { name, answered, count } of sides) {
  if (count === undefined) continue;
  const [records, least] = [count.records(), count.least(answered)];
  console.log(`${name}: ${records} records of ${answered} answers${records < least ? ': TOO FEW' : ''}`);
  if (records < least) process.exitCode = 1;
}
for (const { envoy, control } of sides) {
  await envoy.stop();
  control.kill('SIGTERM');
  await new Promise((resolve) => control.once('exit', resolve));
}
for (const collector of Object.values(collectors)) collector.stop();
rmSync(folder, { recursive: true });
process.exit();
