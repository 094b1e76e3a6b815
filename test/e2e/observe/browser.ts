import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where a Chromium is on this machine; undefined: nowhere, and tests that need one are skipped. */
export const CHROMIUM = process.env['SLUICE_CHROMIUM'] ?? PLACES.find((path) => existsSync(path));

/** What to say where there is none. */
export const NO_CHROMIUM = `no Chromium at ${PLACES.join(', ')} (or $SLUICE_CHROMIUM)`;

/** A page in a browser of its own, and what went wrong in it. */
export interface Tab {
  readonly page: Page;
  /** Errors of its scripts, refusals of its security policy, requests that failed. */
  readonly faults: readonly string[];
}

/** Opens `url`; it ends with the test that runs now. */
export async function openTab(url: string, options: BrowserContextOptions = {}): Promise<Tab> {
  // Root's browsers have no sandbox; what they open is ours.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser: Browser = await chromium.launch({ ...(CHROMIUM && { executablePath: CHROMIUM }), args });
  onTestFinished(() => browser.close());
  const page = await browser.newPage(options);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  await page.goto(url);
  return { page, faults };
}
