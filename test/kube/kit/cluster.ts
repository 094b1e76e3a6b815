import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRunning } from '../../e2e/kit/is-running.ts';

const SCRIPTS = fileURLToPath(new URL('../cluster', import.meta.url));

/** An answer of the API server. */
export interface Answer {
  readonly status: number;
  // JSON of the API server; each test knows what it asked for.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any;
}

/** A real API server with etcd and controllers, and an administrator's access to it. */
export class TestCluster {
  /** Where its files are: logs, kubeconfigs, process ids. */
  readonly folder: string;
  readonly server: string;
  readonly #agent: Agent;

  constructor(folder: string) {
    this.folder = folder;
    const server = /server: "([^"]+)"/.exec(readFileSync(join(folder, 'admin.kubeconfig'), 'utf8'))?.[1];
    if (server === undefined) throw new Error(`no server in ${folder}/admin.kubeconfig`);
    this.server = server;
    this.#agent = new Agent({ keepAlive: true, ca: readFileSync(join(folder, 'certs/apiserver.crt')) });
  }

  /** Starts a new one with ports that are free. */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<TestCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-kube-'));
    const [port, etcd] = await freePorts();
    const ports = { KUBE_PORT: String(port), KUBE_ETCD: String(etcd) };
    await run('up.sh', folder, { ...env, ...ports, KUBE_PROGRAM: process.env['SLUICE_KUBE_PROGRAM'] ?? '' });
    return new TestCluster(folder);
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    this.#agent.destroy();
    await run('down.sh', this.folder, {});
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A kubeconfig in its folder. */
  kubeconfig(user: 'admin' | 'app' = 'admin'): string {
    return join(this.folder, `${user}.kubeconfig`);
  }

  /** A file for this cluster alone, such as another kubeconfig; its path. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Asks as the administrator; throws on a status of 400 or more unless `mayFail`. */
  ask(method: string, path: string, body?: unknown, mayFail = false): Promise<Answer> {
    const type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json';
    const text = body === undefined ? '' : JSON.stringify(body);
    // Node adds no length to a DELETE by itself.
    const length = Buffer.byteLength(text);
    const headers = { authorization: 'Bearer admin-token', 'content-type': type, 'content-length': length };
    return new Promise((resolve, reject) => {
      const asked = request(`${this.server}${path}`, { method, headers, agent: this.#agent }, (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          answer += piece;
        });
        response.on('error', reject);
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          if (status >= 400 && !mayFail) reject(new Error(`${method} ${path}: ${status} ${answer}`));
          else resolve({ status, body: answer.startsWith('{') ? JSON.parse(answer) : answer });
        });
      });
      asked.on('error', (error: NodeJS.ErrnoException) => {
        // An API server that wakes after a long freeze, or comes back, closes the connections it had, before it reads them.
        const unread = error.code === 'ECONNRESET' && (asked.reusedSocket || method === 'PATCH');
        if (unread) resolve(this.ask(method, path, body, mayFail));
        else reject(error);
      });
      asked.end(text);
    });
  }

  /** Sends a signal to one of its programs; `SIGSTOP` freezes it. */
  signal(program: 'apiserver' | 'controllers' | 'etcd', signal: NodeJS.Signals): void {
    process.kill(this.#pid(program), signal);
  }

  /** Ends a program, and waits until it is gone. */
  async end(program: 'apiserver' | 'controllers'): Promise<void> {
    const pid = this.#pid(program);
    process.kill(pid, 'SIGKILL');
    while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** Starts a program again that was ended; the API server is ready afterwards. */
  async startAgain(program: 'apiserver' | 'controllers'): Promise<void> {
    const log = openSync(join(this.folder, `${program}.log`), 'a');
    const child = spawn('bash', [join(this.folder, `${program}.sh`)], { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    child.unref();
    this.write(`${program}.pid`, `${child.pid}\n`);
    if (program !== 'apiserver') return;
    for (;;) {
      const ready = await this.ask('GET', '/readyz', undefined, true).catch(() => undefined);
      if (ready?.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #pid(program: string): number {
    return Number(readFileSync(join(this.folder, `${program}.pid`), 'utf8'));
  }
}

function run(script: string, folder: string, env: Readonly<Record<string, string>>): Promise<void> {
  const stdio = ['ignore', 'ignore', 'pipe'] as const;
  const child = spawn(join(SCRIPTS, script), [folder], { env: { ...process.env, ...env }, stdio: [...stdio] });
  let told = '';
  child.stderr?.on('data', (piece: Buffer) => {
    told += piece;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    // Not `close`: the programs that were started keep the pipe.
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`${script}: ${told}`))));
  });
}

/** A free port, and another one with a free port after it. */
async function freePorts(): Promise<readonly [number, number]> {
  const one = await freePort();
  for (;;) {
    const two = await freePort();
    if (two < 65_000 && two !== one && two + 1 !== one && (await isFree(two + 1))) return [one, two];
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
