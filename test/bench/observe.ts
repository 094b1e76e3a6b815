// What observing costs: 100 services, 1,000 pods, a given load, one dashboard open and a scrape every 5 s.
// node test/bench/observe.ts [requests per second] [seconds]
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const [rate = 1000, seconds = 20] = process.argv.slice(2).map(Number);
const WORK_MS = 200;
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const PORT = 28_480;
const ADMIN = 28_481;

const pods = createServer((_, response) => void setTimeout(() => response.end('x'), WORK_MS));
await new Promise<void>((resolve) => pods.listen(28_482, '0.0.0.0', resolve));
const names = Array.from({ length: 100 }, (_, index) => `svc-${index}`);
const services = names.map((name, index) => {
  const addresses = Array.from({ length: 10 }, (_, pod) => `127.1.${index}.${pod + 1}:28482`);
  return [name, { static: addresses, limit: 1, queue: { max: 1000 } }] as const;
});
const routes = names.map((name) => ({ match: { prefix: `/${name}` }, service: name }));
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const file = join(folder, 'routes.yaml');
const listen = { address: '127.0.0.1', port: PORT };
writeFileSync(file, JSON.stringify({ version: 1, listen, services: Object.fromEntries(services), routes }));

const args = ['run', '--routes', file, '--admin', `127.0.0.1:${ADMIN}`, '--envoy-admin-port', '0'];
const sluice = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
await new Promise<void>((resolve) =>
  sluice.stderr.on('data', (text) => String(text).includes('Envoy takes requests') && resolve()),
);
await sleep(3000);

/** CPU time that a process has used, in milliseconds. */
function cpuMs(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function childOf(pid: number | undefined): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

const envoy = childOf(sluice.pid);
/** Percent of a core that both use while `during` runs. */
async function measure(what: string, during: () => Promise<unknown>): Promise<void> {
  const [a, b, start] = [cpuMs(sluice.pid), cpuMs(envoy), performance.now()];
  await during();
  const ms = performance.now() - start;
  const percent = (used: number) => `${((used / ms) * 100).toFixed(1)} %`;
  process.stdout.write(
    `${what}: sluice ${percent(cpuMs(sluice.pid) - a)}, Envoy ${percent(cpuMs(envoy) - b)} of a core\n`,
  );
}

const agent = new Agent({ keepAlive: true, maxSockets: 2000 });
let answered = 0;
async function load(): Promise<void> {
  const start = performance.now();
  let sent = 0;
  while (performance.now() - start < seconds * 1000) {
    for (const due = ((performance.now() - start) / 1000) * rate; sent < due; sent++) {
      const path = `/${names[sent % names.length]}/some/path`;
      get({ host: '127.0.0.1', port: PORT, path, agent }, (response) => {
        response.resume();
        response.on('end', () => answered++);
      }).on('error', () => {});
    }
    await sleep(5);
  }
}

await measure('idle', () => sleep(seconds * 1000));
await measure(`${rate} requests/s`, load);
const viewer = get({ host: '127.0.0.1', port: ADMIN, path: '/events' }, (response) => response.resume());
const scrape = setInterval(() => get({ host: '127.0.0.1', port: ADMIN, path: '/metrics' }, (r) => r.resume()), 5000);
await measure(`${rate} requests/s, a dashboard, a scrape every 5 s`, load);
process.stdout.write(`${answered} answered\n`);
clearInterval(scrape);
viewer.destroy();
sluice.kill('SIGTERM');
await new Promise((resolve) => sluice.once('exit', resolve));
rmSync(folder, { recursive: true });
process.exit(0);
