import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A running demo pod. */
export interface DemoPod {
  readonly name: string;
  readonly port: number;
  /**
   * Takes no new connection from now on, lets what it works on finish for at most `graceMs` milliseconds, and cuts what
   * is left; 0 cuts everything at once.
   */
  stop(graceMs: number): Promise<void>;
}

/** How a demo pod behaves. */
export interface DemoPodOptions {
  readonly name: string;
  readonly host: string;
  /** 0: the system picks one. */
  readonly port: number;
  /** How long it works on a request, in milliseconds. */
  readonly workMs: number;
}

/** A pod to try Sluice with: works on each request for a while and says how many it had at the same time. */
export async function startDemoPod({ name, host, port, workMs }: DemoPodOptions): Promise<DemoPod> {
  let holds = 0;
  let count = 0;
  const connections = new Connections();
  const server = createServer(async (request, response) => {
    connections.take(request.socket);
    holds += 1;
    count += 1;
    const text = `${name}: my request number ${count}, ${holds} at the same time\n`;
    response.once('close', () => {
      holds -= 1;
      connections.leave(request.socket);
    });
    request.resume();
    await sleep(workMs);
    // A pod on its way out must not be asked again over a connection that was kept.
    if (!server.listening) response.setHeader('connection', 'close');
    response.writeHead(200, { 'content-type': 'text/plain' }).end(text);
  });
  server.on('connection', (socket) => connections.add(socket));
  await listen(server, host, port);
  // A TCP server's address is an AddressInfo once it listens.
  const address = server.address() as AddressInfo;
  return { name, port: address.port, stop: (graceMs) => close(server, connections, graceMs) };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

function close(server: Server, connections: Connections, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    connections.cutIdle();
    if (graceMs <= 0) server.closeAllConnections();
  });
}

/** Open connections: to Node's own `closeIdleConnections` one that never had a request is not idle. */
class Connections {
  readonly #idle = new Set<Socket>();

  add(socket: Socket): void {
    this.#idle.add(socket);
    socket.once('close', () => this.#idle.delete(socket));
  }

  take(socket: Socket): void {
    this.#idle.delete(socket);
  }

  leave(socket: Socket): void {
    if (!socket.destroyed) this.#idle.add(socket);
  }

  cutIdle(): void {
    for (const socket of this.#idle) socket.destroy();
  }
}
