import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { ROOT } from './files.ts';

// npm run docs:page: pictures of Sluice's page during a burst, for README.md. Needs a Chromium ($SLUICE_CHROMIUM).

/** How many requests are on their way for as long as the pictures are taken. */
const REQUESTS = 9;

const SIZE = { width: 1100, height: 540 };

const demo = spawn(process.execPath, [join(ROOT, 'src/main.ts'), 'run', '--admin', '127.0.0.1:0'], {
  stdio: ['ignore', 'pipe', 'pipe'],
});
try {
  const { page, requests } = await places();
  const ending = new AbortController();
  const load = Promise.all(Array.from({ length: REQUESTS }, () => ask(requests, ending.signal)));
  // So that the charts have something to show.
  await sleep(45_000);
  for (const scheme of ['light', 'dark'] as const) await picture(page, scheme);
  ending.abort();
  await load;
} finally {
  demo.kill('SIGINT');
  await once(demo, 'exit');
}

/** Where the page is, and where requests go, once Envoy takes them. */
async function places(): Promise<{ readonly page: string; readonly requests: string }> {
  let text = '';
  for (const stream of [demo.stdout, demo.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  for (;;) {
    const requests = /http:\/\/127\.0\.0\.1:\d+\/(?= & done)/.exec(text)?.[0];
    const page = /"admin":"(http:\/\/127\.0\.0\.1:\d+)","msg":"dashboard/.exec(text)?.[1];
    if (requests !== undefined && page !== undefined) return { requests, page: `${page}/` };
    if (demo.exitCode !== null) throw new Error(text);
    await sleep(50);
  }
}

/** One client that asks again and again, with a pause now and then: a burst that comes and goes. */
async function ask(url: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await fetch(url, { signal }).then(
      (answer) => answer.text(),
      () => undefined,
    );
    if (Math.random() < 0.2) await sleep(Math.random() * 3000);
  }
}

async function picture(url: string, colorScheme: 'light' | 'dark'): Promise<void> {
  const executablePath = process.env['SLUICE_CHROMIUM'] ?? '/usr/bin/chromium';
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ ...(existsSync(executablePath) ? { executablePath } : {}), args });
  try {
    const tab = await browser.newPage({ viewport: SIZE, colorScheme });
    await tab.goto(url);
    await sleep(3000);
    await tab.screenshot({ path: join(ROOT, `docs/page-${colorScheme}.png`) });
  } finally {
    await browser.close();
  }
}
