import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { httpGet } from '../../../src/envoy/http-get.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await once(server.close(), 'close');
  }
});

async function get(listener: RequestListener, signal = AbortSignal.timeout(20_000)) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  // It listens on TCP, so this is no pipe's name.
  const { port } = server.address() as AddressInfo;
  return { result: await httpGet({ host: '127.0.0.1', port }, '/x?y=1', signal) };
}

test('reads a long answer whole, and whatever its status', async () => {
  const body = 'ü'.repeat(500_000);
  const { result } = await get((_request, response) => response.writeHead(503).end(body));
  expect(result).toMatchObject({ ok: true, value: { status: 503, body } });
});

test('an answer that breaks off is an error', async () => {
  const { result } = await get((_request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('half', () => response.destroy());
  });
  expect(result).toEqual({ ok: false, errors: ['aborted'] });
});

test('an answer that stops halfway counts as none in time', async () => {
  const { result } = await get((_request, response) => response.write('half'), AbortSignal.timeout(100));
  expect(result).toEqual({ ok: false, errors: ['no answer in time'] });
});

test('something that speaks no HTTP is an error', async () => {
  const { result } = await get((request) => request.socket.end('hello\r\n'));
  expect(result).toMatchObject({ ok: false, errors: [expect.stringContaining('Parse Error')] });
});
