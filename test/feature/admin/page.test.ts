import type { BrowserContextOptions, Page } from 'playwright-core';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Orders, QueuedRequest } from '../../../src/admin/orders.ts';
import { type Admin, startAdmin } from '../../../src/admin/server.ts';
import { ok } from '../../../src/base/result.ts';
import { explainActive } from '../../../src/control-plane/explain-request.ts';
import { parseRouteFile } from '../../../src/routes/file/parse.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import type { Status } from '../../../src/status/status.ts';
import { CHROMIUM, NO_CHROMIUM, openTab } from '../../e2e/observe/browser.ts';
import { noRoutes, noTelemetry } from '../../unit/status/example.ts';
import * as scenes from './scenes.ts';

const title = CHROMIUM === undefined ? `the page (skipped: ${NO_CHROMIUM})` : 'the page';

const FILE = `version: 1
services: {codec: {static: [10.0.0.1:1], limit: 2}, llm: {static: [10.0.0.2:1], limit: 1}}
routes:
  - {match: {prefix: /v1/, headers: {x-tier: gold}}, service: llm}
  - {match: {prefix: /v1/}, service: codec}
`;
const parsed = parseRouteFile(FILE, { path: 'routes.yaml', env: {}, baseDir: '/' });
const routing = parsed.ok ? parsed.value.routing : undefined;

interface Shown {
  readonly page: Page;
  readonly admin: Admin;
  readonly faults: readonly string[];
  /** What is true from now on. */
  show(status: () => Status): void;
  /** Sluice answers nothing more, while its connections stay. */
  freeze(): void;
}

function queued(id: number): QueuedRequest {
  return {
    id: `${id}`,
    ageMs: 4000,
    method: 'POST',
    path: `/film/${id}`,
    client: '10.0.0.9:1',
    requestId: `r-${id}`,
    class: '',
    tenant: '',
  };
}

