import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  type ServiceError,
  type status,
} from '@grpc/grpc-js';
import { envoy } from '#xds';
import type { EncodedResource, TypeUrl } from '../../../src/snapshot/resource.ts';

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse } =
  envoy.service.discovery.v3;
export type SotwRequest = envoy.service.discovery.v3.DiscoveryRequest.$Properties;
export type SotwResponse = envoy.service.discovery.v3.DiscoveryResponse;
export type DeltaRequest = envoy.service.discovery.v3.DeltaDiscoveryRequest.$Properties;
export type DeltaResponse = envoy.service.discovery.v3.DeltaDiscoveryResponse;

export const ADS = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

/** How long a test waits for what must come. */
const PATIENCE_MS = 10_000;

/** A plain gRPC client's stream: sends what it is told, keeps all that comes. */
export class TestStream<Request, Response> {
  readonly received: Response[] = [];
  ended: { readonly code: status; readonly details: string } | undefined;
  readonly #call: ClientDuplexStream<Request, Response>;
  #read = 0;
  #wake: () => void = () => {};

  constructor(call: ClientDuplexStream<Request, Response>) {
    this.#call = call;
    call.on('data', (response: Response) => {
      this.received.push(response);
      this.#wake();
    });
    call.on('error', () => {});
    call.on('status', ({ code, details }: Pick<ServiceError, 'code' | 'details'>) => {
      this.ended = { code, details };
      this.#wake();
    });
  }

  send(request: Request): void {
    this.#call.write(request);
  }

  /** The next response not asked for before. Throws when none comes, or the stream ends. */
  async next(): Promise<Response> {
    const response = await this.#until(() => this.received[this.#read] ?? (this.ended && 'ended'));
    if (response === 'ended') throw new Error(`the stream ended: ${JSON.stringify(this.ended)}`);
    this.#read++;
    // 'ended' is handled above; the type parameter may be a string as far as the compiler knows.
    return response as Response;
  }

  /** How the stream ends. */
  async end(): Promise<{ readonly code: status; readonly details: string }> {
    return this.#until(() => this.ended);
  }

  /** How many responses came that `next()` has not returned. */
  get unread(): number {
    return this.received.length - this.#read;
  }

  halfClose(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  async #until<T>(look: () => T | undefined): Promise<T> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const left = end - performance.now();
      if (left <= 0) throw new Error(`nothing came within ${PATIENCE_MS} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/** A client of an xDS server at `target` (`127.0.0.1:1234`, `unix:/path`). */
export class TestClient {
  readonly #client: Client;

  constructor(target: string, how: ChannelCredentials = credentials.createInsecure()) {
    this.#client = new Client(target, how, { 'grpc.use_local_subchannel_pool': 1 });
  }

  sotw(path = `${ADS}/StreamAggregatedResources`): TestStream<SotwRequest, SotwResponse> {
    const encode = (request: SotwRequest) => Buffer.from(DiscoveryRequest.encode(request).finish());
    return new TestStream(this.#client.makeBidiStreamRequest(path, encode, (bytes) => DiscoveryResponse.decode(bytes)));
  }

  delta(path = `${ADS}/DeltaAggregatedResources`): TestStream<DeltaRequest, DeltaResponse> {
    const encode = (request: DeltaRequest) => Buffer.from(DeltaDiscoveryRequest.encode(request).finish());
    const decode = (bytes: Buffer) => DeltaDiscoveryResponse.decode(bytes);
    return new TestStream(this.#client.makeBidiStreamRequest(path, encode, decode));
  }

  /** A stream of bare bytes. */
  raw(path = `${ADS}/StreamAggregatedResources`): TestStream<Buffer, Buffer> {
    const same = (bytes: Buffer) => bytes;
    return new TestStream(this.#client.makeBidiStreamRequest(path, same, same));
  }

  /** What a unary call ends with. */
  unary(path: string): Promise<ServiceError | null> {
    const same = (bytes: Buffer) => bytes;
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error) => resolve(error));
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** A client below gRPC, which leaves everything on the wire until it is told to read: grpc-js's own reads ahead. */
export class StalledClient {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;

  constructor(port: number, path: string) {
    this.#session = connect(`http://127.0.0.1:${port}`);
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    this.#stream = this.#session.request(headers);
    this.#session.on('error', () => {});
    this.#stream.on('error', () => {});
  }

  send(message: Uint8Array): void {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    this.#stream.write(Buffer.concat([head, message]));
  }

  /** Reads, at last: the messages of the stream. */
  async *read(): AsyncGenerator<Buffer> {
    let buffer = Buffer.alloc(0);
    for await (const chunk of this.#stream) {
      buffer = Buffer.concat([buffer, chunk]);
      while (buffer.length >= 5 && buffer.length >= 5 + buffer.readUInt32BE(1)) {
        const end = 5 + buffer.readUInt32BE(1);
        yield buffer.subarray(5, end);
        buffer = buffer.subarray(end);
      }
    }
  }

  close(): void {
    this.#session.destroy();
  }
}

/** A resource whose bytes are any text: the server never looks inside. */
export function fake(typeUrl: TypeUrl, name: string, content: string): EncodedResource {
  return { typeUrl, name, body: Buffer.from(content) };
}

/** The contents of the fake resources in a response. */
export function contents(response: SotwResponse | DeltaResponse): readonly string[] {
  const bodies = isDelta(response)
    ? response.resources.map((resource) => resource.resource?.value)
    : response.resources.map((resource) => resource.value);
  return bodies.map((body) => Buffer.from(body instanceof Uint8Array ? body : []).toString());
}

function isDelta(response: SotwResponse | DeltaResponse): response is DeltaResponse {
  return 'removedResources' in response;
}

/** Time for something that must not come, to come. */
export const QUIET_MS = 150;
