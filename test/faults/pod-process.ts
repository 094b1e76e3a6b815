import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { instant, until } from '../e2e/kit/instant.ts';
import type { PodMode } from '../e2e/kit/pod.ts';
import type { PodRequest } from '../e2e/kit/pod-log.ts';
import type { PodMessage, PodProcessProtocol } from './pod-program.ts';

const PROGRAM = fileURLToPath(new URL('pod-program.ts', import.meta.url));

/** A pod in a process of its own, which can be killed, stopped and started again at its address. */
export class PodProcess {
  readonly #host: string;
  readonly #protocol: PodProcessProtocol;
  #address = '';
  #child: ChildProcess | undefined;
  /** What the lives before the present one saw. */
  readonly #before: PodRequest[] = [];
  #seen = new Map<number, PodRequest>();
  #modes = 0;

  private constructor(host: string, protocol: PodProcessProtocol) {
    this.#host = host;
    this.#protocol = protocol;
  }

  /** Starts a pod at a free port of `host`, an address of this machine. Errors: rejects when it ends before it listens. */
  static async start(host: string, protocol: PodProcessProtocol = 'http1'): Promise<PodProcess> {
    const pod = new PodProcess(host, protocol);
    await pod.revive();
    return pod;
  }

  /** `address:port`, the same over all its lives. */
  get address(): string {
    return this.#address;
  }

  /** Every request it saw in all its lives. What a killed one was working on has ended as `broken` when it was killed. */
  get requests(): readonly PodRequest[] {
    return [...this.#before, ...this.#seen.values()];
  }

  /** The requests it holds now. */
  get held(): number {
    return [...this.#seen.values()].filter(({ ended }) => ended === undefined).length;
  }

  /** Kills it with SIGKILL; resolves to the moment, by `instant()`, once it has ended. */
  async kill(): Promise<number> {
    const child = this.#child;
    if (child === undefined) throw new Error(`${this.#address} does not run`);
    this.#child = undefined;
    // What it said before it died is read before the channel closes.
    const ended = Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
    const at = instant();
    child.kill('SIGKILL');
    await ended;
    const open = (request: PodRequest) => request.ended === undefined;
    const seen = [...this.#seen.values()];
    this.#before.push(...seen.map((one) => (open(one) ? { ...one, ended: at, outcome: 'broken' as const } : one)));
    this.#seen = new Map();
    return at;
  }

  /** Starts it (again, at the same address); resolves when it listens. */
  async revive(): Promise<void> {
    const [, port = '0'] = this.#address.split(':');
    const child = fork(PROGRAM, [this.#host, port, this.#protocol], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child = child;
    this.#address = await new Promise((resolve, reject) => {
      child.on('message', (message: PodMessage) => {
        if (message.kind === 'listening') resolve(message.address);
        else if (message.kind === 'mode') this.#modes += 1;
        else this.#seen.set(message.number, message.request);
      });
      child.once('exit', (code) => reject(new Error(`a pod ended with code ${code} before it listened`)));
    });
  }

  /** Stops it in the middle of whatever it does (SIGSTOP), as a machine that swaps or a paused container does. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** Lets it go on. */
  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Changes how it behaves; resolves once it does. */
  async setMode(mode: PodMode): Promise<void> {
    const before = this.#modes;
    this.#child?.send(mode);
    await until(() => this.#modes > before, { what: `${this.#address} to change its mode`, every: 1 });
  }

  /** Ends it, frozen or not. */
  async stop(): Promise<void> {
    if (this.#child !== undefined) await this.kill();
  }
}
