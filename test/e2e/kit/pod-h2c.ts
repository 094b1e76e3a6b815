import {
  constants,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Answer, Held, Pod, Protocol } from './pod.ts';
import { readAsked } from './pod-ask.ts';
import { ODD_HEADER } from './pod-odd.ts';

/** How long a connection that was opened before may last once the pod's mode is `goaway`. */
const GOAWAY_LOOK_MS = 20;

/** HTTP/2 without TLS, prior knowledge, by node:http2; a trailer `x-done: 1` ends every answer. */
export function h2c(pod: Pod): Protocol {
  const server = createServer({ settings: { maxConcurrentStreams: 1000 } });
  server.on('stream', (stream, headers) => receive(pod, stream, headers));
  server.on('session', (session) => sayGoawayInTime(pod, session));
  server.on('sessionError', () => undefined); // a peer that breaks off is part of many tests
  return { serve: (socket) => server.emit('connection', socket), close: () => server.close() };
}

/** Ends each connection in good order, again and again, while the pod's mode says so. */
function sayGoawayInTime(pod: Pod, session: ServerHttp2Session): void {
  const { mode } = pod;
  const end = () => {
    if (pod.mode.kind !== 'goaway' || session.closed) return;
    // GOAWAY with the last request that was taken; then the connection closes when that has ended.
    goAway(session);
    session.close();
  };
  const timer = setInterval(end, mode.kind === 'goaway' ? mode.everyMs : GOAWAY_LOOK_MS);
  session.on('close', () => clearInterval(timer));
}

/** The last stream that a connection takes; Node would give us those that are on their way as well. */
const lastStreams = new WeakMap<Http2Session, number>();

function goAway(session: Http2Session): void {
  if (session.destroyed) return;
  const last = session.state.lastProcStreamID ?? 0;
  lastStreams.set(session, last);
  session.goaway(constants.NGHTTP2_NO_ERROR, last);
}

function receive(pod: Pod, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const last = stream.session && lastStreams.get(stream.session);
  if (last !== undefined && (stream.id ?? 0) > last) {
    stream.on('error', () => undefined); // that it was refused
    stream.close(constants.NGHTTP2_REFUSED_STREAM);
    return;
  }
  const held = pod.hold(readAsked(headers, headers[':path'] ?? '/'));
  let bytes = 0;
  if (headers['expect'] === '100-continue') stream.additionalHeaders({ ':status': 100 });
  stream.on('close', () => held.leave());
  stream.on('error', () => held.leave());
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  stream.on('end', () => held.work((how) => answer({ pod, held, stream, headers, bytes }, how)));
}

interface Exchange {
  readonly pod: Pod;
  readonly held: Held;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: number;
}

function answer({ pod, held, stream, headers, bytes }: Exchange, how: Answer): void {
  if (stream.destroyed) return;
  // Its connection takes no further stream, and finishes those it has.
  if (headers[ODD_HEADER] === 'goaway' && stream.session !== undefined) goAway(stream.session);
  const echo = headers['x-echo'] === undefined ? {} : { headers };
  const text = JSON.stringify({ pod: pod.address, method: headers[':method'], url: headers[':path'], bytes, ...echo });
  const status = how.kind === 'status' ? how.status : 200;
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-done': '1' }));
  const answered = { ':status': status, 'content-type': 'application/json', 'x-pod': pod.address };
  stream.respond(answered, { waitForTrailers: how.kind !== 'half' });
  held.finish(how);
  if (how.kind === 'half') stream.write(text, () => stream.destroy(new Error('as told')));
  else stream.end(text);
}
