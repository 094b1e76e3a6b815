// What the coordinator of shared slots costs: Sluice's side of the filters' streams in this process, 20 Envoys in another one, 1,000
// services of 10 pods of limit 1. CPU time is that of this process: messages are read, steps made, messages written.
// npm run bench:coordinator [-- SECONDS MEMBERS SERVICES PODS]: prints the table, and writes it to docs/shared-slots.md.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { systemClock } from '../src/base/clock.ts';
import { makeLogger } from '../src/base/log.ts';
import type { ServiceName } from '../src/model/service.ts';
import { MemberRegister } from '../src/slots/register.ts';
import { SlotsServer } from '../src/slots/server.ts';
import { Sharing } from '../src/slots/sharing.ts';
import type { Wanted } from '../src/slots/wanted.ts';

/** Where the Envoys are, and what they carry. */
export interface Place {
  readonly port: number;
  readonly members: number;
  readonly services: readonly { readonly name: string; readonly pods: readonly string[] }[];
}

/** What comes to them: over how many of the services, and how long a pod works on it. */
export interface Load {
  readonly perSecond: number;
  readonly workMs: number;
  readonly services: number;
}

/** What they have counted since they were asked last. */
export interface Counted {
  requests: number;
  /** Slots that were given to somebody. */
  grants: number;
  /** Messages to the coordinator, and from it. */
  up: number;
  down: number;
}

const [seconds = 10, members = 20, count = 1000, podCount = 10] = process.argv.slice(2).map(Number);
const services = Array.from({ length: count }, (_, i) => ({
  name: `service-${i}`,
  pods: Array.from({ length: podCount }, (__, p) => `10.${i >> 8}.${i & 255}.${p + 1}:8080`),
}));
const SETTINGS = {
  max: 1_000_000,
  timeoutMs: 0,
  fullStatus: 429,
  abortHoldMs: 0,
  slackMs: 20,
  ejection: { consecutive5xx: 0, consecutiveGateway: 0, baseMs: 1, maxMs: 1 },
  tellPlace: false,
  waitForBodyBytes: 0,
  jobs: undefined,
  idempotency: undefined,
  ownSlots: false,
};

/** Starts Sluice's side, and resolves to its port. */
async function start(): Promise<number> {
  const wanted = services.map(({ name, pods }): readonly [ServiceName, Wanted] => [
    name as ServiceName,
    { kind: 'service', settings: SETTINGS, pods: new Map(pods.map((pod) => [pod, { limit: 1, unhealthy: false }])) },
  ]);
  const slots = new SlotsServer({
    clock: systemClock,
    onEvent: (event) => {
      sharing.record(event);
      if (event.kind !== 'hello') return;
      const member = slots.member(event);
      if (member === undefined) return;
      for (const each of wanted) member.want(each);
      member.setSynced();
      slots.flush(member);
    },
  });
  const register = new MemberRegister({ kept: undefined, onFault: () => undefined });
  const sharing = new Sharing({
    clock: systemClock,
    log: makeLogger('silent'),
    register,
    coordination: { kind: 'alone', takeTerm: (now) => register.takeTerm(now) },
    relays: () => {
      throw new Error('it follows nobody');
    },
    reclaimMs: undefined,
    takenByJobs: () => 0,
    ended: () => undefined,
    members: (node) => slots.members(node),
    flush: (member) => slots.flush(member),
    end: (member, reason) => slots.drop(member, reason),
    changed: () => undefined,
  });
  sharing.follow(
    services.map(({ name, pods }) => ({ name: name as ServiceName, limits: new Map(pods.map((pod) => [pod, 1])) })),
  );
  const server = new Server();
  server.addService(slots.definition, slots.implementation);
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

const envoys = fork(fileURLToPath(new URL('./coordinator-members.ts', import.meta.url)));

/** Tells the Envoys something, and resolves to what they have counted until then. */
async function tell(message: { readonly place: Place } | { readonly load: Load }): Promise<Counted> {
  envoys.send(message);
  const [{ counted, ...rest }] = await once(envoys, 'message');
  if (counted === undefined) throw new Error(JSON.stringify(rest));
  return counted;
}

const SCENARIOS: readonly (readonly [string, Load])[] = [
  ['jobs of 100 ms, slots nearly all free', { perSecond: 1000, workMs: 100, services: count }],
  [
    'jobs of 9 s, 90 % of the slots in use',
    { perSecond: 1000, workMs: (0.9 * count * podCount * 1000) / 1000, services: count },
  ],
  ['jobs of 100 ms, three times as many', { perSecond: 3000, workMs: 100, services: count }],
];

/** A row of the table: what it costs while this comes. */
async function measure(name: string, load: Load): Promise<string> {
  await tell({ load });
  // Until as many end as begin.
  await sleep(Math.min(20_000, 2 * load.workMs + 2000));
  await tell({ load });
  const [before, began] = [process.cpuUsage(), performance.now()];
  await sleep(seconds * 1000);
  const { user, system } = process.cpuUsage(before);
  const took = (performance.now() - began) / 1000;
  const { requests, up, down, grants } = await tell({ load: { ...load, perSecond: 0 } });
  await sleep(Math.min(20_000, 2 * load.workMs + 3000));
  const cpu = (user + system) / 1e6;
  const rate = (n: number) => Math.round(n / took).toLocaleString('en');
  const perCpuSecond = Math.round(grants / cpu).toLocaleString('en');
  return `| ${[name, rate(requests), rate(up), rate(down), rate(grants), `${((100 * cpu) / took).toFixed(1)} %`, perCpuSecond].join(' | ')} |`;
}

await tell({ place: { port: await start(), members, services } });
await sleep(8000);
const lines = [
  '| load | requests/s | messages/s in | out | slots given/s | CPU of a core | slots given for one CPU second |',
  '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
];
for (const [name, load] of SCENARIOS) lines.push(await measure(name, load));
process.stdout.write(`${lines.join('\n')}\n`);
const page = fileURLToPath(new URL('../docs/shared-slots.md', import.meta.url));
const [first, last] = ['<!-- measured: npm run bench:coordinator -->', '<!-- end of bench:coordinator -->'];
const [head = '', rest = ''] = readFileSync(page, 'utf8').split(first);
const [, tail = ''] = rest.split(last);
writeFileSync(page, `${head}${first}\n${lines.join('\n')}\n${last}${tail}`);
envoys.kill('SIGKILL');
await once(envoys, 'exit');
process.exit(0);
