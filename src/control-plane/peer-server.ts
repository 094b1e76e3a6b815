import { Server, type ServerCredentials } from '@grpc/grpc-js';
import { fail, ok, type Result } from '../base/result.ts';
import { type BindAddress, grpcTarget } from '../xds/server/address.ts';
import type { ExtraService } from '../xds/server/extra-service.ts';
import { channelOptions } from '../xds/server/server-options.ts';

/** So long a stop waits for streams to end in order. */
const GRACE_MS = 1000;

/** Where other Sluices connect: at an address of its own, as Envoys are not to. */
export class PeerServer {
  readonly #server = new Server(channelOptions(undefined));
  readonly #service: ExtraService;

  constructor(service: ExtraService) {
    this.#service = service;
    this.#server.addService(service.definition, service.implementation);
  }

  /** The address with its real port, or why it cannot listen there. */
  start(address: BindAddress, credentials: ServerCredentials): Promise<Result<BindAddress, string>> {
    const target = grpcTarget(address);
    return new Promise((resolve) => {
      this.#server.bindAsync(target, credentials, (error, port) => {
        if (error) resolve(fail(`cannot listen on ${target}: ${error.message}`));
        else resolve(ok(address.kind === 'tcp' ? { ...address, port } : address));
      });
    });
  }

  stop(): Promise<void> {
    this.#service.end?.();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#server.forceShutdown();
        resolve();
      }, GRACE_MS);
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
