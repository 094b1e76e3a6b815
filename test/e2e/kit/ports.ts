import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

/**
 * From where to where: below what systems hand out by themselves (from 32768 on Linux, 49152 elsewhere), for neither a
 * client's connection nor a server on port 0 must take a port before whoever asked for it has bound it.
 */
const LOWEST = 12_000;
const HIGHEST = 32_000;

/**
 * A TCP port on `host` that nobody listens on now. Another process may take it before it is used, so a test that binds
 * it must be ready to see "address already in use"; where a server can bind port 0 itself, let it.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const [port] = await freePorts(1, host);
  if (port === undefined) throw new Error('one port was asked for');
  return port;
}

/** `count` different free ports. Errors: rejects when so many cannot be found. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries += 1) {
    if (tries > 100 * count) throw new Error(`no ${count} free ports on ${host} between ${LOWEST} and ${HIGHEST}`);
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port, host)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Whether something takes connections on this port of `host`. */
export function isListening(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
