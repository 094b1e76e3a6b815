import { once } from 'node:events';
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Orders } from '../../../src/admin/orders.ts';
import { type Admin, type AdminOptions, startAdmin } from '../../../src/admin/server.ts';
import { fail, ok } from '../../../src/base/result.ts';
import { describeStatus } from '../../../src/status/describe.ts';
import { Metrics } from '../../../src/status/metrics.ts';
import { readinessOf } from '../../../src/status/readiness.ts';
import type { Status } from '../../../src/status/status.ts';
import { exampleInput, noRoutes, noTelemetry } from '../../unit/status/example.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: Partial<AdminOptions> = {}): Promise<Admin> {
  const status = options.status ?? (() => describeStatus(exampleInput()));
  const started = await startAdmin({
    address: { host: '127.0.0.1', port: 0 },
    status,
    metrics: new Metrics({ version: '1.2.3', telemetry: noTelemetry() }),
    ready: () => {
      const now = status();
      const configured = now.configuration !== undefined;
      return readinessOf({ ...now, configured, takesPart: true, services: () => now.services });
    },
    history: () => [],
    explain: noRoutes,
    ...options,
  });
  if (!started.ok) throw new Error(started.errors.join());
  cleanups.push(() => started.value.stop());
  return started.value;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function ask({ address }: Admin, path: string, options: RequestOptions = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...address, path, agent: false, ...options }, async (response) => {
      let text = '';
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode, headers: response.headers, body: text });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Sends bytes as they are and reads until the server closes. */
async function raw({ address }: Admin, bytes: string | Buffer): Promise<string> {
  const socket = connect(address);
  cleanups.push(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.end(bytes);
  await once(socket, 'close');
  return text;
}

test('all pages, over a real connection', async () => {
  const admin = await start();
  expect(admin.address.port).toBeGreaterThan(0);
  expect(await ask(admin, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' });
  expect(await ask(admin, '/readyz')).toMatchObject({ status: 200 });
  expect(JSON.parse((await ask(admin, '/status')).body)).toMatchObject({ version: '1.2.3', services: [{}, {}] });
  const metrics = await ask(admin, '/metrics');
  expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(metrics.body).toContain('sluice_slots{service="codec"} 4\n');
  expect((await ask(admin, '/')).headers['content-type']).toMatch(/^text\/html/);
});

test('readiness follows the Envoys', async () => {
  let nodes: Parameters<typeof exampleInput>[0] = { nodes: [] };
  const admin = await start({ status: () => describeStatus(exampleInput(nodes)) });
  expect(await ask(admin, '/readyz')).toMatchObject({ status: 503 });
  nodes = {};
  expect(await ask(admin, '/readyz')).toMatchObject({ status: 200 });
});

test('a query is not part of the path', async () => {
  expect(await ask(await start(), '/healthz?a=/status')).toMatchObject({ status: 200, body: 'ok\n' });
});

test('HEAD has the headers of GET and no body', async () => {
  const admin = await start();
  const get = await ask(admin, '/healthz');
  const head = await ask(admin, '/healthz', { method: 'HEAD' });
  expect(head).toMatchObject({ status: 200, body: '' });
  expect(head.headers['content-length']).toBe(get.headers['content-length']);
});

test('no other site may read, frame, or keep what is answered', async () => {
  const { headers } = await ask(await start(), '/status', { headers: { origin: 'http://evil.example' } });
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': expect.stringContaining("default-src 'none'"),
  });
});

test('an unknown page names those there are', async () => {
  const { status, body } = await ask(await start(), '/stats');
  expect(status).toBe(404);
  expect(body).toContain('/status');
});

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('%s changes nothing', async (method) => {
  const body = method === 'TRACE' ? undefined : 'x'.repeat(100_000);
  const headers = { 'content-length': body?.length ?? 0 };
  const answer = await ask(await start(), '/status', { method, headers }, body);
  expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  expect(answer.body).toContain('GET or HEAD');
});

test('garbage is refused, and the next one is served', async () => {
  const admin = await start();
  expect(await raw(admin, 'garbage\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  expect(await raw(admin, Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 0, 0]))).toMatch(/^HTTP\/1\.1 400 /);
  expect(await raw(admin, `GET / HTTP/1.1\r\nhost: x\r\nbig: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1\.1 431 /,
  );
  for (const target of ['//', '/%', '/%00', '*', 'http://[', '/\u00ff', '/status#x', 'http://elsewhere/status'])
    expect(await raw(admin, `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 40[04] /,
    );
  await raw(admin, 'CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n');
  expect(await raw(admin, 'GET /healthz HTTP/1.1\r\nhost: x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')).toMatch(
    /^HTTP\/1\.1 200 /,
  );
  expect(await ask(admin, '/healthz')).toMatchObject({ status: 200 });
});

test('a client that never ends its request is cut off', { timeout: 30_000 }, async () => {
  const admin = await start();
  const socket = connect(admin.address);
  cleanups.push(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  socket.write('GET /status HTTP/1.1\r\nhost: x\r\n');
  await once(socket, 'close');
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
});

test('a page that cannot be made is a 500, is told, and harms no other', async () => {
  const bug = new Error('a bug');
  const faults: unknown[] = [];
  const admin = await start({
    status: (): Status => {
      throw bug;
    },
    ready: () => ({ ready: true }),
    history: () => [],
    explain: noRoutes,
    onFault: (error) => faults.push(error),
  });
  for (const path of ['/status', '/metrics']) expect(await ask(admin, path)).toMatchObject({ status: 500 });
  expect(faults).toEqual([bug, bug]);
  expect(await ask(admin, '/healthz')).toMatchObject({ status: 200 });
});

test('a port in use is an error that says so and what to do', async () => {
  const { address } = await start();
  const second = await startAdmin({
    address,
    status: () => describeStatus(exampleInput()),
    metrics: new Metrics({ version: '1', telemetry: noTelemetry() }),
    ready: () => ({ ready: true }),
    history: () => [],
    explain: noRoutes,
  });
  expect(second).toEqual({
    ok: false,
    errors: [
      `the admin cannot listen on 127.0.0.1:${address.port}: something listens there already; choose another with --admin`,
    ],
  });
});

test('an address this machine does not have, and a name that is none', async () => {
  // 192.0.2.0/24 is for documentation: nobody has it.
  for (const [host, message] of [
    ['192.0.2.1', 'this machine has no such address'],
    ['2001:db8::1', 'cannot listen on [2001:db8::1]:0'],
  ] as const) {
    const inputs = {
      metrics: new Metrics({ version: '1', telemetry: noTelemetry() }),
      ready: () => ({ ready: true }) as const,
      history: () => [],
      explain: noRoutes,
    };
    const started = await startAdmin({
      address: { host, port: 0 },
      status: () => describeStatus(exampleInput()),
      ...inputs,
    });
    expect(started).toMatchObject({ ok: false, errors: [expect.stringContaining(message)] });
  }
});

test('stops with idle, silent and half-done clients around, twice, and frees its port', async () => {
  const admin = await start();
  const { address } = admin;
  for (const bytes of ['', 'GET /status HTTP/1.1\r\n', 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n']) {
    const socket = connect(address);
    cleanups.push(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(bytes);
  }
  await ask(admin, '/healthz');
  await Promise.all([admin.stop(), admin.stop()]);
  const again = createServer();
  again.listen(address.port, address.host);
  await once(again, 'listening');
  again.close();
});

test('listens on IPv6 loopback as well', async () => {
  const admin = await start({ address: { host: '::1', port: 0 } });
  expect(await ask(admin, '/healthz')).toMatchObject({ status: 200 });
});

test('a page of another site gets nothing, whatever name leads here; probes are answered by any name', async () => {
  const admin = await start({ hosts: ['ops.example'] });
  const by = async (path: string, headers: IncomingHttpHeaders) => (await ask(admin, path, { headers })).status;
  for (const path of ['/', '/status', '/metrics', '/events', '/no-such-page']) {
    expect(await by(path, { host: 'evil.example' })).toBe(403);
    expect(await by(path, { host: '127.0.0.1', origin: 'http://evil.example' })).toBe(403);
  }
  expect(await by('/status', { host: 'ops.example:1' })).toBe(200);
  expect(await by('/healthz', { host: 'evil.example' })).toBe(200);
  expect(await by('/readyz', { host: 'evil.example' })).not.toBe(403);
});

test('idle connections keep nobody out: the one that was idle for longest makes room', async () => {
  const admin = await start();
  const sockets = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const socket = connect(admin.address);
      socket.on('error', () => {});
      cleanups.push(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    }),
  );
  const begin = performance.now();
  expect((await ask(admin, '/healthz')).status).toBe(200);
  expect(performance.now() - begin).toBeLessThan(1000);
  await expect
    .poll(() => sockets.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length)
    .toBeGreaterThan(199);
});

test('orders: POST from this machine with their header, and nothing else', async () => {
  const given: string[] = [];
  const orders: Orders = {
    async give(order, by) {
      given.push(`${order.kind} by ${by}`);
      return order.kind === 'pause' && order.service === 'none' ? fail('There is no service none.') : ok('Done.');
    },
    queue: async (service, most) => ok({ service, waiting: most, requests: [] }),
  };
  const admin = await start({ orders });
  const post = (path: string, headers: Record<string, string>) => ask(admin, path, { method: 'POST', headers });
  const good = { 'x-sluice-order': '1', 'x-sluice-by': 'kim@build' };
  expect(await post('/pause?service=codec', good)).toMatchObject({ status: 200, body: 'Done.\n' });
  expect(await post('/pause?service=none', good)).toMatchObject({ status: 404, body: 'There is no service none.\n' });
  expect(await post('/pause', good)).toMatchObject({ status: 400 });
  expect(given).toEqual(['pause by kim@build', 'pause by kim@build']);
  const host = `127.0.0.1:${admin.address.port}`;
  for (const headers of [
    {},
    { ...good, origin: 'http://evil.example' },
    { ...good, host: 'evil.example', origin: 'http://evil.example' },
    { ...good, 'sec-fetch-site': 'cross-site' },
  ])
    expect((await post('/drain?pod=10.0.0.1:80', headers)).status, JSON.stringify(headers)).toBe(403);
  expect(given).toHaveLength(2);
  expect((await post('/drain?pod=10.0.0.1:80', { ...good, origin: `http://${host}` })).status).toBe(200);
  expect(await ask(admin, '/pause?service=codec')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  expect(JSON.parse((await ask(admin, '/queue?service=codec&most=7')).body)).toMatchObject({ waiting: 7 });
});
