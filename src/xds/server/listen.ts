import type { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { type BindAddress, grpcTarget, removeDeadSocket } from './address.ts';

/** Has a gRPC server listen. The address with its real port, or why it cannot listen there. */
export async function listen(
  server: Server,
  address: BindAddress,
  credentials: ServerCredentials,
): Promise<Result<BindAddress, string>> {
  if (address.kind === 'unix') await removeDeadSocket(address.path);
  const target = grpcTarget(address);
  return new Promise((resolve) => {
    server.bindAsync(target, credentials, (error, port) => {
      if (error) resolve(fail(`cannot listen on ${target}: ${error.message}`));
      else resolve(ok(address.kind === 'tcp' ? { ...address, port } : address));
    });
  });
}

/** Ends a gRPC server in order, or after `graceMs` whatever is still open: it waits for a client that reads nothing as well. */
export function shutDown(server: Server, clock: Clock, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(graceMs, () => {
      server.forceShutdown();
      resolve();
    });
    server.tryShutdown(() => {
      cancel();
      resolve();
    });
  });
}
