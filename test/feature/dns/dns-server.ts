import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The domain the test's servers answer for. */
export const DOMAIN = 'svc.test';

/** Name and addresses, as a hosts file has them. */
export type Hosts = Readonly<Record<string, readonly string[]>>;

/** How a test's DNS server differs from a plain one. */
export interface DnsServerOptions {
  readonly hosts?: Hosts;
  /** More dnsmasq options, such as `--cname=a.svc.test,b.svc.test`. */
  readonly args?: readonly string[];
}

/** Where dnsmasq is, or undefined; Debian has it in `dnsmasq-base`, in a folder that is not on every PATH. */
export function findDnsmasq(): string | undefined {
  for (const program of ['dnsmasq', '/usr/sbin/dnsmasq', '/usr/local/sbin/dnsmasq']) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
      return program;
    } catch {
      // Not there: the next place.
    }
  }
  return undefined;
}

/** A dnsmasq of the test's own on 127.0.0.1. */
export class DnsServer {
  readonly #program: string;
  readonly #folder: string;
  readonly #port: number;
  #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(program: string, folder: string, port: number, args: readonly string[]) {
    this.#program = program;
    this.#folder = folder;
    this.#port = port;
    this.#args = args;
  }

  static async start(program: string, { hosts = {}, args = [] }: DnsServerOptions = {}): Promise<DnsServer> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-dns-'));
    for (let tries = 1; ; tries++) {
      const server = new DnsServer(program, folder, await freePort(), args);
      await server.write(hosts);
      try {
        await server.restart();
        return server;
      } catch (error) {
        await server.stop();
        // Somebody else may have taken the port, for UDP or for TCP, in between.
        if (tries === 10) throw error;
      }
    }
  }

  /** As the source's `servers` option takes it. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Answers with other addresses from now on. */
  async set(hosts: Hosts): Promise<void> {
    await this.write(hosts);
    // dnsmasq reads its hosts files anew on SIGHUP.
    this.#child?.kill('SIGHUP');
  }

  async write(hosts: Hosts): Promise<void> {
    const lines = Object.entries(hosts).flatMap(([name, ips]) => ips.map((ip) => `${ip} ${name}`));
    await writeFile(join(this.#folder, 'hosts'), `${lines.join('\n')}\n`);
  }

  /** Starts it, or starts it again with other options, on the same port. */
  async restart(args: readonly string[] = this.#args): Promise<void> {
    await this.stop();
    this.#args = args;
    const basic = [
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--pid-file=',
      '--no-resolv',
      '--no-hosts',
      '--user=',
      '--group=',
      `--addn-hosts=${join(this.#folder, 'hosts')}`,
      `--port=${this.#port}`,
      '--listen-address=127.0.0.1',
      '--bind-interfaces',
      // Answers that nobody may keep are the rule in a cluster; these may be kept for an hour.
      '--local-ttl=3600',
    ];
    const child = spawn(this.#program, [...basic, ...(this.#args.length > 0 ? this.#args : ['--local=/test/'])], {
      stdio: 'ignore',
    });
    this.#child = child;
    await this.#answers(child);
  }

  /** Stops it in its tracks: the port stays open, nothing answers. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async close(): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #answers(child: ChildProcess): Promise<void> {
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers([this.address]);
    const end = Date.now() + 20_000;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`dnsmasq ended at once with ${child.exitCode}`);
      const code = await resolver.resolve4(`started.${DOMAIN}`).then(
        () => undefined,
        (error: NodeJS.ErrnoException) => error.code,
      );
      if (code !== 'ECONNREFUSED' && code !== 'ETIMEOUT') return;
      if (Date.now() > end) throw new Error(`dnsmasq does not answer on ${this.address}: ${code}`);
      await sleep(20);
    }
  }
}

/** A port of 127.0.0.1 that nobody had a moment ago. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}
