import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { HostPort } from '../../../src/base/host-port.ts';
import { kick } from '../../../src/envoy/kick.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await once(server.close(), 'close');
  }
});

async function listen(listener: RequestListener): Promise<HostPort> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  // It listens on TCP, so this is no pipe's name.
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

async function nobody(): Promise<HostPort> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  // As above.
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return { host: '127.0.0.1', port };
}

test('asks for the service, on a connection of its own', async () => {
  const seen: (string | undefined)[] = [];
  const address = await listen(({ method, url, headers }, response) => {
    seen.push(`${method} ${url}`, headers.connection);
    response.writeHead(204).end();
  });
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'answered' } });
  expect(seen).toEqual(['GET /codec', 'close']);
});

test('takes itself out of the line again', async () => {
  const gone = Promise.withResolvers<void>();
  const address = await listen((_request, response) => response.once('close', gone.resolve));
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'withdrawn' } });
  await gone.promise;
});

test.each([503, 404])('a %d is a refusal', async (status) => {
  const address = await listen((_request, response) => response.writeHead(status).end());
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'refused', status } });
});

test('a full line is told from other refusals by the words of the router', async () => {
  const address = await listen((_request, response) => response.writeHead(503, { 'x-envoy-overloaded': 'true' }).end());
  expect(await kick(address, 'codec')).toEqual({ ok: true, value: { kind: 'full' } });
});

test('nobody there is an error that says where', async () => {
  const address = await nobody();
  expect(await kick(address, 'codec')).toEqual({
    ok: false,
    errors: [`127.0.0.1:${address.port}/codec: nothing listens there`],
  });
});

test('called off is an error, too', async () => {
  const address = await listen(() => {});
  expect(await kick(address, 'codec', AbortSignal.abort())).toMatchObject({ ok: false });
});