async function show(
  scene: () => Status,
  hash = '',
  options: BrowserContextOptions = {},
  orders?: Orders,
): Promise<Shown> {
  let now = scene;
  let frozen = false;
  const admin = await startAdmin({
    address: { host: '127.0.0.1', port: 0 },
    status: () => {
      if (frozen) throw new Error('frozen');
      return now();
    },
    metrics: new Metrics({ version: '1', telemetry: noTelemetry() }),
    ready: () => ({ ready: true }),
    history: scenes.exampleHistory,
    explain: (query) => explainActive(routing, query),
    ...(orders && { orders }),
  });
  if (!admin.ok) throw new Error(admin.errors.join());
  onTestFinished(() => admin.value.stop());
  const { page, faults } = await openTab(`http://127.0.0.1:${admin.value.address.port}/${hash}`, {
    viewport: { width: 1440, height: 900 },
    ...options,
  });
  await page.locator('#link.live').waitFor();
  return {
    page,
    admin: admin.value,
    faults,
    show(status) {
      now = status;
    },
    freeze() {
      frozen = true;
    },
  };
}

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('a burst: who waits, slots that are full, and the most at a time of the last minutes', async () => {
    const { page, faults } = await show(scenes.burst);
    const row = page.locator('.row');
    expect(await row.locator('.dot').count()).toBe(23);
    expect(await row.locator('.slot.full').count()).toBe(6);
    expect(await row.locator('.who').textContent()).toBe('23 waitingoldest 4.3 s');
    expect(await page.locator('.tile', { hasText: 'Waiting' }).textContent()).toContain('at most 41 in a minute');
    // The burst lies between two samples: the chart is as high as it was.
    await page.locator('.chart .top-value', { hasText: /^40$/ }).waitFor();
    expect(faults).toEqual([]);
  });

  test('a form says which route takes a request; a service leads there', async () => {
    const { page, faults } = await show(scenes.burst, '#service/codec');
    await page.getByRole('link', { name: /^Why .* comes here$/ }).click();
    const answer = page.locator('.explained');
    await answer.waitFor();
    expect(await page.getByLabel('URL').inputValue()).toMatch(/^http/);
    await page.getByLabel('URL').fill('/v1/film?size=4k');
    await page.getByLabel('Method').selectOption('POST');
    await page.keyboard.press('Tab');
    await page.getByLabel('URL').press('Enter');
    await page.locator('.explained', { hasText: 'routes[1] takes it, prefix /v1/.' }).waitFor();
    expect(await answer.textContent()).toContain('POST /v1/film?size=4k');
    expect(await answer.textContent()).toMatch(/routes\[0\] +prefix \/v1\/: there is no header x-tier/);
    await page.getByLabel('Headers').fill('x-tier: gold');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('.explained', { hasText: 'routes[0] takes it' }).waitFor();
    await page.getByLabel('URL').fill('ftp://a/b');
    await page.getByLabel('URL').press('Enter');
    await page.locator('.explained.bad', { hasText: 'URL: Write one like http://host/path, or only /path.' }).waitFor();
    // Escape leaves the field, and then the view.
    await page.getByLabel('URL').press('Escape');
    await page.keyboard.press('Escape');
    await page.locator('#view-services:not([hidden])').waitFor();
    // The browser notes the refusal.
    expect(faults.at(-1)).toContain('400 (Bad Request)');
  });

  test('pods that are out look so, and the own view says why; events and problems are there', async () => {
    const { page, faults } = await show(scenes.outOfOrder);
    const row = page.locator('[data-service=codec]');
    for (const state of ['ejected', 'unhealthy', 'draining', 'trying'])
      expect(await row.locator(`.pod.${state}`).count(), state).toBe(1);
    expect(await row.locator('.pods').getAttribute('aria-label')).toBe(
      '1 ready, 1 ejected, 1 unhealthy, 1 draining, 1 trying',
    );
    expect(await row.locator('.kind').textContent()).toContain('1 ejected');
    await page.getByRole('link', { name: 'codec', exact: true }).click();
    const view = page.locator('#view-service');
    await view.getByRole('heading', { name: 'codec' }).waitFor();
    const ejected = view.locator('tr.state-ejected');
    expect(await ejected.textContent()).toMatch(/10\.0\.0\.2:8080ejected0\s\/\s2unreachable, tried again in \d s\d s/);
    expect(await view.getByText('no pod is ready (2 not ready)').count()).toBe(1);
    expect(await view.locator('.events').textContent()).toContain('ejected for 7 s: cannot be reached');
    expect(await view.getByRole('link', { name: 'Why http://localhost:8080/codec comes here' }).count()).toBe(1);
    await page.keyboard.press('Escape');
    await row.waitFor();
    await page.getByRole('link', { name: 'Events' }).click();
    await page.locator('.events').getByText('codec: limit 1 → 2').waitFor();
    expect(faults.filter((fault) => !fault.includes('404'))).toEqual([]);
  });

  test('what happens is spoken', async () => {
    const { page, show: change } = await show(scenes.burst);
    expect(await page.locator('#said').textContent()).toBe('');
    change(scenes.outOfOrder);
    await page.locator('#said').getByText('pod ejected codec 10.0.0.2:8080').waitFor();
  });

  test('routes and where requests are taken', async () => {
    const { page } = await show(scenes.outOfOrder, '#routes');
    expect(await page.locator('.listeners').textContent()).toBe('0.0.0.0:8080 HTTP');
    expect(await page.locator('.routes tbody tr').allTextContents()).toEqual([
      'routes[0]any/codec and belowPOSTcodec',
      'routes[1]web.example.com/web and belowweb',
    ]);
  });

  test('time and values under the cursor, by mouse and by keyboard', async () => {
    const { page } = await show(scenes.burst, '#service/codec');
    const plot = page.getByRole('slider', { name: 'Most at a time' });
    await plot.hover({ position: { x: 50, y: 20 } });
    expect(await plot.locator('.when').textContent()).toMatch(/\d+:\d\d:\d\d/);
    await plot.focus();
    await page.keyboard.press('End');
    for (let step = 0; step < 59; step++) await page.keyboard.press('ArrowLeft');
    expect(await plot.getAttribute('aria-valuetext')).toMatch(/: waiting 40, in use 6, slots 6$/);
  });

  test('who waits, one of them cancelled, the service paused: orders go to Sluice with what they are about', async () => {
    const given: string[] = [];
    const orders: Orders = {
      async give(order, by) {
        given.push(`${by}: ${JSON.stringify(order)}`);
        return ok('Done.');
      },
      queue: async (service) => ok({ service, waiting: 23, requests: [1, 2].map(queued) }),
    };
    const { page, faults } = await show(scenes.burst, '#service/codec', {}, orders);
    const rows = page.locator('#view-service tr', { hasText: '/film/' });
    await rows.first().waitFor();
    expect(await rows.first().textContent()).toBe('4.0 sPOST /film/1Cancel10.0.0.9:1r-1');
    await page.getByText('The first 2 of 23.').waitFor();
    await page.getByRole('button', { name: 'Cancel POST /film/2' }).click();
    await page.getByText('Done.').waitFor();
    expect(await rows.count()).toBe(1);
    await page.getByRole('button', { name: 'Pause' }).click();
    await expect
      .poll(() => given)
      .toEqual([
        'the page: {"kind":"cancel","service":"codec","request":"2"}',
        'the page: {"kind":"pause","service":"codec"}',
      ]);
    expect(faults).toEqual([]);
  });

  test('who waits, by class and tenant where a service has such', async () => {
    const requests = [{ ...queued(1), class: 'gold', tenant: 'acme' }, queued(2)];
    const orders: Orders = {
      give: async () => ok('Done.'),
      queue: async (service) => ok({ service, waiting: 2, requests }),
    };
    const { page } = await show(scenes.burst, '#service/codec', {}, orders);
    const table = page.locator('#view-service table', { hasText: '/film/' });
    await table.waitFor();
    expect(await table.locator('th').allTextContents()).toEqual([
      'Age',
      'Request',
      '',
      'Class',
      'Tenant',
      'Client',
      'x-request-id',
    ]);
    expect(await table.locator('tbody tr').allTextContents()).toEqual([
      '4.0 sPOST /film/1Cancelgoldacme10.0.0.9:1r-1',
      '4.0 sPOST /film/2Cancel10.0.0.9:1r-2',
    ]);
  });

  test('routes fit 400 px', async () => {
    const { page } = await show(scenes.outOfOrder, '#routes', { viewport: { width: 400, height: 800 } });
    const box = page.locator('#view-routes .scroll');
    await box.locator('tbody tr').first().waitFor();
    expect(await box.evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0);
  });

  test('a Sluice that hangs is not live: the page says so within seconds, and dims', async () => {
    const { page, freeze } = await show(scenes.burst);
    freeze();
    await page.getByRole('alert').getByText('Sluice does not answer').waitFor({ timeout: 6000 });
    expect(await page.locator('#link').textContent()).toBe('no news');
    expect(await page.evaluate('getComputedStyle(document.querySelector("main")).opacity')).toBe('0.5');
  });

  test('a Sluice that is gone: the page says so, and is live again when it is back', async () => {
    const { page, admin } = await show(scenes.burst);
    await admin.stop();
    await page.getByRole('alert').getByText('Sluice cannot be reached').waitFor({ timeout: 6000 });
    const again = await startAdmin({
      address: admin.address,
      status: scenes.outOfOrder,
      metrics: new Metrics({ version: '1', telemetry: noTelemetry() }),
      ready: () => ({ ready: true }),
      history: () => [],
      explain: noRoutes,
    });
    if (!again.ok) throw new Error(again.errors.join());
    onTestFinished(() => again.value.stop());
    await page.locator('#link.live').waitFor();
    await page.locator('[data-service=web]').waitFor();
    expect(await page.getByRole('alert').isVisible()).toBe(false);
  });

  test('numbers of a filter that is not connected: their age, and dimmed', async () => {
    const { page } = await show(scenes.outdated);
    expect(await page.locator('.row.outdated .numbers').textContent()).toMatch(/^numbers of \d/);
    expect(await page.locator('#envoys').textContent()).toContain('queue filter not connected');
    expect(await page.locator('.tile.outdated dt').allTextContents()).toEqual([
      'Waiting',
      'Oldest wait',
      'In use',
      'Refused',
    ]);
  });

  test('what Envoy rejected, and no Envoy at all', async () => {
    const { page, show: change } = await show(scenes.rejected);
    expect(await page.locator('#envoys .rejected').textContent()).toBe('edge-1 rejected part of its configuration');
    await page.getByText('cannot bind 0.0.0.0:80: Permission denied').waitFor();
    change(scenes.noEnvoy);
    await page.getByText('none is connected').waitFor();
    expect(await page.locator('.waiting').textContent()).toBe('? waiting');
  });

  test('52 services fit a screen, those in trouble first', async () => {
    const { page } = await show(() => scenes.many(52));
    expect(await page.locator('.row').count()).toBe(52);
    const bottom = await page.evaluate(
      'Math.max(...[...document.querySelectorAll(".row")].map(r => r.getBoundingClientRect().bottom))',
    );
    expect(bottom).toBeLessThan(900);
    const names = await page.locator('.row .name').allTextContents();
    expect(names.slice(0, 2)).toEqual(['service-031', 'service-017']);
    expect(await page.locator('.row.bad .name').allTextContents()).toEqual(['service-031']);
  });

  test('500 services by keyboard alone', async () => {
    const { page, faults } = await show(() => scenes.many(500));
    await page.keyboard.press('/');
    await page.keyboard.type('service-31');
    await page.getByText('10 of 500 services').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const name = await page.evaluate('document.activeElement.textContent');
    await page.keyboard.press('Enter');
    await page
      .locator('#view-service')
      .getByRole('heading', { name: String(name) })
      .waitFor();
    expect(await page.title()).toBe(`${name} – Sluice`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('/');
    await page.keyboard.press('Escape');
    await page.getByText('500 services', { exact: true }).waitFor();
    expect(faults).toEqual([]);
  });

  test.each(['', '#service/codec', '#events', '#routes'])('400 pixels wide: nothing is cut off (%s)', async (hash) => {
    const { page } = await show(scenes.outOfOrder, hash, { viewport: { width: 400, height: 800 } });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
  });

  test('forced colours: full slots, empty slots and dead pods differ', async () => {
    const { page } = await show(scenes.outOfOrder, '', { forcedColors: 'active' });
    const back = (selector: string) =>
      page.evaluate(`(({ backgroundColor, backgroundImage }) => backgroundColor + backgroundImage)(
        getComputedStyle(document.querySelector('${selector}')),
      )`);
    const codec = '[data-service=codec] .pod';
    const looks = await Promise.all([
      back(`${codec} .slot.full`),
      back(`${codec}:not(.ejected) .slot:not(.full)`),
      back(`${codec}.ejected`),
    ]);
    expect(new Set(looks).size).toBe(3);
  });

  test('every view has a heading, every link and button a name, and no id is there twice', async () => {
    const { page } = await show(scenes.outOfOrder, '#service/codec');
    const report = await page.evaluate(`({
      nameless: [...document.querySelectorAll('a, button, [role=slider]')].filter((one) => !(one.textContent.trim() || one.ariaLabel)).length,
      twice: [...document.querySelectorAll('[id]')].filter(({ id }, at, all) => all.findIndex((one) => one.id === id) !== at).map(({ id }) => id),
      headings: ['services', 'service', 'events', 'routes'].map((view) => document.getElementById('view-' + view).querySelector('h2') !== null),
    })`);
    expect(report).toEqual({ nameless: 0, twice: [], headings: [true, true, true, true] });
  });
});
