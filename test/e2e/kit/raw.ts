import { connect } from 'node:net';

/**
 * Sends `bytes` over a connection of its own, as they are, and resolves to everything that comes back until the server
 * closes, has been silent for `quietMs` after its first byte, or has said nothing at all for 10 s. For requests that no HTTP client would send. Never rejects: what a reset cut
 * off is missing.
 */
export function rawExchange(port: number, bytes: string | Buffer, quietMs = 1000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    const end = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(10_000, end);
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      socket.setTimeout(quietMs);
    });
    socket.on('error', end);
    socket.on('close', end);
    socket.on('connect', () => socket.write(bytes));
  });
}

/** The statuses of all answers in `text`, in their order. */
export function statusesIn(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status));
}
