import { lstat, unlink } from 'node:fs/promises';
import { BlockList, createConnection, isIP, isIPv6 } from 'node:net';

/** Where a server listens. Port 0 lets the system pick one. */
export type BindAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** The address as gRPC writes it. */
export function grpcTarget(address: BindAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine reaches the address, so that plaintext there gives nothing away. */
export function isPrivate(address: BindAddress): boolean {
  if (address.kind === 'unix' || address.host === 'localhost') return true;
  const version = isIP(address.host);
  return version !== 0 && loopback.check(address.host, version === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Removes the socket file that a server which was killed has left behind, as binding fails while it is there. A socket
 * that somebody still listens on, and anything that is not a socket, is left alone.
 */
export async function removeDeadSocket(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry?.isSocket() && !(await isServed(path))) await unlink(path).catch(() => undefined);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
