import { afterEach, beforeEach } from 'vitest';
import { SnapshotCache } from '../../../src/snapshot/cache.ts';
import { type EncodedResource, TYPE_URLS, type TypeUrl } from '../../../src/snapshot/resource.ts';
import { makeSnapshot } from '../../../src/snapshot/snapshot.ts';
import type { XdsEvent } from '../../../src/xds/protocol/event.ts';
import { XdsServer } from '../../../src/xds/server/server.ts';
import type { XdsServerOptions } from '../../../src/xds/server/server-options.ts';
import {
  type DeltaRequest,
  type DeltaResponse,
  fake,
  type SotwRequest,
  type SotwResponse,
  TestClient,
  type TestStream,
} from './client.ts';

/** A server with its cache, and clients that end with the test. */
export class World {
  readonly cache = new SnapshotCache();
  readonly events: XdsEvent[] = [];
  readonly server: XdsServer;
  readonly #clients: TestClient[] = [];
  #target = '';

  constructor(options: Partial<XdsServerOptions> = {}) {
    this.server = new XdsServer({
      addresses: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
      cache: this.cache,
      onEvent: (event) => this.events.push(event),
      ...options,
    });
  }

  async start(): Promise<void> {
    const started = await this.server.start();
    if (!started.ok) throw new Error(started.errors.join('\n'));
    const [address] = started.value;
    if (address?.kind !== 'tcp') throw new Error('not bound to TCP');
    this.#target = `127.0.0.1:${address.port}`;
  }

  /** A client with a connection of its own. */
  client(): TestClient {
    const client = new TestClient(this.#target);
    this.#clients.push(client);
    return client;
  }

  get port(): number {
    return Number(this.#target.split(':')[1]);
  }

  /** Publishes fake resources: `cds: {a: 'A1'}`. */
  publish(resources: Partial<Record<keyof typeof SHORT, Readonly<Record<string, string>>>>): void {
    const encoded: EncodedResource[] = Object.entries(resources).flatMap(([short, byName]) =>
      // The keys are those of SHORT, which Object.entries forgets.
      Object.entries(byName).map(([name, content]) => fake(SHORT[short as keyof typeof SHORT], name, content)),
    );
    this.cache.set(makeSnapshot(encoded));
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.server.stop(0);
  }
}

/** The types by the names of their services. */
export const SHORT = {
  cds: TYPE_URLS.cluster,
  eds: TYPE_URLS.endpoints,
  lds: TYPE_URLS.listener,
  rds: TYPE_URLS.routes,
  sds: TYPE_URLS.secret,
  ecds: TYPE_URLS.extension,
} as const;

/** A world per test. */
export function useWorld(options: Partial<XdsServerOptions> = {}): () => World {
  let world: World | undefined;
  beforeEach(async () => {
    world = new World(options);
    await world.start();
  });
  afterEach(async () => world?.stop());
  return () => {
    if (world === undefined) throw new Error('only within a test');
    return world;
  };
}

/** Accepts a state-of-the-world response, naming the same resources as before. */
export function ackSotw(
  stream: TestStream<SotwRequest, SotwResponse>,
  response: SotwResponse,
  names: string[] = [],
): void {
  const { typeUrl, versionInfo, nonce: responseNonce } = response;
  stream.send({ typeUrl, versionInfo, responseNonce, resourceNames: names });
}

/** Refuses a state-of-the-world response. */
export function nackSotw(
  stream: TestStream<SotwRequest, SotwResponse>,
  response: SotwResponse,
  { names = [], message }: { readonly names?: string[]; readonly message: string },
): void {
  const { typeUrl, nonce: responseNonce } = response;
  stream.send({ typeUrl, responseNonce, resourceNames: names, errorDetail: { code: 3, message } });
}

/** Accepts a delta response. */
export function ackDelta(stream: TestStream<DeltaRequest, DeltaResponse>, response: DeltaResponse): void {
  stream.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
}

/** Refuses a delta response. */
export function nackDelta(
  stream: TestStream<DeltaRequest, DeltaResponse>,
  response: DeltaResponse,
  message: string,
): void {
  stream.send({ typeUrl: response.typeUrl, responseNonce: response.nonce, errorDetail: { code: 3, message } });
}

/** The type of a type URL's short name. */
export type Short = keyof typeof SHORT;

/** The short name of a type URL. */
export function short(typeUrl: string): string {
  const found = Object.entries<TypeUrl>(SHORT).find(([, url]) => url === typeUrl);
  return found?.[0] ?? typeUrl;
}
