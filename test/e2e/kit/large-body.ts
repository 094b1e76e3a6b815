import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { ID_HEADER, WORK_HEADER } from './pod-ask.ts';
import { PADDING_HEADER } from './pod-http1.ts';

/** A request with a large body, and a large answer. */
export interface LargeBody {
  readonly port: number;
  readonly id: string;
  /** Bytes of the body, and of the padding of the answer. */
  readonly bytes: number;
}

/** What became of it. */
export interface LargeAnswer {
  readonly status: number;
  /** Bytes of the body as the pod counted them. */
  readonly sent: number;
  /** Bytes of the answer. */
  readonly received: number;
}

const PIECE = Buffer.alloc(256 * 1024, 'x');

function* pieces(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= PIECE.length) yield PIECE.subarray(0, left);
}

/** Sends `bytes` in chunks as fast as they are taken, and reads as many. Errors: rejects when the exchange breaks off. */
export function exchangeLarge({ port, id, bytes }: LargeBody): Promise<LargeAnswer> {
  const headers = { [ID_HEADER]: id, [WORK_HEADER]: '1', [PADDING_HEADER]: String(bytes) };
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, method: 'POST', agent: false, headers });
    asked.on('response', (response: IncomingMessage) => {
      let received = 0;
      let end = '';
      response.on('data', (chunk: Buffer) => {
        received += chunk.length;
        // The text is at the end, behind the padding.
        if (received > bytes) end = (end + chunk.subarray(-1000).toString('latin1')).slice(-1000).trimStart();
      });
      response.on('error', reject);
      response.on('end', () => {
        const text = end.slice(end.indexOf('{"pod"'));
        resolve({ status: response.statusCode ?? 0, sent: Number(/"bytes":(\d+)/.exec(text)?.[1]), received });
      });
    });
    asked.on('error', reject);
    pipeline(Readable.from(pieces(bytes)), asked, (error) => error && reject(error));
  });
}

/** Memory of a process over time, in bytes of resident memory. */
export interface MemoryWatch {
  readonly before: number;
  /** Ends the watch; the most that was seen. */
  stop(): number;
}

/** Looks at a process' resident memory (Linux: VmRSS) every 20 ms. */
export function watchMemory(pid: number): MemoryWatch {
  const now = () => Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024;
  const before = now();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, now());
  }, 20);
  return {
    before,
    stop: () => {
      clearInterval(timer);
      return Math.max(most, now());
    },
  };
}
