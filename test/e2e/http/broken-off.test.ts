import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { get, type RawAnswer, rawAsk, rawPod, writeAndEnd } from './raw.ts';
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

test('what a pod breaks off ends for the client at once', async () => {
  const pod = await rawPod(ANSWERS);
  const { port } = await startStage(codecRoutes([pod]).replace('limit: 1', 'limit: 100'));
  const ended = await Promise.all(CASES.map(async ([what, request]) => [what, await rawAsk(port, request)] as const));
  for (const [what, r] of ended) console.log(what, r.how, Math.round(r.lastByteMs), Math.round(r.endMs), r.text.slice(0, 30));
  expect(1).toBe(1);
});
