import { get, type IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { readAssets } from '../../../src/admin/assets.ts';
import { startAdmin } from '../../../src/admin/server.ts';
import { describeStatus } from '../../../src/status/describe.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import type { Status } from '../../../src/status/status.ts';
import { until } from '../../e2e/kit/instant.ts';
import { busyTelemetry, exampleInput, noRoutes, noTelemetry } from '../../unit/status/example.ts';

async function start() {
  const world = { status: describeStatus(exampleInput()), asked: 0 };
  const admin = await startAdmin({
    address: { host: '127.0.0.1', port: 0 },
    status: () => {
      world.asked += 1;
      return world.status;
    },
    metrics: new Metrics({ version: '1', telemetry: noTelemetry() }),
    ready: () => ({ ready: true }),
    history: () => [],
    explain: noRoutes,
  });
  if (!admin.ok) throw new Error(admin.errors.join());
  onTestFinished(() => admin.value.stop());
  return { world, admin: admin.value };
}

/** The events that a viewer has got so far. */
function view(
  port: number,
): Promise<{ events: { full: boolean; services: { name: string }[]; gone: string[] }[]; response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/events', agent: false }, (response) => {
      const seen = { events: [] as { full: boolean; services: { name: string }[]; gone: string[] }[], response };
      let rest = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split('\n\n');
        rest = parts.pop() ?? '';
        for (const part of parts) seen.events.push(JSON.parse(part.replace(/^data: /, '')));
      });
      response.on('error', () => {});
      resolve(seen);
    });
    request.on('error', reject);
    onTestFinished(() => {
      request.destroy();
    });
  });
}

function without(status: Status, name: string): Status {
  return { ...status, services: status.services.filter((service) => service.name !== name) };
}

test('a viewer gets everything, then what has changed', async () => {
  const { world, admin } = await start();
  const { events, response } = await view(admin.address.port);
  expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  await until(() => events.length >= 2, { what: 'two events' });
  expect(events[0]).toMatchObject({
    full: true,
    head: { burst: false },
    services: [{ name: 'codec' }, { name: 'web' }],
  });
  expect(events[1]).toEqual({ full: false, at: world.status.at, services: [], gone: [] });
  world.status = describeStatus(exampleInput({ telemetry: busyTelemetry() }));
  await until(() => events.some(({ full, services }) => !full && services.length > 0), { what: 'a change' });
  world.status = without(world.status, 'web');
  await until(() => events.some(({ gone }) => gone.includes('web')), { what: 'web to be gone' });
  // Whoever comes later begins with everything there is now.
  const late = await view(admin.address.port);
  await until(() => late.events.length > 0, { what: 'the first event of a late viewer' });
  expect(late.events[0]).toMatchObject({ full: true, services: [{ name: 'codec' }] });
  expect(late.events[0]?.services).toHaveLength(1);
});

test('nobody looks, nothing is worked out; too many are turned away, and a stop ends them all', async () => {
  const { world, admin } = await start();
  const { response } = await view(admin.address.port);
  response.destroy();
  await until(
    async () => {
      const before = world.asked;
      await new Promise((resolve) => setTimeout(resolve, 1200));
      return world.asked === before;
    },
    { what: 'the status to be left alone' },
  );
  const viewers = await Promise.all(Array.from({ length: 33 }, () => view(admin.address.port)));
  const statuses = viewers.map((one) => one.response.statusCode);
  expect(statuses.filter((status) => status === 200)).toHaveLength(32);
  expect(statuses.filter((status) => status === 503)).toHaveLength(1);
  const ended = viewers
    .filter(({ response: { statusCode } }) => statusCode === 200)
    .map((one) => new Promise((resolve) => one.response.once('close', resolve)));
  await admin.stop();
  await Promise.all(ended);
});

test('everything that the page loads is served, and nothing comes from elsewhere', async () => {
  const { admin } = await start();
  const base = `http://127.0.0.1:${admin.address.port}`;
  const pages = [...readAssets()];
  expect(pages.length).toBeGreaterThan(8);
  for (const [path, { body, type }] of pages) {
    const response = await fetch(base + path);
    expect([response.status, response.headers.get('content-type')], path).toEqual([200, type]);
    expect(await response.text()).toBe(body);
    expect(body.replaceAll('http://www.w3.org/2000/svg', ''), path).not.toMatch(/https?:\/\//);
    const parts = [...body.matchAll(/(?:href|src)="(page\/[^"]+)"|from '\.\/([^']+)'/g)];
    for (const [, whole, imported] of parts) {
      const wanted = `/${whole ?? `page/${imported}`}`;
      expect(
        pages.map(([one]) => one),
        `${path} loads ${wanted}`,
      ).toContain(wanted);
    }
  }
});
