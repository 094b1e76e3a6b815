import { type IncomingHttpHeaders, request } from 'node:http';
import { formatHostPort, type HostPort } from '../base/host-port.ts';
import { fail, ok, type Result } from '../base/result.ts';

/** An answer of any status. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * Sends a request over a connection of its own and reads the whole answer. (Not `fetch`: it refuses a list of ports
 * that browsers once found dangerous, and an admin may well sit on one.)
 * Errors: one sentence that names the address; an aborted `signal` is one of them.
 */
export function httpGet(address: HostPort, path: string, signal: AbortSignal): Promise<Result<Answer, string>> {
  return new Promise((resolve) => {
    const failed = (error: Error) => resolve(fail(`${formatHostPort(address)}${path}: ${whyFailed(error, signal)}`));
    const sent = request({ ...address, path, agent: false, signal }, (response) => {
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
  if (!signal.aborted) return error.code === 'ECONNREFUSED' ? 'nothing listens there' : error.message;
  return signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
    ? 'no answer in time'
    : 'cancelled';
}
