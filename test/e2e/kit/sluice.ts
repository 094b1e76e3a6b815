import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { envoyBootstrap } from '../../../src/envoy/bootstrap.ts';
import { startEnvoy, type TestEnvoy } from './envoy.ts';
import { instant, until } from './instant.ts';
import { freePorts, isListening } from './ports.ts';
import { FILTER_CONNECTED, type LogLine, type ProcessExit, SluiceProcess } from './sluice-process.ts';

/** A route file without `version` and the address and port of `listen`, which the kit adds; or a whole file as text. */
export type RouteFile =
  | {
      readonly tls?: unknown;
      readonly access_log?: unknown;
      readonly tracing?: unknown;
      readonly services: unknown;
      readonly routes: unknown;
    }
  | string;

/** How to start Sluice and its Envoy. */
export interface SluiceOptions {
  readonly routes: RouteFile;
  /** Environment of the control plane, beside the test's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** `debug` when left out, without which `acked` never resolves. */
  readonly logLevel?: 'debug' | 'info';
  /** Path of the Envoy, when it is not that of all tests. */
  readonly envoy?: string | undefined;
  /** More arguments of `sluice serve`. */
  readonly args?: readonly string[];
}

interface Ports {
  /** Where Envoy takes requests. */
  readonly traffic: number;
  readonly xds: number;
  /** Envoy's admin. */
  readonly admin: number;
}

/** `sluice serve` as a child process, a real Envoy beside it that asks it for everything, and a route file to edit. */
export class Sluice {
  readonly #folder: string;
  readonly #ports: Ports;
  readonly #env: Readonly<Record<string, string>>;
  readonly #logLevel: string;
  readonly #args: readonly string[];
  #process: SluiceProcess;
  #envoy: TestEnvoy | undefined;

  private constructor(folder: string, ports: Ports, { env = {}, logLevel = 'debug', args = [] }: SluiceOptions) {
    this.#folder = folder;
    this.#ports = ports;
    this.#env = env;
    this.#logLevel = logLevel;
    this.#args = args;
    this.#process = this.#serve();
  }

