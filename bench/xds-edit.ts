// How long `sluice serve` is silent while a route file with many services is edited: node bench/xds-edit.ts [SERVICES] [EDITS].
// A real Envoy takes each edit; /healthz is asked all the while. Prints, and judges nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { envoyBootstrap } from '../src/envoy/bootstrap.ts';
import { startEnvoy } from '../test/e2e/kit/envoy.ts';
import { freePorts } from '../test/e2e/kit/ports.ts';

const SERVICES = Number(process.argv[2] ?? 5000);
const EDITS = Number(process.argv[3] ?? 20);
const PODS = 10;
const BETWEEN_MS = 3000;

const folder = await mkdtemp(join(tmpdir(), 'sluice-edit-'));
const routes = join(folder, 'routes.yaml');
const [traffic = 0, xds = 0, admin = 0] = await freePorts(3);

/** The file at the nth edit: one service has another limit than before, and there is one route more or less. */
async function write(edit: number): Promise<void> {
  const lines = ['version: 1', `listen: {address: 127.0.0.1, port: ${traffic}}`, 'services:'];
  for (let service = 0; service < SERVICES; service++) {
    const pods = Array.from({ length: PODS }, (_, pod) => `"127.${1 + (service >> 8)}.${service & 255}.${pod + 1}:9"`);
    const limit = service === 7 ? 2 + (edit % 5) : 2;
    lines.push(`  s${service}: {static: [${pods.join(', ')}], limit: ${limit}}`);
  }
  lines.push('routes:');
  for (let service = 0; service < SERVICES; service++)
    lines.push(`  - {match: {prefix: /s${service}}, service: s${service}}`);
  if (edit % 2 === 1) lines.push('  - {match: {prefix: /more}, service: s1}');
  await writeFile(`${routes}.next`, `${lines.join('\n')}\n`);
  await rename(`${routes}.next`, routes);
}

await write(0);
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const profile = process.env['PROFILE'] === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${process.env['PROFILE']}`];
const where = [
  '--routes',
  routes,
  '--xds',
  `127.0.0.1:${xds}`,
  '--admin',
  `127.0.0.1:${admin}`,
  '--log-level',
  'error',
];
const sluice = spawn(process.execPath, [...profile, process.env['SLUICE_MAIN'] ?? main, 'serve', ...where], {
  stdio: ['ignore', 'inherit', 'inherit'],
});

let longest = 0;
let ended = false;
const ask = (path: string) =>
  fetch(`http://127.0.0.1:${admin}${path}`).then(
    async (response) => (response.ok ? await response.text() : undefined),
    () => undefined,
  );
const asking = (async () => {
  let last = performance.now();
  while (!ended) {
    await ask('/healthz');
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
})();
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

while ((await ask('/healthz')) === undefined) await sleep(50);
const envoy = await startEnvoy(
  envoyBootstrap({
    nodeId: 'edit',
    nodeCluster: 'bench',
    xds: { kind: 'tcp', host: '127.0.0.1', port: xds },
    admin: { host: '127.0.0.1', port: 0 },
  }),
);
while ((await ask('/readyz')) === undefined) await sleep(50);
await sleep(2 * BETWEEN_MS);
console.log(`start with ${SERVICES} services: longest silence ${Math.round(longest)} ms`);
const silences: number[] = [];
for (let edit = 1; edit <= EDITS; edit++) {
  longest = 0;
  await write(edit);
  await sleep(BETWEEN_MS);
  silences.push(Math.round(longest));
}
silences.sort((a, b) => a - b);
console.log(
  `an edit, of ${EDITS}: longest silence median ${silences[EDITS >> 1]} ms, worst three ${silences.slice(-3).join(', ')} ms`,
);
ended = true;
await asking;
await envoy.stop();
sluice.kill();
await once(sluice, 'exit');
await rm(folder, { recursive: true, force: true });
