import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { ID_HEADER } from './pod-ask.ts';
import { type LogEntry, PodLog, type Tell } from './pod-log.ts';

/**
 * How a pod behaves. `dead` closes the listener and all connections; `frozen` accepts and never answers (thawed, it
 * works on what it has); `status` answers so at once, without work (gRPC: UNAVAILABLE); `garbage` answers every
 * connection with bytes that are no HTTP; `half` works, sends half an answer and breaks off; `slow-accept` lets a new
 * connection wait `ms` before it is served; `hang-up` closes every new connection at once; `goaway` takes no new requests
 * on its connections (HTTP/2), opened ones last `everyMs`, and finishes those it has there.
 */
export type PodMode =
  | { readonly kind: 'normal' }
  | { readonly kind: 'dead' }
  | { readonly kind: 'frozen' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'half' }
  | { readonly kind: 'hang-up' }
  | { readonly kind: 'slow-accept'; readonly ms: number }
  | { readonly kind: 'goaway'; readonly everyMs: number };

/** What a pod should do with a request whose work is over: answer, refuse with a status, or break off. */
export type Answer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'half' };

/** What a pod has to know of a request: the load's id, its path, and its work in milliseconds (else the pod's own). */
export interface Asked {
  readonly id: string;
  readonly path: string;
  readonly workMs: number | undefined;
}

/** Speaks a protocol over connections that were accepted elsewhere. */
export interface Protocol {
  serve(socket: Socket): void;
  close(): void;
}

/** Makes the protocol of a pod. */
export type ProtocolOf = (pod: Pod) => Protocol;

/** One request that a pod holds. */
export class Held {
  readonly #pod: Pod;
  readonly #entry: LogEntry;
  readonly #workMs: number;
  #timer: NodeJS.Timeout | undefined;
  #release: (() => void) | undefined;

  constructor(pod: Pod, entry: LogEntry, workMs: number) {
    this.#pod = pod;
    this.#entry = entry;
    this.#workMs = workMs;
  }

  /** The work this request asks for, in milliseconds. */
  get workMs(): number {
    return this.#workMs;
  }

  /** The `address:port` of the pod that holds it. */
  get address(): string {
    return this.#pod.address;
  }

  /** True once the pod has let the request go. */
  get ended(): boolean {
    return this.#entry.ended;
  }

  /**
   * Works for as long as the request asks, or does what the pod's mode says, then calls `answer` once. Where the pod has
   * fewer workers than requests, it begins when one is free.
   */
  work(answer: (how: Answer) => void, workMs = this.#workMs): void {
    if (this.#release === undefined) {
      this.#release = this.#pod.takeWorker(() => this.#begin(answer, workMs));
      // A pod that answers at once had ended before there was anything to release.
      if (this.ended) this.#release();
    } else this.#begin(answer, workMs);
  }

  #begin(answer: (how: Answer) => void, workMs: number): void {
    this.#entry.begin();
    const mode = this.#pod.mode;
    if (mode.kind === 'frozen') this.#pod.whenThawed(() => this.ended || this.work(answer, workMs));
    else if (mode.kind === 'status') answer(mode);
    else this.#timer = setTimeout(() => answer(mode.kind === 'half' ? mode : { kind: 'ok' }), workMs);
  }

  /** Call just before the end of the answer is written: the slot is free from here on. */
  finish(how: Answer): void {
    this.#entry.end(how.kind === 'ok' ? 'answered' : how.kind === 'status' ? 'refused' : 'broken');
    this.#release?.();
  }

  /** Call whenever the request is over: if it was not finished before, its client has gone. */
  leave(): void {
    clearTimeout(this.#timer);
    this.#entry.end('aborted');
    this.#release?.();
  }
}

/** What a pod is made of, beside its address. */
export interface PodSettings {
  /** How long a request takes that does not say so itself, in milliseconds. */
  readonly workMs: number;
  /** How many requests it works on at a time; all when left out. */
  readonly workers?: number;
  readonly protocol: ProtocolOf;
  readonly tell?: Tell;
}

/** A server at an address of its own that counts what it holds and can be made to misbehave. */
export class Pod {
  readonly host: string;
  #log: PodLog;
  #mode: PodMode = { kind: 'normal' };
  #workMs: number;
  #door: Server | undefined;
  #port: number;
  #protocol: Protocol;
  readonly #tell: Tell | undefined;
  readonly #sockets = new Set<Socket>();
  #frozen: (() => void)[] = [];
  #idleWorkers: number;
  #line: (() => void)[] = [];