  /** Starts both and waits until Envoy takes requests. Errors: rejects with the end of Sluice's log. */
  static async start(options: SluiceOptions): Promise<Sluice> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
    const [traffic = 0, xds = 0, admin = 0] = await freePorts(3);
    await replace(folder, text(options.routes, traffic));
    const sluice = new Sluice(folder, { traffic, xds, admin }, options);
    try {
      await sluice.#served();
      await sluice.#startEnvoy(options.envoy);
    } catch (error) {
      await sluice.stop();
      throw error;
    }
    return sluice;
  }

  /** The port on 127.0.0.1 where Envoy takes requests. */
  get port(): number {
    return this.#ports.traffic;
  }

  /** Path of the route file. */
  get routeFile(): string {
    return join(this.#folder, FILE);
  }

  get envoy(): TestEnvoy {
    if (this.#envoy === undefined) throw new Error('Envoy has not been started yet');
    return this.#envoy;
  }

  /** The control plane that runs now, or ran last. */
  get process(): SluiceProcess {
    return this.#process;
  }

  /** Replaces the route file in one step, as editors do; resolves to the moment it was done, by `instant()`. */
  async edit(routes: RouteFile): Promise<number> {
    await replace(this.#folder, text(routes, this.#ports.traffic));
    return instant();
  }

  /**
   * Waits until Envoy has acknowledged something of each of these types (the last parts of their type URLs, such as
   * `ClusterLoadAssignment` or `Cluster`) after the moment `since`; resolves to the last of those moments.
   */
  async acked(since: number, ...types: readonly string[]): Promise<number> {
    const acks = await Promise.all(
      types.map((type) => this.#process.logged(`an ACK of ${type}`, (line) => isAck(line, type), since)),
    );
    return Math.max(...acks.map(({ at }) => at));
  }

  /** Kills the control plane with SIGKILL; Envoy goes on. */
  kill(): Promise<ProcessExit> {
    return this.#process.end('SIGKILL');
  }

  /** Starts the control plane again on the same ports and file, once it has ended; resolves when it serves. */
  async restart(): Promise<void> {
    if (this.#process.exit === undefined) await this.#process.end();
    this.#process = this.#serve();
    await this.#served();
  }

  /** Kills Envoy with SIGKILL, and with it everything that runs and waits. */
  async killEnvoy(): Promise<void> {
    process.kill(this.envoy.pid, 'SIGKILL');
    await this.envoy.exited;
  }

  /** Starts Envoy again, once it has ended; resolves when it takes requests. */
  async startEnvoyAgain(): Promise<void> {
    await this.#startEnvoy();
  }

  /** What Sluice's own status says, as JSON. */
  async status(): Promise<Record<string, unknown>> {
    const { fields } = await this.#served();
    const answer = await fetch(`${fields['admin']}/status`);
    const status: unknown = await answer.json();
    if (typeof status !== 'object' || status === null) throw new Error('the status is no object');
    return { ...status };
  }

  /** What Sluice says of the pods of a service, in the order of their addresses: `ready`, `ejected`, … */
  async podStates(name: string): Promise<readonly string[]> {
    const { services } = await this.status();
    if (!Array.isArray(services)) throw new Error('the status has no services');
    return services
      .filter((service) => service.name === name)
      .flatMap(({ pods }) => pods.map(({ state }: { state: string }) => state));
  }

  /** Envoy's counters and gauges whose name matches the regular expression. Errors: throws when Envoy does not answer. */
  async stats(filter: string): Promise<ReadonlyMap<string, number>> {
    const stats = await this.envoy.admin.stats({ filter });
    if (!stats.ok) throw new Error(stats.errors.join('\n'));
    return stats.value;
  }

  /** Ends both and removes the folder; resolves to how the control plane ended. */
  async stop(): Promise<ProcessExit> {
    const exit = this.#process.exit ?? (await this.#process.end());
    await this.#envoy?.stop();
    await rm(this.#folder, { recursive: true, force: true });
    return exit;
  }

  #serve(): SluiceProcess {
    const { xds } = this.#ports;
    const where = ['--routes', this.routeFile, '--xds', `127.0.0.1:${xds}`];
    const how = ['--admin', '127.0.0.1:0', '--log-level', this.#logLevel];
    return new SluiceProcess(['serve', ...where, ...how, ...this.#args], this.#env);
  }

  /** Whether the filter has acknowledged all there is to say. */
  async #isTold(): Promise<boolean> {
    const { nodes } = await this.status();
    return Array.isArray(nodes) && nodes.some(({ filter }) => filter?.state === 'connected');
  }

  #served(): Promise<LogLine> {
    return this.#process.logged('it serves', ({ msg }) => msg === 'serving');
  }

  async #startEnvoy(program?: string): Promise<void> {
    const since = instant();
    const bootstrap = envoyBootstrap({
      nodeId: 'envoy',
      nodeCluster: 'test',
      xds: { kind: 'tcp', host: '127.0.0.1', port: this.#ports.xds },
      admin: { host: '127.0.0.1', port: this.#ports.admin },
    });
    const envoy = await startEnvoy(bootstrap, 'warn', program);
    this.#envoy = envoy;
    await until(() => isListening(this.port), { what: `Envoy to listen on ${this.port}`, within: 20_000 }).catch(
      (error) => {
        const said = envoy.logs.slice(-15).map(({ message }) => message);
        throw new Error(`${error}; Envoy's log ends with\n${said.join('\n')}`);
      },
    );
    // From then on it knows the pods of each service; requests that come before wait for that.
    await this.#process.logged('the filter', ({ msg }) => msg === FILTER_CONNECTED, since);
    await until(() => this.#isTold(), { what: 'the filter to be told its pods' });
  }
}

const FILE = 'routes.yaml';

/** A whole route file: `routes` with the version, and with the port where Envoy takes requests. */
export function routeFileText({ tls, ...routes }: Exclude<RouteFile, string>, port: number): string {
  return stringify({
    version: 1,
    listen: { address: '127.0.0.1', port, ...(tls === undefined ? {} : { tls }) },
    ...routes,
  });
}

function text(routes: RouteFile, port: number): string {
  return typeof routes === 'string' ? routes : routeFileText(routes, port);
}

async function replace(folder: string, content: string): Promise<void> {
  const next = join(folder, `.${FILE}.next`);
  await writeFile(next, content);
  await rename(next, join(folder, FILE));
}

function isAck({ fields }: LogLine, type: string): boolean {
  const url = fields['typeUrl'];
  return fields['kind'] === 'acked' && typeof url === 'string' && url.endsWith(`.${type}`);
}
