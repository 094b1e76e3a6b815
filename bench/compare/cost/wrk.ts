import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../../test/e2e/kit/ports.ts';
import { rounded } from '../measures/distribution.ts';
import { findProgram, InstalledProgram } from '../opponents/installed.ts';
import { listening } from '../opponents/listening.ts';
import { fillTemplate, replaceFile } from '../opponents/template.ts';

/** What the most that a proxy carries is measured with. */
export interface LoadTools {
  readonly wrk: string;
  readonly nginx: string;
}

/** Finds them. Undefined when one is not installed, which `say` is told. */
export async function findLoadTools(say: (line: string) => void): Promise<LoadTools | undefined> {
  const [wrk, nginx] = await Promise.all([findProgram('wrk'), findProgram('nginx')]);
  if (wrk !== undefined && nginx !== undefined) return { wrk, nginx };
  say(`  left out: ${wrk === undefined ? 'wrk' : 'nginx'} is not installed`);
  return undefined;
}

/** Pods that answer at once: nginx, which costs less than any proxy in front of it. */
export interface QuickPods {
  /** Their `address:port`. */
  readonly addresses: readonly string[];
  stop(): Promise<void>;
}

/** Starts `count` of them at `network`.1, .2, … with their files in `folder`. */
export async function startQuickPods(
  { nginx }: LoadTools,
  { count, network, folder }: { readonly count: number; readonly network: string; readonly folder: string },
): Promise<QuickPods> {
  const port = await freePort();
  const addresses = Array.from({ length: count }, (_, pod) => `${network}.${pod + 1}:${port}`);
  const config = join(folder, 'pods.conf');
  const listen = addresses.map((pod) => `        listen ${pod} backlog=4096;`).join('\n');
  await replaceFile(config, await fillTemplate('pods.conf', { FOLDER: folder, LISTEN: listen }));
  const program = new InstalledProgram(nginx, ['-e', 'stderr', '-p', folder, '-c', config]);
  try {
    await listening(port, () => program.said, `${network}.1`);
  } catch (error) {
    await program.stop();
    throw error;
  }
  return { addresses, stop: () => program.stop() };
}

/** How hard a proxy is pressed. */
export interface Pressure {
  readonly clients: number;
  readonly seconds: number;
  /** A file in Lua that says what each request is; GET / when left out. */
  readonly script?: string;
}

/** What came through. */
export interface Carried {
  readonly perSecond: number;
  readonly requests: number;
  /** Requests without an answer or with another status than 200. */
  readonly errors: number;
}

/** Keeps `clients` requests open at a port of 127.0.0.1 for some seconds. */
export async function press(
  { wrk }: LoadTools,
  port: number,
  { clients, seconds, script }: Pressure,
): Promise<Carried> {
  const said = script === undefined ? [] : ['-s', script];
  const args = ['-t', '1', '-c', String(clients), '-d', `${seconds}s`, ...said, `http://127.0.0.1:${port}/`];
  const { stdout } = await promisify(execFile)(wrk, args);
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0);
  const socketErrors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? [];
  return {
    perSecond: rounded(number(/Requests\/sec:\s+([\d.]+)/)),
    requests: number(/(\d+) requests in/),
    errors: socketErrors.reduce((sum, count) => sum + Number(count), number(/Non-2xx or 3xx responses: (\d+)/)),
  };
}
