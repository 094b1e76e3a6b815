import { type IncomingHttpHeaders, request } from 'node:http';
import { fail, ok, type Result } from '../base/result.ts';
import type { AdminPlace } from './admin-place.ts';

/** An answer of any status. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * Sends a request over a connection of its own and reads the whole answer. (Not `fetch`: it refuses a list of ports
 * that browsers once found dangerous, and an admin may well sit on one.)
 * Errors: why there is no answer, in a few words without the address; an aborted `signal` is one of them.
 */
export function httpGet(address: AdminPlace, path: string, signal: AbortSignal): Promise<Result<Answer, string>> {
  return ask('GET', address, path, signal);
}

/** The same with POST and without a body. */
export function httpPost(address: AdminPlace, path: string, signal: AbortSignal): Promise<Result<Answer, string>> {
  return ask('POST', address, path, signal);
}

function ask(
  method: 'GET' | 'POST',
  address: AdminPlace,
  path: string,
  signal: AbortSignal,
): Promise<Result<Answer, string>> {
  const where = 'socket' in address ? { socketPath: address.socket, host: 'envoy' } : address;
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve(fail(whyFailed(error, signal)));
    const sent = request({ ...where, method, path, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        resolve(ok({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
    });
    sent.on('error', failed);
    sent.end();
  });
}

function whyFailed(error: NodeJS.ErrnoException, signal: AbortSignal): string {
  if (!signal.aborted) return error.code === 'ECONNREFUSED' ? 'connection refused' : error.message;
  return signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
    ? 'no answer in time'
    : 'cancelled';
}
