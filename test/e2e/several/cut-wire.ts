import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A wire between an Envoy and its control plane that can be cut and mended; it ends with the test. */
export class CutWire {
  readonly port: number;
  readonly #sockets: Set<Socket>;
  readonly #state: { cut: boolean };

  private constructor(port: number, sockets: Set<Socket>, state: { cut: boolean }) {
    this.port = port;
    this.#sockets = sockets;
    this.#state = state;
  }

  /** To `port` on 127.0.0.1. */
  static async to(port: number): Promise<CutWire> {
    const sockets = new Set<Socket>();
    const state = { cut: false };
    const server = createServer((near) => {
      if (state.cut) {
        near.destroy();
        return;
      }
      const far = connect(port, '127.0.0.1');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const wire = new CutWire(typeof address === 'object' ? (address?.port ?? 0) : 0, sockets, state);
    onTestFinished(() => {
      server.close();
      wire.cut();
    });
    return wire;
  }

  /** Ends all connections, and refuses new ones until it is mended. */
  cut(): void {
    this.#state.cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Both sides keep their connections and hear nothing from each other any more. */
  freeze(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  mend(): void {
    this.#state.cut = false;
  }
}
