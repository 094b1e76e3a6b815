import type { HostPort } from '../../../src/base/host-port.ts';
import { type EnvoyAdmin, envoyAdmin } from '../../../src/envoy/admin.ts';
import { findEnvoy } from '../../../src/envoy/binary/binary.ts';
import type { EnvoyBootstrap } from '../../../src/envoy/bootstrap.ts';
import { type ChildExit, spawnEnvoy } from '../../../src/envoy/process/child.ts';
import type { LogEntry, LogLevel } from '../../../src/envoy/process/log-lines.ts';

/** A real Envoy that a test has started and must stop. */
export interface TestEnvoy {
  readonly pid: number;
  readonly address: HostPort;
  readonly admin: EnvoyAdmin;
  /** Everything it has logged so far. */
  readonly logs: readonly LogEntry[];
  /** How it ended, when it did. */
  readonly exited: Promise<ChildExit>;
  stop(): Promise<ChildExit>;
}

let binary: Promise<string> | undefined;

/** The path of the Envoy that all tests use; throws with the reasons when there is none. */
export function envoyPath(): Promise<string> {
  binary ??= findEnvoy().then((found) => {
    if (found.ok) return found.value.path;
    throw new Error(`these tests need an Envoy:\n${found.errors.join('\n')}`);
  });
  return binary;
}

/** Worker threads of an Envoy for which nothing else is said; `SLUICE_WORKERS=4` for another number. */
const WORKERS = Number(process.env['SLUICE_WORKERS'] ?? 2);

/**
 * Starts the real Envoy with `bootstrap` and waits until its admin answers (not until it is LIVE). The admin may be
 * on port 0: `address` has the real one. `program` takes the place of the Envoy that all tests use, `workers` are its threads. Throws with Envoy's log when it ends before.
 */
export async function startEnvoy(
  bootstrap: EnvoyBootstrap,
  logLevel: LogLevel = 'warn',
  program?: string,
  workers = WORKERS,
): Promise<TestEnvoy> {
  const logs: LogEntry[] = [];
  const child = spawnEnvoy({
    binary: program ?? (await envoyPath()),
    bootstrap,
    onLog: (entry) => logs.push(entry),
    logLevel,
    stdout: 'ignore',
    workers,
  });
  const address = await child.admin;
  if (address === undefined || child.pid === undefined) {
    const exit = await child.exited;
    throw new Error(`${exit.reason}\n${exit.lastLines.join('\n')}`);
  }
  if ('socket' in address) throw new Error('the bootstrap names a port');
  return { pid: child.pid, address, admin: envoyAdmin(address), logs, exited: child.exited, stop: () => child.stop() };
}
