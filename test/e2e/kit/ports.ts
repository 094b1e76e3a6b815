import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * A TCP port on `host` that nobody listens on now. Another process may take it before it is used, so a test that binds
 * it must be ready to see "address already in use"; where a server can bind port 0 itself, let it.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error(`no TCP address on ${host}`);
  return address.port;
}

/** `count` different free ports; all are held open until the last one is known, so that none is handed out twice. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      server.listen(0, host);
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error(`no TCP address on ${host}`);
    return address.port;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
