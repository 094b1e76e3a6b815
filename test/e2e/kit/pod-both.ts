import type { Socket } from 'node:net';
import type { Pod, Protocol } from './pod.ts';
import { h2c } from './pod-h2c.ts';
import { http1 } from './pod-http1.ts';

/** HTTP/1.1 and HTTP/2 without TLS on one port: a connection that begins with the preface of HTTP/2 speaks that. */
export function both(pod: Pod): Protocol {
  const one = http1(pod);
  const two = h2c(pod);
  const serve = (socket: Socket) => {
    socket.once('readable', () => {
      const first: Buffer | null = socket.read();
      if (first === null) return;
      socket.unshift(first);
      (first.subarray(0, 3).toString() === 'PRI' ? two : one).serve(socket);
    });
  };
  const close = () => {
    one.close();
    two.close();
  };
  return { serve, close };
}
