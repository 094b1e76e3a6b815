// What the dashboard costs with 500 services and 1,000 pods that all change all the time, in the browser and in the
// server, with 1 and with 10 viewers: npm run bench:dashboard [-- SERVICES PODS SECONDS]. Prints, and judges nothing.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const [services = 500, pods = 1000, seconds = 20] = process.argv.slice(2).map(Number);
const script = fileURLToPath(new URL('dashboard-server.ts', import.meta.url));
const server = spawn(process.execPath, [script, String(services), String(pods)], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise<string>((resolve) => createInterface(server.stdout).once('line', resolve));

/** CPU time that all threads of the server have used, in milliseconds. */
function cpuMs(): number {
  const threads = readdirSync(`/proc/${server.pid}/task`);
  const ns = threads.map((one) =>
    Number(readFileSync(`/proc/${server.pid}/task/${one}/schedstat`, 'utf8').split(' ')[0]),
  );
  return ns.reduce((sum, one) => sum + one, 0) / 1e6;
}

/** A viewer that reads and draws nothing. */
function view(): { bytes: number; events: number; end(): void } {
  const seen = { bytes: 0, events: 0, end: () => void request.destroy() };
  const request = get(`${url}/events`, (response) => {
    response.on('error', () => {});
    response.on('data', (chunk: Buffer) => {
      seen.bytes += chunk.length;
      if (chunk.includes('\n\n')) seen.events++;
    });
  });
  request.on('error', () => {});
  return seen;
}

for (const count of [1, 10]) {
  const viewers = Array.from({ length: count }, view);
  await sleep(3000);
  const [before, bytes, events] = [cpuMs(), viewers[0]?.bytes ?? 0, viewers[0]?.events ?? 0];
  await sleep(seconds * 500);
  const percent = (cpuMs() - before) / (seconds * 5);
  const kib = ((viewers[0]?.bytes ?? 0) - bytes) / 1024 / (seconds / 2);
  const rate = ((viewers[0]?.events ?? 0) - events) / (seconds / 2);
  console.log(
    `${count} viewers: server ${percent.toFixed(1)} % of a core, ${kib.toFixed(0)} KiB/s each in ${rate.toFixed(1)} events/s`,
  );
  for (const viewer of viewers) viewer.end();
  await sleep(500);
}

const browser = await chromium.launch({
  executablePath: process.env['SLUICE_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--enable-precise-memory-info', '--js-flags=--expose-gc'],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
await page.goto(url);
const session = await page.context().newCDPSession(page);
await session.send('Performance.enable');
const read = async () => {
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  return new Map(metrics.map(({ name, value }) => [name, value]));
};
await sleep(4000);
for (let round = 0; round < 3; round++) {
  const before = await read();
  await page.evaluate(countLongTasks());
  await sleep(seconds * 1000);
  const after = await read();
  const per = (name: string) => (((after.get(name) ?? 0) - (before.get(name) ?? 0)) / seconds) * 1000;
  const text = ['ScriptDuration', 'RecalcStyleDuration', 'LayoutDuration', 'TaskDuration']
    .map((name) => `${name.replace('Duration', '')} ${per(name).toFixed(0)}`)
    .join(', ');
  const heap = ((after.get('JSHeapUsedSize') ?? 0) / 1e6).toFixed(1);
  console.log(
    `browser, ms in a second: ${text}; ${after.get('Nodes')} nodes, heap ${heap} MB, tasks over 50 ms: ${await page.evaluate('window.longTasks')}`,
  );
}
if (process.env['BENCH_SHOT']) await page.screenshot({ path: process.env['BENCH_SHOT'] });
await browser.close();
server.kill('SIGTERM');

/** Counts what keeps the page from answering for more than 50 ms, and the longest of it. */
function countLongTasks(): string {
  return `window.longTasks = '0'; window.observer?.disconnect();
    let [count, longest] = [0, 0];
    window.observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) { count++; longest = Math.max(longest, duration); }
      window.longTasks = count + ', longest ' + longest + ' ms';
    });
    window.observer.observe({ type: 'longtask' });`;
}
