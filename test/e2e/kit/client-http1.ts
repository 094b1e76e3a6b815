import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { instant } from './instant.ts';
import type { LoadClient, LoadResult } from './load.ts';
import type { Planned } from './load-plan.ts';
import { ID_HEADER, WORK_HEADER } from './pod-ask.ts';

/** Where a client sends its requests. */
export interface Target {
  readonly host?: string;
  readonly port: number;
  /** The path of every request that does not name its own; `/` when left out. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** HTTP/1.1 with as many kept-alive connections as there are requests at once. */
export function http1Client({ host = '127.0.0.1', port, path = '/', headers = {} }: Target): LoadClient {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 10_000 });
  const send = (planned: Planned) =>
    new Promise<LoadResult>((resolve) => {
      let sent = instant();
      const method = planned.body === undefined ? 'GET' : 'POST';
      const asked = { ...headers, ...askedHeaders(planned), ...planned.headers };
      const request = httpRequest({ agent, host, port, method, path: planned.path ?? path, headers: asked });
      const leave = () => request.destroy();
      const finish = abortLater(planned, leave, (rest) => resolve({ ...nothing(planned, sent), ...rest }));
      request.on('socket', (socket) => {
        // Opening hundreds of connections takes a while, and what has not been written yet waits for nobody but us.
        if (socket.connecting)
          socket.once('connect', () => {
            sent = instant();
          });
      });
      request.on('error', (error) => finish({ outcome: 'failed', error: String(error) }));
      request.on('response', (response) => receive(response, finish));
      request.end(planned.body);
    });
  return { send, close: () => agent.destroy() };
}

function receive(response: IncomingMessage, finish: Finish): void {
  const first = instant();
  const chunks: Buffer[] = [];
  const answer = () => ({
    first,
    status: response.statusCode ?? 0,
    headers: flat(response.headers),
    trailers: flat(response.trailers),
    body: Buffer.concat(chunks).toString(),
  });
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  response.on('error', (error) => finish({ ...answer(), outcome: 'failed', error: String(error) }));
  response.on('end', () => finish({ ...answer(), outcome: 'answered' }));
}

/** Ends a request with what is known of it; only the first call counts. */
export type Finish = (rest: Partial<LoadResult> & Pick<LoadResult, 'outcome'>) => void;

/** A result of which nothing is known yet but when it was sent; it ends now. */
export function nothing({ id }: Planned, sent: number): LoadResult {
  const none = { first: undefined, grpcStatus: undefined, error: undefined };
  return { ...none, id, sent, ended: instant(), outcome: 'failed', status: 0, headers: {}, trailers: {}, body: '' };
}

/** Calls `abort` at the request's time to go away; the returned function ends the request through `done`, once. */
export function abortLater({ abortAfter }: Planned, abort: () => void, done: Finish): Finish {
  let aborted = false;
  let over = false;
  const leave = () => {
    aborted = true;
    finish({ outcome: 'aborted' });
    abort();
  };
  const timer = abortAfter === undefined ? undefined : setTimeout(leave, abortAfter);
  const finish: Finish = (rest) => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    done({ ...rest, outcome: aborted ? 'aborted' : rest.outcome });
  };
  return finish;
}

/** The headers by which the pods know a request. */
export function askedHeaders({ id, workMs }: Planned): Record<string, string> {
  return { [ID_HEADER]: id, ...(workMs !== undefined && { [WORK_HEADER]: workMs.toFixed(3) }) };
}

/** Headers as plain text, several values joined by a comma, pseudo headers left out. */
export function flat(headers: IncomingHttpHeaders): Record<string, string> {
  const known = Object.entries(headers).filter(([name, value]) => value !== undefined && !name.startsWith(':'));
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}
