import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyBootstrap } from '../../src/envoy/bootstrap.ts';
import { http1Client } from '../e2e/kit/client-http1.ts';
import { envoyPath, startEnvoy, type TestEnvoy } from '../e2e/kit/envoy.ts';
import { until } from '../e2e/kit/instant.ts';
import type { LoadClient } from '../e2e/kit/load.ts';
import { Pods } from '../e2e/kit/pods.ts';
import { SluiceProcess } from '../e2e/kit/sluice-process.ts';
import { Namespace, POD_NETWORK, SLUICE } from './net.ts';

/** Pods in every row, and the requests that each may hold. */
export const PODS = 4;
export const LIMIT = 1;
export const SLOTS = PODS * LIMIT;

const XDS = 18_000;
const TRAFFIC = 8080;
const ADMIN = 9901;

/** One Envoy in a network namespace of its own, and the clients that use it. */
export class Place {
  readonly name: string;
  readonly namespace: Namespace;
  readonly client: LoadClient;
  readonly #folder: string;
  #envoy: TestEnvoy | undefined;

  constructor(name: string, number: number, folder: string) {
    this.name = name;
    this.#folder = folder;
    this.namespace = new Namespace(number);
    this.client = http1Client({ host: this.namespace.address, port: TRAFFIC });
  }

  /** Starts it, again if it was there before, and waits until its requests get to pods. */
  async start(): Promise<void> {
    this.#envoy = await startEnvoy(
      envoyBootstrap({
        nodeId: this.name,
        nodeCluster: 'shared',
        xds: { kind: 'tcp', host: SLUICE, port: XDS },
        admin: { host: this.namespace.address, port: ADMIN },
      }),
      'warn',
      this.namespace.program(this.#folder, await envoyPath()),
    );
  }

  async serves(): Promise<void> {
    let sent = 0;
    const isServed = async () =>
      (await this.client.send({ id: `hello-${this.name}-${sent++}`, at: 0, workMs: 1 })).status === 200;
    await until(isServed, { what: `an answer through ${this.name}`, within: 20_000 });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#envoy !== undefined) process.kill(this.#envoy.pid, signal);
  }

  /** Kills it and waits until it has ended. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#envoy?.exited;
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.#envoy?.stop();
    this.namespace.remove();
  }
}

/** Pods, Sluice, and Envoys in namespaces of their own, all of them for one row. */
export class World {
  readonly pods: Pods;
  readonly places: readonly Place[];
  readonly #folder: string;
  readonly #arguments: readonly string[];
  #sluice: SluiceProcess;

  private constructor(pods: Pods, places: readonly Place[], folder: string, more: readonly string[]) {
    this.pods = pods;
    this.places = places;
    this.#folder = folder;
    this.#arguments = [
      ...['serve', '--routes', join(folder, 'routes.yaml'), '--state-dir', folder, '--xds', `${SLUICE}:${XDS}`],
      ...['--xds-insecure', '--admin', '127.0.0.1:0', ...more],
    ];
    this.#sluice = new SluiceProcess(this.#arguments);
  }

  /** Starts everything. `envoys`: how many; `more`: further arguments of Sluice. */
  static async start(envoys: number, more: readonly string[]): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-shared-'));
    const pods = await Pods.start({ count: PODS, network: POD_NETWORK });
    await writeRoutes(folder, pods, 'codec', LIMIT);
    const places = Array.from({ length: envoys }, (_, i) => new Place(`edge-${i + 1}`, i + 1, folder));
    const world = new World(pods, places, folder, more);
    await world.#serves();
    for (const place of places) await place.start();
    for (const place of places) await place.serves();
    return world;
  }

  /** Writes another route file. */
  async edit(service: string, limit: number): Promise<void> {
    await writeRoutes(this.#folder, this.pods, service, limit);
  }

  /** The Envoy that faults befall, and the others. */
  get victim(): Place {
    const [first] = this.places;
    if (first === undefined) throw new Error('there is always an Envoy');
    return first;
  }

  signalSluice(signal: NodeJS.Signals): void {
    if (this.#sluice.pid !== undefined) process.kill(this.#sluice.pid, signal);
  }

  async killSluice(): Promise<void> {
    await this.#sluice.end('SIGKILL');
  }

  async startSluice(): Promise<void> {
    this.#sluice = new SluiceProcess(this.#arguments);
    await this.#serves();
  }

  async stop(): Promise<void> {
    await Promise.all(this.places.map((place) => place.stop()));
    if (this.#sluice.exit === undefined) await this.#sluice.end('SIGKILL');
    await this.pods.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #serves(): Promise<void> {
    await this.#sluice.logged('it serves', ({ msg }) => msg === 'serving');
  }
}

async function writeRoutes(folder: string, pods: Pods, service: string, limit: number): Promise<void> {
  const routes = {
    version: 1,
    listen: { port: TRAFFIC },
    services: { [service]: { static: pods.addresses, limit } },
    routes: [{ match: { prefix: '/' }, service }],
  };
  // JSON is YAML.
  await writeFile(join(folder, 'routes.yaml'), JSON.stringify(routes));
}
