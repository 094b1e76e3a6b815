import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { Server, ServerCredentials, type ServerDuplexStream, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { envoy } from '#xds';
import { rawMethod } from '../../src/base/raw-method.ts';

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;

type Stream = ServerDuplexStream<Buffer, Buffer>;

/** What a control plane has seen of one Envoy. */
export interface Seen {
  readonly requests: envoy.service.discovery.v3.DeltaDiscoveryRequest[];
  /** Streams opened so far. */
  ads: number;
}

/** A control plane that answers the first request of every type with nothing. */
export class StubControlPlane {
  readonly seen: Seen = { requests: [], ads: 0 };
  readonly #server = new Server();
  port = 0;

  constructor() {
    const implementation: UntypedServiceImplementation = {
      ads: (stream: Stream) => this.#ads(stream),
    };
    this.#server.addService(
      {
        ads: rawMethod('/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources', 'both'),
      },
      implementation,
    );
  }

  async start(address = '127.0.0.1:0'): Promise<this> {
    const bind = promisify(this.#server.bindAsync.bind(this.#server));
    this.port = await bind(address, ServerCredentials.createInsecure());
    return this;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #ads(stream: Stream): void {
    this.seen.ads++;
    const answered = new Set<string>();
    stream.on('error', () => {});
    stream.on('data', (bytes: Buffer) => {
      const request = DeltaDiscoveryRequest.decode(bytes);
      this.seen.requests.push(request);
      if (answered.has(request.typeUrl)) return;
      answered.add(request.typeUrl);
      stream.write(answer(request.typeUrl));
    });
  }
}

function answer(typeUrl: string): Buffer {
  const message = { typeUrl, nonce: '1', systemVersionInfo: '1' };
  return Buffer.from(DeltaDiscoveryResponse.encode(message).finish());
}

/** A way to `target` whose open connections can be made to hang; new ones work. */
export async function freezable(target: number) {
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.push(from);
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on TCP, so this is no pipe's name.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
