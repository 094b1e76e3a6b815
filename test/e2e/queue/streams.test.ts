import { once } from 'node:events';
import { createServer, get, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, createServer as createH2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { startLoad } from '../kit/load.ts';
import { burst } from '../kit/load-plan.ts';
import { routeFile, startQueue, startSluice } from './queue.ts';

/** Opens a WebSocket-like upgrade; resolves once the pod has agreed. */
async function upgrade(port: number): Promise<Duplex> {
  const headers = { connection: 'upgrade', upgrade: 'websocket', 'x-test-id': 'socket', 'x-work-ms': '1' };
  const asked = request({ host: '127.0.0.1', port, path: '/chat', headers }).end();
  const [, socket] = await once(asked, 'upgrade');
  return socket;
}

test('a WebSocket holds its slot until it is closed', async () => {
  const queue = await startQueue({ pods: 1 });
  const socket = await upgrade(queue.sluice.port);
  socket.write('hello');
  const [echo] = await once(socket, 'data');
  expect(String(echo)).toBe('hello');

  const run = startLoad(queue.h2(), burst(3, { name: 'next' }));
  await queue.untilWaiting(3);
  socket.write('again');
  const [second] = await once(socket, 'data');
  expect(String(second)).toBe('again');
  expect(run.ended).toEqual([]);

  socket.destroy();
  const results = await run.results;
  expect(results.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(await queue.pods.peak()).toBe(1);
});

test('server-sent events come through at once, and hold their slot', async () => {
  const streams: ServerResponse[] = [];
  const pod = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: first\n\n');
    streams.push(response);
  });
  const sluice = await startSluice(routeFile([await listenUntilTestEnds(pod)]));

  const [events]: IncomingMessage[] = await once(
    get({ host: '127.0.0.1', port: sluice.port, agent: false }),
    'response',
  );
  if (events === undefined) throw new Error('`response` comes with a response');
  events.setEncoding('utf8');
  expect(await once(events, 'data')).toEqual(['data: first\n\n']);
  const next = once(get({ host: '127.0.0.1', port: sluice.port, agent: false }), 'response');
  streams[0]?.write('data: second\n\n');
  expect(await once(events, 'data')).toEqual(['data: second\n\n']);
  expect(streams).toHaveLength(1);

  streams[0]?.end();
  const [other] = await next;
  expect(streams).toHaveLength(2);
  other.destroy();
});

test('a pod may end a call before its client has: status and trailers come, and the next one gets the slot', async () => {
  const pod = createH2Server().listen(0, '127.0.0.1');
  pod.on('stream', (stream, { te }) => {
    stream.respond({ ':status': 200, 'x-te': String(te) }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '9' }));
    stream.end('enough');
  });
  await once(pod, 'listening');
  onTestFinished(() => void pod.close());
  // It listens on TCP, so this is no pipe's name.
  const { port } = pod.address() as AddressInfo;
  const sluice = await startSluice(routeFile([`127.0.0.1:${port}`], { protocol: 'h2c' }));
  const client = connect(`http://127.0.0.1:${sluice.port}`);
  onTestFinished(() => client.destroy());
  for (let call = 0; call < 3; call += 1) {
    const stream = client.request({ ':method': 'POST', te: 'trailers' }, { endStream: false });
    stream.write('there is more to come');
    const trailers = once(stream, 'trailers');
    const [headers] = await once(stream, 'response');
    expect(headers).toMatchObject({ ':status': 200, 'x-te': 'trailers' });
    const [body] = await once(stream, 'data');
    expect(String(body)).toBe('enough');
    expect((await trailers)[0]).toMatchObject({ 'grpc-status': '9' });
    stream.close();
  }
});
