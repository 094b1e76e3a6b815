import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

interface State {
  /** Where it leads, on 127.0.0.1. */
  to: () => number;
  cut: boolean;
  readonly frozen: Set<Socket>;
}

/** A wire between an Envoy and its control plane that can be cut and joined again; it ends with the test. */
export class CutWire {
  readonly port: number;
  readonly #sockets: Set<Socket>;
  readonly #state: State;

  private constructor(port: number, sockets: Set<Socket>, state: State) {
    this.port = port;
    this.#sockets = sockets;
    this.#state = state;
  }

  /** To `port` on 127.0.0.1. */
  static async to(port: number): Promise<CutWire> {
    const sockets = new Set<Socket>();
    const state: State = { to: () => port, cut: false, frozen: new Set() };
    const server = createServer((near) => {
      if (state.cut) {
        near.destroy();
        return;
      }
      const far = connect(state.to(), '127.0.0.1');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          if (!state.frozen.has(other)) other.destroy();
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

  /** Ends all connections, and refuses new ones until it is joined again. */
  cut(): void {
    this.#state.cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Whoever is connected hears nothing from the other side any more, not even that it has gone. */
  freeze(): void {
    for (const socket of this.#sockets) {
      this.#state.frozen.add(socket);
      socket.unpipe();
      socket.pause();
    }
  }

  mend(): void {
    this.#state.cut = false;
  }

  /** From now on it leads to these ports on 127.0.0.1, each new connection to the next one; those that there are end. */
  turn(...ports: readonly [number, ...number[]]): void {
    let count = 0;
    this.#state.to = () => ports[count++ % ports.length] ?? ports[0];
    for (const socket of this.#sockets) socket.destroy();
  }
}
