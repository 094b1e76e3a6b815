import { Server, type ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.ts';
import type { Result } from '../base/result.ts';
import type { BindAddress } from '../xds/server/address.ts';
import type { ExtraService } from '../xds/server/extra-service.ts';
import { listen, shutDown } from '../xds/server/listen.ts';
import { channelOptions } from '../xds/server/server-options.ts';

/** So long a stop waits for streams to end in order. */
const GRACE_MS = 1000;

/** Where other Sluices connect: at an address of its own, as Envoys are not to. */
export class PeerServer {
  readonly #server = new Server(channelOptions(undefined));
  readonly #services: readonly ExtraService[];
  readonly #clock: Clock;

  constructor(services: readonly ExtraService[], clock: Clock) {
    this.#services = services;
    this.#clock = clock;
    for (const { definition, implementation } of services) this.#server.addService(definition, implementation);
  }

  /** The address with its real port, or why it cannot listen there. */
  start(address: BindAddress, credentials: ServerCredentials): Promise<Result<BindAddress, string>> {
    return listen(this.#server, address, credentials);
  }

  stop(): Promise<void> {
    for (const service of this.#services) service.end?.();
    return shutDown(this.#server, this.#clock, GRACE_MS);
  }
}
