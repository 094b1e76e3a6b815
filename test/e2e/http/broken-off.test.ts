import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { get, type RawAnswer, rawAsk, rawPod, write, writeAndEnd } from './raw.ts';
import { codecRoutes, startStage } from './stage.ts';

const WEBSOCKET = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Takes a WebSocket, sends `frames`, and ends after a moment. */
function webSocket(frames: string): RawAnswer {
  return (socket, head) => {
    const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1] ?? '';
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    socket.write(`${[...lines, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
    socket.write(Buffer.from(frames, 'latin1'));
    setTimeout(() => socket.destroy(), 200);
  };
}

const ANSWERS: Readonly<Record<string, RawAnswer>> = {
  length: writeAndEnd('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'),
  reset: (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    setTimeout(() => socket.resetAndDestroy(), 200);
  },
  chunked: writeAndEnd('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'),
  sse: writeAndEnd(
    'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n',
  ),
  ws: webSocket('\x81\x02hi'),
  wsclose: webSocket('\x81\x02hi\x88\x02\x03\xe8'),
};

const CASES: readonly (readonly [string, string])[] = [
  ['an answer with a length', get('/length')],
  ['one whose pod resets the connection', get('/reset')],
  ['one to a client that asked for close', get('/length', 'Connection: close')],
  ['one to a client of HTTP/1.0', 'GET /length HTTP/1.0\r\n\r\n'],
  ['chunks', get('/chunked')],
  ['events', get('/sse')],
  ['a WebSocket', get('/ws', ...WEBSOCKET)],
  ['a WebSocket that was closed in order', get('/wsclose', ...WEBSOCKET)],
];

test('what a pod breaks off ends for the client at once, and no pod is taken out for it', async () => {
  const pod = await rawPod(ANSWERS);
  const { port, podEvents } = await startStage(codecRoutes([pod], 'limit: 8'));
  const ended = await Promise.all(CASES.map(async ([what, request]) => [what, await rawAsk(port, request)] as const));
  for (const [what, { how, endMs, text }] of ended) {
    expect(how, what).not.toBe('open');
    // The pod ends 200 ms after its answer began.
    expect(endMs, what).toBeLessThan(1000);
    expect(text, what).toMatch(/abc|data: 1|hi/);
  }
  // All eight slots are free again, of a pod that gets requests.
  const next = await Promise.all(Array.from({ length: 8 }, () => rawAsk(port, get('/length'))));
  expect(next.map(({ status }) => status)).toEqual(Array(8).fill(200));
  expect(podEvents).toEqual([]);
});

test('a client that pauses is not cut off, whatever closes the connection', async () => {
  const size = 30_000_000;
  const body = Buffer.alloc(size, 'x');
  const pod = await rawPod({
    whole: write(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`), body])),
    broken: (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size + 1}\r\n\r\n`);
      socket.write(body, () => socket.destroy());
    },
  });
  const { port } = await startStage(codecRoutes([pod], 'limit: 8'));
  const requests = [
    get('/whole', 'Connection: close'),
    'GET /whole HTTP/1.0\r\n\r\n',
    get('/broken'),
    get('/broken', 'Connection: close'),
  ];
  // Longer than Envoy's own delay of 1 s, at moments when Envoy and the kernels hold the rest of the answer.
  const read = await Promise.all(
    requests.map((request) => readSlowly(port, request, { from: 23_000_000, every: 1_000_000, pauseMs: 1500 })),
  );
  expect(read).toEqual(Array(4).fill(size));
});

/** How much of the body comes to a client that pauses again and again towards the end. */
function readSlowly(
  port: number,
  request: string,
  { from, every, pauseMs }: { readonly from: number; readonly every: number; readonly pauseMs: number },
): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let count = -1;
    let next = from;
    socket.on('data', (chunk: Buffer) => {
      // The body begins after the first empty line.
      count += count < 0 ? chunk.length - chunk.indexOf('\r\n\r\n') - 3 : chunk.length;
      if (count < next) return;
      next += every;
      socket.pause();
      setTimeout(() => socket.resume(), pauseMs);
    });
    socket.on('error', () => resolve(count));
    socket.on('end', () => resolve(count));
    socket.write(request);
  });
}
