import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { instant, until } from './instant.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** What is logged when the queue filter of an Envoy has opened its stream. */
export const FILTER_CONNECTED = 'the queue filter is connected';

/** One line that Sluice has logged. */
export interface LogLine {
  /** When this process read it, by `instant()`. */
  readonly at: number;
  readonly msg: string;
  /** All its fields; `{}` when the line was no JSON. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** How a process ended. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `sluice ARGUMENTS…` as a child process, run from its source. */
export class SluiceProcess {
  /** Everything it has logged so far (standard error). */
  readonly log: LogLine[] = [];
  /** Everything it has printed so far (standard output). */
  output = '';
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  #exit: ProcessExit | undefined;

  /** `within`: a command that runs it, and becomes it. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, within: readonly string[] = []) {
    const [program, ...before] = [...within, process.execPath];
    const child = spawn(program, [...before, MAIN, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    createInterface(child.stderr).on('line', (line) => this.log.push(logLine(line)));
    // Even when the test runner is ended from outside nothing stays behind.
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    this.exited = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        process.off('exit', kill);
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Undefined while it runs. */
  get exit(): ProcessExit | undefined {
    return this.#exit;
  }

  /**
   * Waits for a log line that `matches`, among those from the moment `since` on (all when left out).
   * Errors: throws with the last lines when it ends before or when the line has not come within 60 s.
   */
  async logged(what: string, matches: (line: LogLine) => boolean, since = 0): Promise<LogLine> {
    const look = () => this.log.find((line) => line.at >= since && matches(line)) ?? this.#exit;
    const seen = await until(look, { what: `${what} in Sluice's log`, within: 60_000 }).catch((error: Error) => {
      throw new Error(`${error.message}; its log ends with\n${this.#end()}`);
    });
    if ('at' in seen) return seen;
    throw new Error(`Sluice ended (${seen.signal ?? seen.code}) before ${what}; its log ends with\n${this.#end()}`);
  }

  /** Ends it with `signal` and waits until it has ended; one that ignores the signal for 15 s is killed. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProcessExit> {
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  #end(): string {
    return this.log
      .slice(-15)
      .map(({ fields, msg }) => (Object.keys(fields).length === 0 ? msg : JSON.stringify(fields)))
      .join('\n');
  }
}

function logLine(line: string): LogLine {
  const at = instant();
  try {
    const fields: unknown = JSON.parse(line);
    if (typeof fields !== 'object' || fields === null) return { at, msg: line, fields: {} };
    const known: Record<string, unknown> = { ...fields };
    return { at, msg: String(known['msg'] ?? ''), fields: known };
  } catch {
    return { at, msg: line, fields: {} };
  }
}

/** Runs `sluice ARGUMENTS…` to its end, for commands that end by themselves. */
export async function runSluice(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ProcessExit & { readonly output: string; readonly errors: string }> {
  const child = new SluiceProcess(args, env);
  const exit = await child.exited;
  return { ...exit, output: child.output, errors: child.log.map(({ msg }) => msg).join('\n') };
}
