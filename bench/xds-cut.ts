// How long `sluice serve` is silent when many Envoys come at once, are cut off at once, and when one client
// comes under many names: node bench/xds-cut.ts [CLIENTS] [NAMES] [SERVICES]. Asks /healthz all the while. Prints, and judges nothing.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../src/commands/free-port.ts';

const CLIENTS = Number(process.argv[2] ?? 5000);
const NAMES = Number(process.argv[3] ?? 19_000);
const SERVICES = Number(process.argv[4] ?? 1);

const folder = await mkdtemp(join(tmpdir(), 'sluice-cut-'));
const routes = join(folder, 'routes.yaml');
const services = Array.from({ length: SERVICES }, (_, at) => `s${at}: {static: ["127.0.0.1:${1000 + at}"], limit: 1}`);
await writeFile(
  routes,
  `version: 1\nservices: {${services.join(', ')}}\nroutes: [{match: {prefix: /}, service: s0}]\n`,
);
const [xds, admin] = [await freePort(), await freePort()];
const main = process.env['SLUICE_MAIN'] ?? fileURLToPath(new URL('../src/main.ts', import.meta.url));
const sluice = spawn(
  process.execPath,
  [main, 'serve', '--routes', routes, '--xds', `127.0.0.1:${xds}`, '--admin', `127.0.0.1:${admin}`].concat([
    '--log-level',
    'error',
  ]),
  { stdio: 'ignore' },
);

/** The longest time for which nothing was answered since the last call. */
let longest = 0;
let ended = false;
const asking = (async () => {
  let last = performance.now();
  while (!ended) {
    await fetch(`http://127.0.0.1:${admin}/healthz`).then(
      (response) => response.text(),
      () => undefined,
    );
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
})();

async function silence(what: string, ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  console.log(`${what}: longest silence ${Math.round(longest)} ms`);
  longest = 0;
}

await silence('start', 3000);
const program = fileURLToPath(new URL('./xds-cut-clients.ts', import.meta.url));
const come = async (count: number, how: 'stay' | 'pass') => {
  const begin = performance.now();
  const clients = fork(program, [`${xds}`, `${count}`, how]);
  await once(clients, 'message');
  return { clients, seconds: ((performance.now() - begin) / 1000).toFixed(1) };
};
const { clients, seconds } = await come(CLIENTS, 'stay');
await silence(`${CLIENTS} clients connected in ${seconds} s`, 500);
clients.kill('SIGKILL');
await once(clients, 'exit');
await silence('all of them cut off at once', 4000);
const names = await come(NAMES, 'pass');
await silence(`one client with ${NAMES} names in ${names.seconds} s`, 500);
names.clients.kill('SIGKILL');
await silence('all of its names cut off', 4000);
ended = true;
await asking;
sluice.kill();
await once(sluice, 'exit');
await rm(folder, { recursive: true });
