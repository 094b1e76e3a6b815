import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyBootstrap } from '../../src/envoy/bootstrap.ts';
import { http1Client } from '../e2e/kit/client-http1.ts';
import { envoyPath, startEnvoy, type TestEnvoy } from '../e2e/kit/envoy.ts';
import { until } from '../e2e/kit/instant.ts';
import type { LoadClient, LoadResult } from '../e2e/kit/load.ts';
import type { Planned } from '../e2e/kit/load-plan.ts';
import { Pods } from '../e2e/kit/pods.ts';
import { type LogLine, runSluice, SluiceProcess } from '../e2e/kit/sluice-process.ts';
import { Namespace, POD_NETWORK, SLUICE } from './net.ts';

/** Pods in every row, and the requests that each may hold. */
export const PODS = 4;
export const LIMIT = 1;
export const SLOTS = PODS * LIMIT;

const XDS = 18_000;
const TRAFFIC = 8080;
const ADMIN = 9901;
/** Worker threads of each Envoy: as in the manifests, if nobody says otherwise. */
const WORKERS = Number(process.env['SLUICE_WORKERS'] ?? 1);

/** An Envoy in a network namespace of its own, and the clients that use it; of a pair: and the Sluice that it is connected to. */
export class Place {
  readonly name: string;
  readonly namespace: Namespace;
  readonly #client: LoadClient;
  readonly #folder: string;
  readonly #arguments: readonly string[] | undefined;
  #sluice: SluiceProcess | undefined;
  #envoy: TestEnvoy | undefined;
  #inFlight = 0;

  /** `follows`: it has a Sluice of its own, which follows that of the world. */
  constructor(number: number, { folder, follows }: { readonly folder: string; readonly follows: boolean }) {
    this.name = `edge-${number}`;
    this.#folder = folder;
    this.namespace = new Namespace(number);
    this.#client = http1Client({ host: this.namespace.address, port: TRAFFIC });
    this.#arguments = follows
      ? [
          ...['serve', '--routes', join(folder, 'routes.yaml'), '--state-dir', join(folder, this.name)],
          ...['--xds', `127.0.0.1:${XDS}`, '--admin', '127.0.0.1:0'],
          ...['--coordinator', `${SLUICE}:${XDS}`, '--coordinator-insecure'],
        ]
      : undefined;
  }

  async send(request: Planned): Promise<LoadResult> {
    this.#inFlight++;
    const result = await this.#client.send(request);
    this.#inFlight--;
    return result;
  }

