import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type BootstrapOptions, envoyBootstrap } from '../../../src/envoy/bootstrap.ts';
import { type Status, statusSchema } from '../../../src/status/status.ts';
import { startEnvoy, type TestEnvoy } from '../kit/envoy.ts';
import { freePorts } from '../kit/ports.ts';
import { type RouteFile, routeFileText } from '../kit/sluice.ts';
import { type LogLine, runSluice, SluiceProcess } from '../kit/sluice-process.ts';

/** `sluice serve` without an Envoy, for tests that bring several. */
export class ControlPlane {
  readonly #arguments: readonly string[];
  /** Where Envoys connect. */
  readonly xds: { readonly host: string; readonly port: number };
  process: SluiceProcess;
  readonly #file: string;
  #serving: LogLine | undefined;

  /** The port on 127.0.0.1 where its Envoys take requests, all of them: the kernel spreads connections over them. */
  readonly traffic: number;

  private constructor(
    place: { readonly traffic: number; readonly xds: number; readonly host: string; readonly file: string },
    args: readonly string[],
  ) {
    this.traffic = place.traffic;
    this.#file = place.file;
    this.xds = { host: place.host, port: place.xds };
    this.#arguments = args;
    this.process = new SluiceProcess(args);
  }

  /** Starts it and waits until it serves; it ends with the test. `more`: further arguments; `host`: where Envoys connect. */
  static async start(routes: RouteFile, more: readonly string[] = [], host = '127.0.0.1'): Promise<ControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-several-'));
    const [traffic = 0, xds = 0] = await freePorts(2);
    const file = join(folder, 'routes.yaml');
    await writeFile(file, textOf(routes, traffic));
    const plane = new ControlPlane({ traffic, xds, host, file }, [
      ...['serve', '--routes', file, '--xds', `${host}:${xds}`],
      ...['--admin', '127.0.0.1:0', '--log-level', 'debug', ...more],
    ]);
    onTestFinished(async () => {
      if (plane.process.exit === undefined) await plane.process.end();
      await rm(folder, { recursive: true, force: true });
    });
    await plane.#serves();
    return plane;
  }

  /** Writes other routes. */
  async edit(routes: RouteFile): Promise<void> {
    await writeFile(this.#file, textOf(routes, this.traffic));
  }

  /** Kills it and starts it again in the same place. `without`: this time without this option and its value. */
  async restart({ without }: { readonly without?: string } = {}): Promise<void> {
    if (this.process.exit === undefined) await this.process.end('SIGKILL');
    const at = without === undefined ? -1 : this.#arguments.indexOf(without);
    this.process = new SluiceProcess(this.#arguments.filter((_, index) => at < 0 || index < at || index > at + 1));
    await this.#serves();
  }

  /** A real Envoy with so many workers that asks it for everything; it ends with the test, if it has not before. */
  async envoy(nodeId: string, options: Partial<BootstrapOptions> = {}, workers = 1): Promise<TestEnvoy> {
    const envoy = await startEnvoy(
      envoyBootstrap({
        nodeId,
        nodeCluster: 'test',
        xds: { kind: 'tcp', ...this.xds },
        admin: { host: '127.0.0.1', port: 0 },
        ...options,
      }),
      'warn',
      undefined,
      workers,
    );
    onTestFinished(async () => void (await envoy.stop()));
    return envoy;
  }

  async status(): Promise<Status> {
    return statusSchema.parse(JSON.parse(await this.get('/status')));
  }

  /** Everything that is wrong with single Envoys, one line each. */
  async problems(): Promise<readonly string[]> {
    const { problems } = await this.status();
    return problems
      .filter(({ subject }) => subject.startsWith('Envoy '))
      .map(({ subject, message }) => `${subject} ${message}`);
  }

  /** What its admin answers. */
  async get(path: string): Promise<string> {
    const response = await fetch(`${this.#serving?.fields['admin']}${path}`, {
      headers: { accept: 'application/json' },
    });
    return response.text();
  }

  /** What `sluice` with these words answers, asked of this one. */
  async command(...words: readonly string[]): Promise<string> {
    const { output, errors } = await runSluice([...words, '--admin', String(this.#serving?.fields['admin'])]);
    return output + errors;
  }

  async #serves(): Promise<void> {
    this.#serving = await this.process.logged('it serves', ({ msg }) => msg === 'serving');
  }
}

function textOf(routes: RouteFile, traffic: number): string {
  return typeof routes === 'string' ? routes : routeFileText(routes, traffic);
}

/** The clusters that an Envoy has and that are of a service's pods or line, without their settings' hash, sorted. */
export async function clustersOf(envoy: TestEnvoy): Promise<readonly string[]> {
  const stats = await envoy.admin.stats({ filter: '^cluster\\.[a-z0-9].*\\.membership_total$' });
  if (!stats.ok) return [stats.errors.join()];
  return [...stats.value.keys()].map((name) => name.split('.')[1] ?? '').sort();
}
