import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A running demo pod. */
export interface DemoPod {
  readonly name: string;
  readonly port: number;
  stop(): Promise<void>;
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
  const server = createServer(async (request, response) => {
    holds += 1;
    count += 1;
    const text = `${name}: my request number ${count}, ${holds} at the same time\n`;
    response.once('close', () => {
      holds -= 1;
    });
    request.resume();
    await sleep(workMs);
    response.writeHead(200, { 'content-type': 'text/plain' }).end(text);
  });
  await listen(server, host, port);
  // A TCP server's address is an AddressInfo once it listens.
  const address = server.address() as AddressInfo;
  return { name, port: address.port, stop: () => close(server) };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