  /** Starts it, again if it was there before. */
  async start(): Promise<void> {
    if (this.#arguments !== undefined && (this.#sluice === undefined || this.#sluice.exit !== undefined))
      await this.startSluice();
    this.#envoy = await startEnvoy(
      envoyBootstrap({
        nodeId: this.name,
        nodeCluster: 'shared',
        xds: { kind: 'tcp', host: this.#arguments === undefined ? SLUICE : '127.0.0.1', port: XDS },
        admin: { host: this.namespace.address, port: ADMIN },
      }),
      'warn',
      this.namespace.program(this.#folder, await envoyPath()),
      WORKERS,
    );
  }

  async startSluice(): Promise<void> {
    if (this.#arguments === undefined) throw new Error(`${this.name} has no Sluice of its own`);
    this.#sluice = new SluiceProcess(this.#arguments, {}, this.namespace.within);
    await serves(this.#sluice);
  }

  /** Waits until its requests get to pods. */
  async serves(): Promise<void> {
    let sent = 0;
    const isServed = async () =>
      (await this.#client.send({ id: `hello-${this.name}-${sent++}`, at: 0, workMs: 1 })).status === 200;
    await until(isServed, { what: `an answer through ${this.name}`, within: 20_000 });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#envoy !== undefined) process.kill(this.#envoy.pid, signal);
  }

  signalSluice(signal: NodeJS.Signals): void {
    if (this.#sluice?.pid !== undefined) process.kill(this.#sluice.pid, signal);
  }

  /** Kills the Envoy and waits until it has ended. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#envoy?.exited;
  }

  async killSluice(): Promise<void> {
    await this.#sluice?.end('SIGKILL');
  }

  /** Waits until all requests that went through it have been answered. */
  async drained(): Promise<void> {
    await until(() => this.#inFlight === 0, { what: `the last answer through ${this.name}`, within: 60_000 });
  }

  /** Ends both in order. */
  async end(): Promise<void> {
    await this.#envoy?.stop();
    if (this.#sluice !== undefined && this.#sluice.exit === undefined) await this.#sluice.end();
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.#envoy?.stop();
    if (this.#sluice !== undefined && this.#sluice.exit === undefined) await this.#sluice.end('SIGKILL');
    this.namespace.remove();
  }
}

/** Who is there at first. */
export interface WorldOptions {
  /** How many Envoys. */
  readonly envoys: number;
  /** Each Envoy but one has a Sluice of its own, which follows the one that the other Envoy is connected to. */
  readonly pairs: boolean;
  /** Further arguments of Sluice. */
  readonly args: readonly string[];
}

/** Pods, Sluice, and Envoys in namespaces of their own, all of them for one row. */
export class World {
  readonly pods: Pods;
  /** All that have been there, also those that have ended. */
  readonly places: Place[] = [];
  readonly #folder: string;
  readonly #arguments: readonly string[];
  /** Those that new requests go to, by turns. */
  #serving: readonly Place[] = [];
  #turn = 0;
  #sluice: SluiceProcess;

  private constructor(pods: Pods, folder: string, more: readonly string[]) {
    this.pods = pods;
    this.#folder = folder;
    this.#arguments = [
      ...['serve', '--routes', join(folder, 'routes.yaml'), '--state-dir', folder, '--xds', `${SLUICE}:${XDS}`],
      ...['--xds-insecure', '--admin', '127.0.0.1:0', ...more],
    ];
    this.#sluice = new SluiceProcess(this.#arguments);
  }

  /** Starts everything. */
  static async start({ envoys, pairs, args }: WorldOptions): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-shared-'));
    const pods = await Pods.start({ count: PODS, network: POD_NETWORK });
    await writeRoutes({ folder, pods, service: 'codec', limit: LIMIT });
    const world = new World(pods, folder, args);
    await serves(world.#sluice);
    // The last one is beside the Sluice that coordinates.
    for (let i = 1; i <= envoys; i++) await world.add(pairs && i < envoys);
    return world;
  }

  /** One more, which requests go to once it serves. `follows`: with a Sluice of its own. */
  async add(follows: boolean): Promise<Place> {
    const place = new Place(this.places.length + 1, { folder: this.#folder, follows });
    this.places.push(place);
    await place.start();
    await place.serves();
    this.#serving = [...this.#serving, place];
    return place;
  }

  /** No new request goes to it; when the last one is answered it ends, and that is told to the Sluice that coordinates. */
  async replace(place: Place): Promise<void> {
    this.#serving = this.#serving.filter((each) => each !== place);
    await place.drained();
    await place.end();
    const admin = (await serves(this.#sluice)).fields['admin'];
    const forgotten = async () => (await runSluice(['forget', place.name, '--admin', String(admin)])).code === 0;
    await until(forgotten, { what: `${place.name} is forgotten`, within: 10_000 });
  }

  /** The one whose turn it is. */
  next(): Place {
    const place = this.#serving[this.#turn++ % this.#serving.length];
    if (place === undefined) throw new Error('there is always an Envoy');
    return place;
  }

  /** Writes another route file. */
  async edit(service: string, limit: number): Promise<void> {
    await writeRoutes({ folder: this.#folder, pods: this.pods, service, limit });
  }

  /** The Envoy that faults befall; where there are pairs one that follows. */
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
    await serves(this.#sluice);
  }

  async stop(): Promise<void> {
    await Promise.all(this.places.map((place) => place.stop()));
    if (this.#sluice.exit === undefined) await this.#sluice.end('SIGKILL');
    await this.pods.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function serves(sluice: SluiceProcess): Promise<LogLine> {
  return sluice.logged('it serves', ({ msg }) => msg === 'serving');
}

async function writeRoutes({
  folder,
  pods,
  service,
  limit,
}: {
  readonly folder: string;
  readonly pods: Pods;
  readonly service: string;
  readonly limit: number;
}): Promise<void> {
  const routes = {
    version: 1,
    listen: { port: TRAFFIC },
    services: { [service]: { static: pods.addresses, limit } },
    routes: [{ match: { prefix: '/' }, service }],
  };
  // JSON is YAML.
  await writeFile(join(folder, 'routes.yaml'), JSON.stringify(routes));
}
