import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { until } from '../kit/instant.ts';
import { CHROMIUM, NO_CHROMIUM, openTab } from './browser.ts';
import { SluiceRun } from './sluice-run.ts';

const title =
  CHROMIUM === undefined ? `the dashboard of the demo (skipped: ${NO_CHROMIUM})` : 'the dashboard of the demo';

/** Waits until so many elements are there. */
async function shown(page: Page, selector: string, enough: (count: number) => boolean): Promise<void> {
  const look = async () => enough(await page.locator(selector).count());
  await until(look, { what: `the right number of ${selector}`, within: 30_000, every: 50 });
}

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('a burst fills the boxes and makes a queue, which empties again', async () => {
    const run = await SluiceRun.demo();
    const { page, faults } = await openTab(run.admin);
    await page.getByText('live', { exact: true }).waitFor();
    expect(await page.locator('.slot').count()).toBe(3);
    expect(await page.locator('.slot.full').count()).toBe(0);
    expect(await page.locator('.envoys').textContent()).toContain('in sync');
    await page.getByRole('button', { name: 'Send a burst' }).click();
    await shown(page, '.slot.full', (count) => count === 3);
    await shown(page, '.dot', (count) => count >= 3);
    await page.locator('.oldest', { hasText: /^oldest / }).waitFor();
    await shown(page, '.dot', (count) => count === 0);
    await shown(page, '.slot.full', (count) => count === 0);
    // The only service is open: its charts have drawn what has happened.
    await shown(page, '.chart path[d^=M]', (count) => count > 0);
    expect(faults).toEqual([]);
    await expect.poll(async () => (await run.service()).traffic?.total.answered).toBe(12);
  });

  test('by keyboard, on a small screen, in the dark', async () => {
    const run = await SluiceRun.demo();
    const { page, faults } = await openTab(run.admin, { viewport: { width: 360, height: 640 }, colorScheme: 'dark' });
    const name = page.getByRole('link', { name: 'demo', exact: true });
    await name.waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    const back = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(Number(/\d+/.exec(String(back))?.[0])).toBeLessThan(64);
    await page.keyboard.press('/');
    await page.keyboard.type('nobody is called that');
    await page.getByText('No service or pod has this name.').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'demo', exact: true, level: 2 }).waitFor();
    await page.keyboard.press('Escape');
    await name.waitFor();
    expect(faults).toEqual([]);
  });
});

test('nobody else can send a burst', async () => {
  const run = await SluiceRun.demo();
  const ask = (headers: Record<string, string>) => fetch(`${run.admin}/burst`, { method: 'POST', headers });
  expect((await ask({ 'x-sluice-burst': '1' })).status).toBe(403);
  expect((await ask({ 'x-sluice-burst': '1', origin: 'http://elsewhere.example' })).status).toBe(403);
  expect((await ask({ origin: run.admin })).status).toBe(403);
  expect((await run.service()).inUse ?? 0).toBe(0);
  expect((await ask({ 'x-sluice-burst': '1', origin: run.admin })).status).toBe(202);
  await run.until('the burst', ({ inUse }) => inUse === 3);
});
