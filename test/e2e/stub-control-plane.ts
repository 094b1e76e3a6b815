import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { Server, ServerCredentials, type ServerDuplexStream, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { envoy } from '#xds';
import { rawMethod } from '../../src/base/raw-method.ts';
import { TYPE_URLS } from '../../src/snapshot/resource.ts';

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource } = envoy.service.discovery.v3;
const { Runtime } = envoy.service.runtime.v3;

type Stream = ServerDuplexStream<Buffer, Buffer>;

/** What a control plane has seen of one Envoy. */
export interface Seen {
  readonly requests: envoy.service.discovery.v3.DeltaDiscoveryRequest[];
  /** Streams opened so far. */
  ads: number;
  lrs: number;
}

/** A control plane that answers every first request with nothing, save the limits, which it sends when told to. */
export class StubControlPlane {
  readonly seen: Seen = { requests: [], ads: 0, lrs: 0 };
  readonly #server = new Server();
  readonly #held: (() => void)[] = [];
  readonly #sendLimits: boolean;
  port = 0;

  constructor(sendLimits = true) {
    this.#sendLimits = sendLimits;
    const implementation: UntypedServiceImplementation = {
      ads: (stream: Stream) => this.#ads(stream),
      lrs: (stream: Stream) => {
        this.seen.lrs++;
        stream.on('data', () => {});
        stream.on('end', () => stream.end());
      },
    };
    this.#server.addService(
      {
        ads: rawMethod('/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources', 'both'),
        lrs: rawMethod('/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats', 'both'),
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

  sendLimits(): void {
    for (const send of this.#held.splice(0)) send();
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
      const limits = request.typeUrl === TYPE_URLS.runtime;
      const send = () => stream.write(answer(request.typeUrl, limits ? [limitsResource()] : []));
      if (limits && !this.#sendLimits) this.#held.push(send);
      else send();
    });
  }
}

function limitsResource(): envoy.service.discovery.v3.IResource {
  const fields = { 'circuit_breakers.gate/codec.default.max_connections': { numberValue: 7 } };
  const value = Runtime.encode({ name: 'limits', layer: { fields } }).finish();
  return { name: 'limits', version: '1', resource: { typeUrl: TYPE_URLS.runtime, value } };
}

function answer(typeUrl: string, resources: readonly envoy.service.discovery.v3.IResource[]): Buffer {
  const message = {
    typeUrl,
    nonce: '1',
    systemVersionInfo: '1',
    resources: resources.map((one) => Resource.create(one)),
  };
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
