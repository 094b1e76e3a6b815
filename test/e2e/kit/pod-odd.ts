import type { Socket } from 'node:net';
import type { AskedHeaders } from './pod-ask.ts';

/** The header by which a request asks its pod for an odd answer, or its end. */
export const ODD_HEADER = 'x-odd';

/** One odd answer over HTTP/1.1. */
export interface OddAnswer {
  /** Whether the answer is no whole one: the connection breaks. */
  readonly breaks: boolean;
  readonly write: (socket: Socket) => void;
}

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n';

function bytes(text: string): OddAnswer {
  return { breaks: false, write: (socket) => socket.write(text) };
}

function lines(count: number): string {
  return Array.from({ length: count }, (_, at) => `X-${at}: 1\r\n`).join('');
}

/** Over HTTP/1.1, by the header's value. The first ones are answers that no proxy can pass on. */
const ANSWERS: Readonly<Record<string, OddAnswer>> = {
  'spaced-name': bytes(`${LENGTH}Bad : x\r\n\r\nok\n`),
  'twice-a-length': bytes(`${LENGTH}Content-Length: 3\r\n\r\nok\n`),
  '204-with-body': bytes('HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nok\n'),
  'unasked-101': bytes('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  'too-many-lines': bytes(`${LENGTH}${lines(1100)}\r\nok\n`),
  close: { breaks: true, write: (socket) => socket.destroy() },
  reset: { breaks: true, write: (socket) => socket.resetAndDestroy() },
};

/** What a request asked for by its headers; undefined: a common answer. */
export function oddAnswer(headers: AskedHeaders): OddAnswer | undefined {
  const asked = headers[ODD_HEADER];
  return typeof asked === 'string' ? ANSWERS[asked] : undefined;
}
