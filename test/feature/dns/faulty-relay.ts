import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** What becomes of a question: passed on to one of the servers, answered with SERVFAIL, or never answered. */
export type Fate =
  | { readonly kind: 'pass'; readonly server: number; readonly delayMs: number }
  | { readonly kind: 'servfail' }
  | { readonly kind: 'silence' };

/** Passes a question on to the first server at once. */
export const PASS: Fate = { kind: 'pass', server: 0, delayMs: 0 };

const AAAA = 28;

/** Stands between a resolver and DNS servers (UDP only) and lets things go wrong. */
export class FaultyRelay {
  readonly #socket: Socket;
  readonly #servers: readonly string[];
  readonly #upstreams = new Set<Socket>();
  /** What becomes of each question from now on. */
  fate: (type: 'A' | 'AAAA') => Fate = () => PASS;

  private constructor(socket: Socket, servers: readonly string[]) {
    this.#socket = socket;
    this.#servers = servers;
    socket.on('message', (query, from) => this.#take(query, (answer) => this.#answer(answer, from.port)));
  }

  /** A relay in front of `servers` (each `127.0.0.1:port`). */
  static async start(servers: readonly string[]): Promise<FaultyRelay> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new FaultyRelay(socket, servers);
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): void {
    this.#socket.removeAllListeners('message');
    this.#socket.close();
    for (const upstream of this.#upstreams) upstream.close();
    this.#upstreams.clear();
  }

  #answer(answer: Buffer, port: number): void {
    this.#socket.send(answer, port, '127.0.0.1');
  }

  #take(query: Buffer, answer: (bytes: Buffer) => void): void {
    const fate = this.fate(typeOf(query));
    if (fate.kind === 'silence') return;
    if (fate.kind === 'servfail') {
      answer(servfail(query));
      return;
    }
    const upstream = createSocket('udp4');
    this.#upstreams.add(upstream);
    upstream.once('message', (bytes) => {
      setTimeout(() => {
        if (!this.#upstreams.delete(upstream)) return;
        upstream.close();
        answer(bytes);
      }, fate.delayMs);
    });
    upstream.send(query, Number(this.#servers[fate.server]?.split(':')[1]), '127.0.0.1');
  }
}

function typeOf(query: Buffer): 'A' | 'AAAA' {
  // After the 12 bytes of the header come the labels of the name, each with its length, then the type.
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) at += 1 + length;
  return query.readUInt16BE(at + 1) === AAAA ? 'AAAA' : 'A';
}

function servfail(query: Buffer): Buffer {
  const answer = Buffer.from(query);
  // A response (0x8000) to a recursive question (0x0100 0x0080) with code 2.
  answer.writeUInt16BE(0x8182, 2);
  return answer;
}
