import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Keeps at most so many connections: a new one takes the place of the one that has been idle for longest, so that nobody
 * keeps probes out by opening connections and saying nothing. One on which an answer is under way is never closed.
 */
export function boundConnections(server: Server, most: number): void {
  /** Longest idle first. */
  const idle = new Set<Socket>();
  let open = 0;
  server.on('connection', (socket) => {
    open++;
    idle.add(socket);
    socket.once('close', () => {
      open--;
      idle.delete(socket);
    });
    if (open <= most) return;
    const [first] = idle;
    (first ?? socket).destroy();
  });
  server.on('request', ({ socket }, response) => {
    idle.delete(socket);
    response.once('close', () => {
      if (!socket.destroyed) idle.add(socket);
    });
  });
}
