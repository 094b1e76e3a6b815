import { type ClientHttp2Session, connect } from 'node:http2';
import { abortLater, askedHeaders, flat, nothing, type Target } from './client-http1.ts';
import { instant } from './instant.ts';
import type { LoadClient, LoadResult } from './load.ts';
import type { Planned } from './load-plan.ts';

/** So many connections have been numbered. */
let opened = 0;

/** HTTP/2 without TLS over `connections` connections in turn; over one, the order of sending is the order of arrival. */
export function h2Client(target: Target & { readonly connections?: number }): LoadClient {
  const { host = '127.0.0.1', port, connections = 1 } = target;
  const sessions = Array.from({ length: connections }, () => {
    // Bodies of requests that wait stay here: with Node's own bound of 10 MB it would refuse its own streams.
    const session = connect(`http://${host}:${port}`, { peerMaxConcurrentStreams: 100_000, maxSessionMemory: 1000 });
    session.setMaxListeners(0); // each request that has to wait for the connection listens
    session.on('error', () => session.destroy()); // each of its requests says so in its result
    return session;
  });
  const first = opened;
  opened += connections;
  let turn = 0;
  return {
    async send(planned) {
      turn = (turn + 1) % sessions.length;
      const connection = first + turn;
      const session = sessions[turn];
      if (session === undefined) throw new Error('a client has at least one connection');
      return { ...(await exchange(session, planned, target)), connection };
    },
    close: () => {
      for (const session of sessions) session.destroy();
    },
  };
}

function exchange(session: ClientHttp2Session, planned: Planned, target: Target): Promise<LoadResult> {
  return new Promise((resolve) => {
    let sent = instant();
    if (session.connecting) {
      session.once('connect', () => {
        sent = instant();
      });
    }
    if (session.destroyed) return resolve({ ...nothing(planned, sent), error: 'the connection is gone' });
    const stream = session.request({
      ':path': planned.path ?? target.path ?? '/',
      ':method': planned.body === undefined ? 'GET' : 'POST',
      ...target.headers,
      ...askedHeaders(planned),
      ...planned.headers,
    });
    let answer: Pick<LoadResult, 'first' | 'status' | 'headers'> = { first: undefined, status: 0, headers: {} };
    let trailers: Record<string, string> = {};
    const chunks: Buffer[] = [];
    const body = () => Buffer.concat(chunks).toString();
    const done = (rest: Partial<LoadResult>) => resolve({ ...nothing(planned, sent), ...rest });
    const finish = abortLater(planned, () => stream.close(8), done); // 8: CANCEL
    stream.on('response', (headers) => {
      answer = { first: instant(), status: headers[':status'] ?? 0, headers: flat(headers) };
    });
    stream.on('trailers', (headers) => {
      trailers = flat(headers);
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    let ended: number | undefined;
    stream.on('end', () => {
      ended = instant();
    });
    stream.on('error', (error) => finish({ ...answer, outcome: 'failed', error: String(error), body: body() }));
    // A stream that is reset after some data ends as well: only its code tells the difference.
    stream.on('close', () => {
      const rest =
        ended !== undefined && stream.rstCode === 0 && answer.status !== 0
          ? { outcome: 'answered' as const, ended }
          : { outcome: 'failed' as const, error: `the stream ended early, code ${stream.rstCode}` };
      finish({ ...answer, ...rest, trailers, body: body() });
    });
    stream.end(planned.body);
  });
}
