import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Where the system's packages put servers, when PATH does not say so. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin'];

/** The path of an installed program; undefined when there is none. */
export async function findProgram(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), ...SERVER_FOLDERS]) {
    const path = `${folder}/${name}`;
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

/** What a program prints about its version: the first `x.y.z` of both outputs. */
export async function versionOf(path: string, argument: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(path, [argument]);
  return /\d+\.\d+\.\d+/.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
}

/** A program that runs in the foreground until it is stopped. */
export class InstalledProgram {
  /** The last of what it has written to standard error. */
  said = '';
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  /** Errors: throws when the program cannot be started at all. */
  constructor(path: string, args: readonly string[]) {
    this.#child = spawn(path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.on('error', (error) => {
      this.said += error.message;
    });
    if (this.#child.pid === undefined) throw new Error(`${path} could not be started`);
    this.pid = this.#child.pid;
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-5000);
    });
    const kill = () => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#exited = new Promise((resolve) => {
      this.#child.on('close', () => {
        process.off('exit', kill);
        resolve();
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it and waits until it has ended; after 5 s it is killed. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#exited;
    clearTimeout(timer);
  }
}
