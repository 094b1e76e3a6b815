import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { nothing } from '../e2e/kit/client-http1.ts';
import { instant, pause } from '../e2e/kit/instant.ts';
import type { LoadResult } from '../e2e/kit/load.ts';
import { ID_HEADER } from '../e2e/kit/pod-ask.ts';
import { PADDING_HEADER } from '../e2e/kit/pod-http1.ts';

/** One slow client. */
export interface SlowClient {
  readonly port: number;
  readonly id: string;
  /** How long it takes, in milliseconds. */
  readonly forMs: number;
}

/** Pieces of a body that is sent slowly. */
const PIECES = 15;

/** More than Envoy and the system buffer. */
const LARGE_BYTES = 32 * 1024 * 1024;

/** Sends a body of 60 kB little by little. */
export function sendSlowly({ port, id, forMs }: SlowClient): Promise<LoadResult> {
  return exchange({ port, id, headers: {} }, async (asked) => {
    for (let piece = 0; piece < PIECES; piece += 1) {
      asked.write(Buffer.alloc(4096, 'x'));
      await pause(forMs / PIECES);
    }
    asked.end();
  });
}

/** Asks for a large answer, and does not read it for a while. */
export function readSlowly({ port, id, forMs }: SlowClient): Promise<LoadResult> {
  const send = (asked: ClientRequest) => {
    asked.end();
    asked.once('response', (response: IncomingMessage) => {
      response.pause();
      setTimeout(() => response.resume(), forMs);
    });
  };
  return exchange({ port, id, headers: { [PADDING_HEADER]: String(LARGE_BYTES) } }, send);
}

interface Asked {
  readonly port: number;
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
}

function exchange({ port, id, headers }: Asked, send: (asked: ClientRequest) => void): Promise<LoadResult> {
  const sent = instant();
  const agent = new Agent();
  return new Promise<LoadResult>((resolve) => {
    const end = (rest: Partial<LoadResult>) => resolve({ ...nothing({ id, at: 0 }, sent), ...rest });
    const all = { [ID_HEADER]: id, ...headers };
    const asked = request({ agent, host: '127.0.0.1', port, method: 'POST', headers: all });
    asked.on('error', (error) => end({ error: String(error) }));
    asked.on('response', (response) => {
      const { statusCode: status = 0 } = response;
      const first = instant();
      let body = '';
      response.on('error', (error) => end({ first, status, error: String(error) }));
      // Of the padding nothing is kept but its last piece, which the text ends.
      response.on('data', (chunk: Buffer) => {
        body = (body + chunk.toString('latin1')).slice(-1000);
      });
      response.on('end', () => end({ first, status, body, outcome: 'answered' }));
    });
    send(asked);
  }).finally(() => agent.destroy());
}
