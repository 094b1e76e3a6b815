import { readFileSync } from 'node:fs';
import { type ClientRequest, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { TestCluster } from './cluster.ts';

/** What the proxy does to requests that come in from now on. */
export type Fault =
  | { readonly kind: 'none' }
  /** Answers this instead of the API server. */
  | { readonly kind: 'answer'; readonly status: number; readonly message: string }
  /** Takes requests and never answers. */
  | { readonly kind: 'hang' }
  /** Hands requests on, and nothing of the answers gets back. */
  | { readonly kind: 'mute' }
  /** Keeps requests until `release`, and then hands them on. */
  | { readonly kind: 'hold' };

/** A watch handed on to the API server, answered or not yet. */
interface ForwardedWatch {
  readonly asked: ClientRequest;
  readonly to: ServerResponse;
  /** Nothing of the API server's goes to the client any more. */
  cut: boolean;
}

/** Stands in front of an API server and does to connections what networks and load balancers do. Speaks plain HTTP. */
export class FaultProxy {
  fault: Fault = { kind: 'none' };
  /** Bearer tokens that are refused with 401. */
  readonly refused = new Set<string>();
  /** Paths of all requests. */
  readonly requests: string[] = [];
  readonly #cluster: TestCluster;
  readonly #agent: Agent;
  readonly #server: Server;
  readonly #watches = new Set<ForwardedWatch>();
  readonly #hung: ServerResponse[] = [];
  #held: (() => void)[] = [];

  private constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.#agent = new Agent({ keepAlive: true, ca: readFileSync(join(cluster.folder, 'certs/apiserver.crt')) });
    this.#server = createServer((incoming, outgoing) => this.#take(incoming, outgoing));
  }

  static async start(cluster: TestCluster): Promise<FaultProxy> {
    const proxy = new FaultProxy(cluster);
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  /** A kubeconfig that leads here, as `user: {…}` says; its path. */
  kubeconfig(name: string, user: object = { token: 'admin-token' }): string {
    return this.#cluster.write(
      name,
      JSON.stringify({
        clusters: [{ name: 'proxy', cluster: { server: this.url } }],
        users: [{ name: 'me', user }],
        contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'me' } }],
        'current-context': 'proxy',
      }),
    );
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Ends all watches in good order, as an API server does after some time. */
  endWatches(): void {
    for (const watch of this.#cutWatches()) watch.to.end();
  }

  /** Breaks all watches off in the middle. */
  breakWatches(): void {
    for (const watch of this.#cutWatches()) watch.to.destroy();
  }

  /** Goes on with the connections of all watches open, and tells nothing any more. */
  silenceWatches(): void {
    this.#cutWatches();
  }

  /** Hands on what was held, and everything that comes from now on. */
  release(): void {
    this.fault = { kind: 'none' };
    for (const forward of this.#held) forward();
    this.#held = [];
  }

  /** Ends the proxy and all its connections. */
  async stop(): Promise<void> {
    for (const outgoing of this.#hung) outgoing.destroy();
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.requests.push(incoming.url ?? '');
    const token = incoming.headers.authorization?.replace('Bearer ', '') ?? '';
    if (this.refused.has(token)) {
      answer(outgoing, 401, 'Unauthorized');
    } else if (this.fault.kind === 'answer') {
      answer(outgoing, this.fault.status, this.fault.message);
    } else if (this.fault.kind === 'hang') {
      this.#hung.push(outgoing);
    } else if (this.fault.kind === 'hold') {
      this.#held.push(() => this.#forward(incoming, outgoing));
    } else {
      this.#forward(incoming, outgoing);
    }
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const path = incoming.url ?? '';
    const { host: _, connection: __, ...headers } = incoming.headers;
    const options = { method: incoming.method, headers, agent: this.#agent };
    const asked = request(`${this.#cluster.server}${path}`, options, (from) => {
      from.on('error', () => undefined);
      if (watch.cut) return;
      if (this.fault.kind === 'mute') {
        from.resume();
        this.#hung.push(outgoing);
        return;
      }
      outgoing.writeHead(from.statusCode ?? 0, { 'content-type': from.headers['content-type'] ?? '' });
      outgoing.flushHeaders();
      from.on('data', (piece) => watch.cut || outgoing.write(piece));
      from.on('end', () => watch.cut || outgoing.end());
    });
    const watch: ForwardedWatch = { asked, to: outgoing, cut: false };
    if (path.includes('watch=true')) this.#watches.add(watch);
    outgoing.on('close', () => {
      this.#watches.delete(watch);
      asked.destroy();
    });
    asked.on('error', () => watch.cut || outgoing.destroy());
    incoming.pipe(asked);
  }

  /** Cuts all watches off from the API server, those too that it has not answered yet. */
  #cutWatches(): ForwardedWatch[] {
    const watches = [...this.#watches];
    for (const watch of watches) {
      watch.cut = true;
      watch.asked.destroy();
    }
    return watches;
  }
}

function answer(outgoing: ServerResponse, status: number, message: string): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' });
  outgoing.end(JSON.stringify({ kind: 'Status', status: 'Failure', message, code: status }));
}
