import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { fail, ok, type Result } from '../../base/result.ts';

/** How a program ended, and what it said. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** The last 64 KiB of each. Empty where it was not captured. */
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a program. */
export interface ExecuteOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  /** Killed after this many milliseconds. */
  readonly timeoutMs?: number;
  /** Where its standard output goes: kept (the default), or straight to our standard error. */
  readonly stdout?: 'keep' | 'stderr';
}

const KEEP_BYTES = 64 * 1024;

/** Runs a program to its end. Fails when it cannot be started; a bad exit code is not a failure here. */
export function execute(
  command: readonly [string, ...string[]],
  options: ExecuteOptions,
): Promise<Result<Ended, string>> {
  const [program, ...args] = command;
  // Not spawn's own `timeout`: its timer goes on when the program cannot be started, and holds up our end.
  const timeout = options.timeoutMs === undefined ? [] : [AbortSignal.timeout(options.timeoutMs)];
  const signal = AbortSignal.any([...timeout, ...(options.signal ? [options.signal] : [])]);
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: options.env,
      stdio: ['ignore', options.stdout === 'stderr' ? 2 : 'pipe', 'pipe'],
      killSignal: 'SIGKILL',
      signal,
    });
    const kept = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        kept[name] = (kept[name] + text).slice(-KEEP_BYTES);
      });
    }
    child.on('error', (error) => {
      const tooLong = timeout.some(({ aborted }) => aborted);
      resolve(fail(tooLong ? `did not end within ${options.timeoutMs} ms` : whyNotStarted(error)));
    });
    child.on('close', (code) => resolve(ok({ code, ...kept })));
  });
}

/** What a failed start means, for people. */
export function whyNotStarted(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ENOENT':
      return 'not found, or made for another C library (its loader is missing)';
    case 'EACCES':
      return 'no permission to execute it';
    case 'ENOEXEC':
      return 'not a program for this processor';
    default:
      return error.message;
  }
}

/** Why `path` cannot be executed, or undefined when it can. */
export async function whyNotExecutable(path: string): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isFile()) return 'is not a file';
  } catch {
    return 'does not exist';
  }
  try {
    await access(path, constants.X_OK);
    return undefined;
  } catch {
    return 'is not executable (chmod +x)';
  }
}

/** The absolute path of the first executable file called `name` in the folders of `PATH`. */
export async function searchPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = resolve(join(folder, name));
    if ((await whyNotExecutable(path)) === undefined) return path;
  }
  return undefined;
}
