import { h2Client } from '../e2e/kit/client-h2.ts';
import { until } from '../e2e/kit/instant.ts';
import type { LoadClient, LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import { type RouteFile, Sluice } from '../e2e/kit/sluice.ts';
import { PodProcess } from './pod-process.ts';
import type { PodProcessProtocol } from './pod-program.ts';

/** Pods in every row. */
export const PODS = 4;

/** Requests that a pod may hold. */
export const LIMIT = 2;

/** Slots of all pods together. */
export const SLOTS = PODS * LIMIT;

/** Keys of the service, as a user writes them. */
export type ServiceKeys = Readonly<Record<string, unknown>>;

/** Pods in processes of their own, Sluice, and a real Envoy, all of them for one row. */
export class World {
  readonly sluice: Sluice;
  readonly pods: readonly PodProcess[];
  readonly #service: ServiceKeys;
  #client: LoadClient;

  private constructor(sluice: Sluice, pods: readonly PodProcess[], service: ServiceKeys) {
    this.sluice = sluice;
    this.pods = pods;
    this.#service = service;
    this.#client = h2Client({ port: sluice.port });
  }

  /** Starts everything and warms it up. `service`: keys of the service beside its pods and its limit. */
  static async start(service: ServiceKeys, protocol: PodProcessProtocol = 'http1'): Promise<World> {
    const pods = await Promise.all(
      Array.from({ length: PODS }, (_, index) => PodProcess.start(`127.0.3.${index + 1}`, protocol)),
    );
    try {
      const sluice = await Sluice.start({ routes: routeFile(pods, service), args: ['--allow-trap'] });
      return new World(sluice, pods, service);
    } catch (error) {
      await Promise.all(pods.map((pod) => pod.stop()));
      throw error;
    }
  }

  /** The pod that most faults befall. */
  get victim(): PodProcess {
    const [pod] = this.pods;
    if (pod === undefined) throw new Error('there is always a pod');
    return pod;
  }

  /** One HTTP/2 connection to Envoy: the order of sending is the order of arrival. */
  readonly client: LoadClient = {
    send: (request): Promise<LoadResult> => this.#client.send(request),
    close: () => this.#client.close(),
  };

  /** Every request that any pod saw. */
  get requests(): readonly PodRequest[] {
    return this.pods.flatMap((pod) => pod.requests);
  }

  /** Opens the client's connection anew, after Envoy was started again. */
  reconnect(): void {
    this.#client.close();
    this.#client = h2Client({ port: this.sluice.port });
  }

  /** Writes a route file with these pods. */
  async edit(pods: readonly PodProcess[]): Promise<void> {
    await this.sluice.edit(routeFile(pods, this.#service));
  }

  /** Waits until no pod holds a request. */
  async idle(): Promise<void> {
    await until(() => this.pods.every(({ held }) => held === 0), { what: 'the pods to have no request' });
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    this.#client.close();
    await this.sluice.stop();
    await Promise.all(this.pods.map((pod) => pod.stop()));
  }
}

function routeFile(pods: readonly PodProcess[], service: ServiceKeys): RouteFile {
  return {
    services: { codec: { static: pods.map(({ address }) => address), limit: LIMIT, ...service } },
    routes: [{ match: { prefix: '/' }, service: 'codec' }],
  };
}
