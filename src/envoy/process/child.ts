import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { adminAddress } from '../admin-address.ts';
import type { AdminPlace } from '../admin-place.ts';
import { whyNotStarted } from '../binary/execute.ts';
import type { EnvoyBootstrap } from '../bootstrap.ts';
import { requiredArguments } from '../command-line.ts';
import { envoyLevel, LOG_FORMAT, type LogEntry, type LogLevel, logLineParser } from './log-lines.ts';
import { guardAgainstOrphan } from './orphan.ts';

/** How to run Envoy as a child. */
export interface ChildOptions {
  /** Path of the program. */
  readonly binary: string;
  readonly bootstrap: EnvoyBootstrap;
  /** Gets every line of Envoy's log. */
  readonly onLog: (entry: LogEntry) => void;
  /** The quietest level Envoy logs; `warn` when left out: at `info` it begins with a hundred lines of its extensions. */
  readonly logLevel?: LogLevel;
  /** Where access logs to standard output go; `inherit`, to ours, when left out. */
  readonly stdout?: 'inherit' | 'ignore';
  /** Worker threads. */
  readonly workers: number;
}

/** How an Envoy ended. */
export interface ChildExit {
  /** Whether `stop()` asked for it. */
  readonly requested: boolean;
  /** Null when a signal ended it, or when it never started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why, as far as Envoy said it, and what to do. */
  readonly reason: string;
  /** The end of its log. */
  readonly lastLines: readonly string[];
}

/** An Envoy that was started. */
export interface EnvoyChild {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Where its admin listens, once it does (port 0 has become a real one); undefined when Envoy has ended before. */
  readonly admin: Promise<AdminPlace | undefined>;
  /** Resolves when it has ended, for whatever reason. */
  readonly exited: Promise<ChildExit>;
  /** Asks Envoy to end at once (open requests are cut off), kills it after `graceMs`, and waits until it has ended. */
  stop(graceMs?: number): Promise<ChildExit>;
}

const KEEP_LINES = 20;
const GRACE_MS = 5000;

/**
 * Starts Envoy with `bootstrap`. It is not restarted (see `superviseEnvoy`), and it ends with this process, even when
 * that is killed. Its process group is its own: Ctrl-C reaches us alone, and we stop things in our own order.
 */
export function spawnEnvoy(options: ChildOptions): EnvoyChild {
  const address = adminAddress();
  const child = spawn(options.binary, [...commandLine(options), ...address.args], {
    detached: true,
    stdio: ['ignore', options.stdout ?? 'inherit', 'pipe'],
  });
  const releaseGuard = child.pid === undefined ? () => {} : guardAgainstOrphan(child.pid, options.onLog);
  let requested = false;
  const entries = forwardLog(child.stderr, (entry) =>
    // Envoy warns of the signal we have just sent.
    options.onLog(requested && entry.message.startsWith('caught ENVOY_SIG') ? { ...entry, level: 'info' } : entry),
  );
  const exited = new Promise<ChildExit>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null, reason: string) => {
      releaseGuard();
      resolve({ requested, code, signal, reason, lastLines: entries.map(({ message }) => message) });
    };
    child.on('error', (error) => {
      if (child.pid === undefined) end(null, null, `cannot start ${options.binary}: ${whyNotStarted(error)}`);
    });
    child.on('close', (code, signal) => end(code, signal, exitReason(code, signal, entries)));
  });
  const over = new AbortController();
  exited.then(() => over.abort());

  return {
    pid: child.pid,
    admin: address.read(over.signal),
    exited,
    async stop(graceMs = GRACE_MS) {
      requested = true;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
  };
}

function commandLine({ bootstrap, logLevel = 'warn', workers }: ChildOptions): readonly string[] {
  // The configuration is on the command line instead of in a file: nothing is left behind, however this ends. JSON is YAML.
  const config = ['--config-yaml', JSON.stringify(bootstrap)];
  const args = ['--concurrency', String(workers), ...requiredArguments()];
  return [...config, ...args, '--log-level', envoyLevel(logLevel), '--log-format', LOG_FORMAT];
}

/** Hands on every line, and returns the list of the last ones, which goes on changing. */
function forwardLog(stderr: Readable, onLog: (entry: LogEntry) => void): readonly LogEntry[] {
  const entries: LogEntry[] = [];
  const parse = logLineParser();
  createInterface({ input: stderr }).on('line', (line) => {
    const entry = parse(line);
    entries.push(entry);
    if (entries.length > KEEP_LINES) entries.shift();
    onLog(entry);
  });
  return entries;
}

function exitReason(code: number | null, signal: NodeJS.Signals | null, entries: readonly LogEntry[]): string {
  const ended = signal === null ? `Envoy ended with exit code ${code}` : `Envoy was ended by ${signal}`;
  const worst = entries.find(({ level }) => level === 'fatal') ?? entries.findLast(({ level }) => level === 'error');
  const bind = /cannot bind '([^']+)': (Address already in use|[^']*)/.exec(worst?.message ?? '');
  if (bind === null) return worst === undefined ? ended : `${ended}: ${worst.message}`;
  const [, address, problem] = bind;
  return problem === 'Address already in use'
    ? `Envoy cannot listen on ${address}: another process has this port; stop it, or choose another port`
    : `Envoy cannot listen on ${address}: ${problem}`;
}
