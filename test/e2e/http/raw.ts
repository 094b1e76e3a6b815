import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { instant } from '../kit/instant.ts';

/** What a pod does with a request: `head` is everything before the empty line, `rest` what came after it already. */
export type RawAnswer = (socket: Socket, head: string, rest: Buffer) => void;

/** A pod that answers byte by byte as a test says, by the first segment of the path; it keeps connections. */
export async function rawPod(answers: Readonly<Record<string, RawAnswer>>): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    let read = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('end', () => socket.end());
    const take = (chunk: Buffer) => {
      read = Buffer.concat([read, chunk]);
      const end = read.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = read.subarray(0, end).toString('latin1');
      const rest = read.subarray(end + 4);
      read = Buffer.alloc(0);
      const mode = /^\S+ \/([^/? ]*)/.exec(head)?.[1] ?? '';
      const answer = answers[mode];
      if (answer === undefined) socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
      else answer(socket, head, rest);
    };
    socket.on('data', take);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) throw new Error('not bound');
  return `127.0.0.1:${bound.port}`;
}

/** Writes `bytes`, and closes after a moment, as a process does that ends. */
export function writeAndEnd(bytes: string, afterMs = 200): RawAnswer {
  return (socket) => {
    socket.write(bytes);
    setTimeout(() => socket.destroy(), afterMs);
  };
}

/** Writes `bytes` and keeps the connection. */
export function write(bytes: string | Buffer): RawAnswer {
  return (socket) => {
    socket.write(bytes);
  };
}

/** What came back on a connection. */
export interface RawResult {
  readonly text: string;
  readonly status: number;
  /** When the last byte came, and when the connection ended, in milliseconds since it was opened. */
  readonly lastByteMs: number;
  readonly endMs: number;
  readonly how: 'end' | 'reset' | 'open';
}

/** How to ask. */
export interface RawOptions {
  /** Give up after this long. */
  readonly withinMs?: number;
  /** Resolve as soon as this has come. */
  readonly until?: RegExp;
}

/** Sends `bytes` on a connection of its own, as they are, and waits until it ends. */
export function rawAsk(port: number, bytes: string | Buffer, options: RawOptions = {}): Promise<RawResult> {
  const { withinMs = 10_000, until } = options;
  return new Promise((resolve) => {
    const began = instant();
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let lastByteMs = 0;
    const done = (how: RawResult['how']) => {
      clearTimeout(timer);
      socket.destroy();
      const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0);
      resolve({ text, status, lastByteMs, endMs: instant() - began, how });
    };
    const timer = setTimeout(() => done('open'), withinMs);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      lastByteMs = instant() - began;
      if (until?.test(text)) done('open');
    });
    socket.on('error', () => done('reset'));
    socket.on('end', () => done('end'));
    socket.on('connect', () => socket.write(bytes));
  });
}

/** `GET` with more header lines. */
export function get(path: string, ...lines: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
}
