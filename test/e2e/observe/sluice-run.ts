import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type LimitedStatus, type Status, statusSchema } from '../../../src/status/status.ts';
import { until } from '../kit/instant.ts';
import { listenUntilTestEnds } from '../kit/listen.ts';
import { freePorts } from '../kit/ports.ts';
import { routeFileText } from '../kit/sluice.ts';
import { SluiceProcess } from '../kit/sluice-process.ts';

/** `sluice run`, with its own Envoy, until the test that runs now has ended. */
export class SluiceRun {
  /** `http://127.0.0.1:PORT`. */
  readonly admin: string;
  /** Where Envoy takes requests, on 127.0.0.1. */
  readonly port: number;
  readonly process: SluiceProcess;
  readonly #again: () => Promise<SluiceRun>;

  private constructor(process: SluiceProcess, admin: string, port: number, again: () => Promise<SluiceRun>) {
    this.process = process;
    this.admin = admin;
    this.port = port;
    this.#again = again;
  }

  /** With these services and routes; resolves when Envoy takes requests. */
  static async start(
    services: unknown,
    routes: unknown,
    env: Readonly<Record<string, string>> = {},
  ): Promise<SluiceRun> {
    const [port = 0] = await freePorts(1);
    const folder = await mkdtemp(join(tmpdir(), 'sluice-observe-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'routes.yaml');
    await writeFile(file, routeFileText({ services, routes }, port));
    return SluiceRun.#run(['--routes', file], () => port, env);
  }

  /** The demo, without a route file. */
  static demo(): Promise<SluiceRun> {
    return SluiceRun.#run([], (output) => {
      const [, port] = /Requests go to\s+http:\/\/127\.0\.0\.1:(\d+)/.exec(output) ?? [];
      return port === undefined ? undefined : Number(port);
    });
  }

  /** Ends it and starts it anew with the same files. */
  async restart(): Promise<SluiceRun> {
    await this.process.end();
    return this.#again();
  }

  static async #run(
    args: readonly string[],
    port: (output: string) => number | undefined,
    env: Readonly<Record<string, string>> = {},
  ): Promise<SluiceRun> {
    const child = new SluiceProcess(['run', ...args, '--admin', '127.0.0.1:0', '--envoy-admin-port', '0'], env);
    onTestFinished(async () => {
      await child.end();
    });
    const { fields } = await child.logged('the admin', ({ msg }) => msg.endsWith('status and metrics'));
    await child.logged('Envoy takes requests', ({ msg }) => msg === 'Envoy takes requests');
    const found = await until(() => port(child.output), { what: 'the port', within: 20_000 });
    return new SluiceRun(child, String(fields['admin']), found, () => SluiceRun.#run(args, port, env));
  }

  async status(): Promise<Status> {
    const response = await fetch(`${this.admin}/status`);
    return statusSchema.parse(await response.json());
  }

  /** The only service, which has a limit. */
  async service(): Promise<LimitedStatus> {
    const [service] = (await this.status()).services;
    if (service?.kind !== 'limited') throw new Error('no service with a limit');
    return service;
  }

  /** Waits until what the status says about the only service passes. */
  async until(what: string, passes: (service: LimitedStatus) => boolean): Promise<LimitedStatus> {
    let last: LimitedStatus | undefined;
    const look = async () => {
      last = await this.service();
      return passes(last) ? last : undefined;
    };
    return until(look, { what, within: 20_000, every: 50 }).catch((error: Error) => {
      throw new Error(`${error.message}; last: ${JSON.stringify(last)}`);
    });
  }

  /** Sends a request and resolves to its status; 0: it broke off. */
  send(path = '/', signal?: AbortSignal): Promise<number> {
    return new Promise((resolve) => {
      const sent = request({ host: '127.0.0.1', port: this.port, path, agent: false, ...(signal && { signal }) });
      sent.on('error', () => resolve(0));
      sent.on('response', (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      sent.end();
    });
  }
}

/** A pod that answers when told to. */
export class HeldPod {
  readonly #held: (() => void)[] = [];
  #open = false;
  address = '';

  /** Starts one that ends with the test that runs now. */
  static async start(): Promise<HeldPod> {
    const pod = new HeldPod();
    const server = createServer((_, response) => {
      const answer = () => response.end('ok');
      if (pod.#open) answer();
      else pod.#held.push(answer);
    });
    pod.address = await listenUntilTestEnds(server);
    return pod;
  }

  /** Answers the request it has held longest. */
  answerOne(): void {
    this.#held.shift()?.();
  }

  /** Answers everything, from now on at once. */
  open(): void {
    this.#open = true;
    for (const answer of this.#held.splice(0)) answer();
  }
}
