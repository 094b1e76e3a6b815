import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Answer, Held, Pod, Protocol } from './pod.ts';
import { ALIVE_PATH, type AskedHeaders, readAsked } from './pod-ask.ts';
import { oddAnswer } from './pod-odd.ts';

/** The header that asks for so many spaces before the answer's text, for clients that read slowly. */
export const PADDING_HEADER = 'x-padding-bytes';

const PIECE = Buffer.alloc(1024 * 1024, ' ');

const CONNECTION_FAULTS: ReadonlySet<string> = new Set(['garbage', 'slow-accept']);

/** HTTP/1.1 by node:http. An upgrade (WebSocket) is accepted and every byte sent back until either side closes. */
export function http1(pod: Pod): Protocol {
  const server = createServer({ keepAlive: true, requestTimeout: 0, headersTimeout: 0 });
  server.on('request', (request, response) => receive(pod, request, response));
  server.on('upgrade', (request, socket) => upgrade(pod, request, socket));
  server.on('clientError', (_error, socket) => socket.destroy());
  return { serve: (socket) => server.emit('connection', socket), close: () => server.close() };
}

function receive(pod: Pod, request: IncomingMessage, response: ServerResponse): void {
  if (request.url === ALIVE_PATH && pod.mode.kind === 'normal') {
    response.end();
    return;
  }
  const held = pod.hold(readAsked(request.headers, request.url ?? '/'));
  response.on('close', () => held.leave());
  const echo = request.headers['x-echo'] === undefined ? undefined : request.headers;
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on('error', () => held.leave());
  request.on('end', () => held.work((how) => answer({ pod, held, response, request, bytes, echo }, how)));
}

interface Exchange {
  readonly pod: Pod;
  readonly held: Held;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly bytes: number;
  readonly echo: AskedHeaders | undefined;
}

function answer({ pod, held, response, request, bytes, echo }: Exchange, how: Answer): void {
  const { method, url } = request;
  const odd = how.kind === 'ok' ? oddAnswer(request.headers) : undefined;
  if (odd !== undefined) {
    held.finish({ kind: odd.breaks ? 'half' : 'ok' });
    odd.write(request.socket);
    return;
  }
  const text = JSON.stringify({ pod: pod.address, method, url, bytes, ...(echo && { headers: echo }) });
  const status = how.kind === 'status' ? how.status : 200;
  const padding = Number(request.headers[PADDING_HEADER] ?? 0);
  const length = padding + Buffer.byteLength(text) + (how.kind === 'half' ? 1000 : 0);
  // What is wrong with a pod's new connections would not show over one that was kept.
  if (CONNECTION_FAULTS.has(pod.mode.kind)) response.setHeader('connection', 'close');
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length, 'x-pod': pod.address });
  const last = () => {
    held.finish(how);
    if (how.kind === 'half') response.write(text, () => request.socket.destroy());
    else response.end(text);
  };
  if (padding === 0) last();
  else pad(response, padding, last);
}

/** Writes so many spaces; calls `then` when they are gone: who reads slowly keeps the pod waiting. */
function pad(response: ServerResponse, bytes: number, then: () => void): void {
  const left = bytes - PIECE.length;
  const next = () => (left > 0 ? pad(response, left, then) : then());
  response.write(PIECE.subarray(0, bytes), (error) => error ?? next());
}

function upgrade(pod: Pod, request: IncomingMessage, socket: Duplex): void {
  const held = pod.hold(readAsked(request.headers, request.url ?? '/'));
  socket.on('close', () => held.leave());
  socket.on('end', () => held.finish({ kind: 'ok' }));
  const name = request.headers.upgrade ?? '';
  held.work(() => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${name}\r\nx-pod: ${pod.address}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
}