  constructor(host: string, port: number, { workMs, workers = Number.POSITIVE_INFINITY, protocol, tell }: PodSettings) {
    this.host = host;
    this.#port = port;
    this.#workMs = workMs;
    this.#idleWorkers = workers;
    this.#tell = tell;
    this.#log = new PodLog(`${host}:${port}`, tell);
    this.#protocol = protocol(this);
  }

  /** `address:port`; the port is known once it listens. */
  get address(): string {
    return `${this.host}:${this.#port}`;
  }

  get log(): PodLog {
    return this.#log;
  }

  get mode(): PodMode {
    return this.#mode;
  }

  /** Opens the listener. Errors: rejects when the address is taken. */
  async open(): Promise<void> {
    const door = createServer({ noDelay: true }, (socket) => this.#greet(socket));
    door.listen(this.#port, this.host, 4096);
    await once(door, 'listening');
    const bound = door.address();
    if (bound === null || typeof bound === 'string') throw new Error('a pod listens on TCP');
    this.#door = door;
    if (this.#port === 0) this.#log = new PodLog(`${this.host}:${bound.port}`, this.#tell);
    this.#port = bound.port;
  }

  /** Closes the listener and cuts every connection. */
  async shut(): Promise<void> {
    const door = this.#door;
    this.#door = undefined;
    if (door === undefined) return;
    const closed = once(door, 'close');
    door.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Shuts the pod for good. */
  async stop(): Promise<void> {
    await this.shut();
    this.#protocol.close();
  }

  /** Changes how it behaves from now on; see `PodMode`. A pod that is no longer dead listens again at its address. */
  async setMode(mode: PodMode): Promise<void> {
    this.#mode = mode;
    if (mode.kind === 'dead') return this.shut();
    if (this.#door === undefined) await this.open();
    if (mode.kind !== 'frozen') for (const thaw of this.#frozen.splice(0)) thaw();
  }

  /** Sets how long a request takes that does not say so itself, in milliseconds. */
  setWork(workMs: number): void {
    this.#workMs = workMs;
  }

  /** Notes that a request has come and is held from now on. */
  hold({ id, path, workMs = this.#workMs }: Asked): Held {
    return new Held(this, this.#log.arrive(id, path), workMs);
  }

  /**
   * Calls `begin` at once when a worker is free, else when one is and all that asked before have had theirs. Call what
   * it returns, more than once if need be, when the work is over or no longer wanted.
   */
  takeWorker(begin: () => void): () => void {
    let state: 'waiting' | 'working' | 'over' = 'waiting';
    const start = () => {
      this.#idleWorkers -= 1;
      state = 'working';
      begin();
    };
    const release = () => {
      if (state === 'working') {
        this.#idleWorkers += 1;
        this.#line.shift()?.();
      } else if (state === 'waiting') {
        this.#line = this.#line.filter((waiting) => waiting !== start);
      }
      state = 'over';
    };
    if (this.#idleWorkers > 0) start();
    else this.#line.push(start);
    return release;
  }

  /** Calls `then` when the pod is no longer frozen. */
  whenThawed(then: () => void): void {
    this.#frozen.push(then);
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy()); // a peer that resets is part of many tests
    const mode = this.#mode;
    if (mode.kind === 'hang-up') socket.destroy();
    else if (mode.kind === 'garbage') socket.once('data', (chunk: Buffer) => this.#babble(socket, chunk));
    else if (mode.kind === 'slow-accept') setTimeout(() => socket.destroyed || this.#protocol.serve(socket), mode.ms);
    else this.#protocol.serve(socket);
  }
  /** Counts the request, as far as it can be read, and answers with what is no HTTP. */
  #babble(socket: Socket, chunk: Buffer): void {
    const [, id = ''] = new RegExp(`^${ID_HEADER}: *(\\S+)`, 'im').exec(chunk.toString('latin1')) ?? [];
    this.hold({ id, path: '', workMs: 0 }).finish({ kind: 'half' });
    socket.end('\u0000\u0001 this is no HTTP \r\n\r\n');
  }
}
