import { Worker } from 'node:worker_threads';
import type { PodMode } from './pod.ts';
import type { PodRequest } from './pod-log.ts';
import type { PodCalls, PodCount, PodProtocol, PodReply } from './pod-worker.ts';

export type { PodMode } from './pod.ts';
export type { PodOutcome, PodRequest } from './pod-log.ts';
export type { PodCount, PodProtocol } from './pod-worker.ts';

/** Which pods to start. */
export interface PodOptions {
  readonly count: number;
  readonly protocol?: PodProtocol;
  /** One port for all of them, as the pods of a Service have; 0 (the default) gives each a free one. */
  readonly port?: number;
  /** The first three parts of the pods' addresses, which must be this machine's own; `127.0.1` when left out. */
  readonly network?: string;
  /** The last part of the first pod's address; the others follow. 1 when left out. */
  readonly first?: number;
  /** How long a request takes that does not say so itself, in milliseconds; 20 when left out. */
  readonly workMs?: number;
  /** How many requests a pod works on at a time; more wait inside it, in their order. No bound when left out. */
  readonly workers?: number;
}

/**
 * Pods, each at a loopback address of its own, that count what they hold. They run in a thread of their own, so that a
 * busy load generator does not distort what they measure; their times are those of `instant()`.
 */
export class Pods {
  readonly #thread: PodThread;
  readonly #options: Required<Omit<PodOptions, 'count'>>;
  readonly #addresses: string[] = [];
  #next: number;

  private constructor({ first = 1, ...rest }: PodOptions) {
    const { protocol = 'http1', port = 0, network = '127.0.1', workMs = 20, workers = Number.POSITIVE_INFINITY } = rest;
    this.#thread = new PodThread();
    this.#options = { protocol, port, network, first, workMs, workers };
    this.#next = first;
  }

  /** Starts pods. Errors: rejects when an address is taken. */
  static async start(options: PodOptions): Promise<Pods> {
    const pods = new Pods(options);
    await pods.add(options.count).catch(async (error: unknown) => {
      await pods.stop();
      throw error;
    });
    return pods;
  }

  /** The `address:port` of every pod that was started and not removed, dead ones included. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Starts `count` more pods at the addresses that follow; resolves to their `address:port`. */
  async add(count: number): Promise<readonly string[]> {
    const { protocol, port, network, workMs, workers } = this.#options;
    const added: string[] = [];
    for (let done = 0; done < count; done += 1) {
      const host = `${network}.${this.#next}`;
      this.#next += 1;
      added.push(await this.#thread.ask('start', { host, port, workMs, workers, protocol }));
    }
    this.#addresses.push(...added);
    return added;
  }

  /** Stops a pod for good; what it saw still counts. */
  async remove(address: string): Promise<void> {
    await this.#thread.ask('stop', { address });
    this.#addresses.splice(this.#addresses.indexOf(address), 1);
  }

  /** Changes how a pod behaves from now on. */
  setMode(address: string, mode: PodMode): Promise<void> {
    return this.#thread.ask('mode', { address, mode });
  }

  /** Sets how long a request at this pod takes that does not say so itself, in milliseconds. */
  setWork(address: string, workMs: number): Promise<void> {
    return this.#thread.ask('work', { address, workMs });
  }

  /** Every request that any pod saw, in the order of their arrival. */
  async requests(): Promise<readonly PodRequest[]> {
    const seen = await this.#thread.ask('requests', undefined);
    return [...seen].sort((a, b) => a.arrived - b.arrived);
  }

  /** The same, and forgets those that have ended. */
  take(): Promise<readonly PodRequest[]> {
    return this.#thread.ask('take', undefined);
  }

  /** What each pod holds now, held at most, and over time. */
  counts(): Promise<readonly PodCount[]> {
    return this.#thread.ask('counts', undefined);
  }

  /** The most requests that any one pod ever held at the same time. */
  async peak(): Promise<number> {
    return Math.max(0, ...(await this.counts()).map(({ peak }) => peak));
  }

  /** The requests that all pods together hold now. */
  async held(): Promise<number> {
    return (await this.counts()).reduce((sum, { held }) => sum + held, 0);
  }

  /** Forgets all requests that have ended. */
  forget(): Promise<void> {
    return this.#thread.ask('forget', undefined);
  }

  /** Ends the thread, and with it all pods and their connections. */
  async stop(): Promise<void> {
    await this.#thread.end();
  }
}

type Argument<Call extends keyof PodCalls> = Parameters<PodCalls[Call]>[0];
type Value<Call extends keyof PodCalls> = Awaited<ReturnType<PodCalls[Call]>>;

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** Asks the pods' thread; one answer per question. */
class PodThread {
  readonly #worker = new Worker(new URL('./pod-worker.ts', import.meta.url));
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;
  #ended: Error | undefined;

  constructor() {
    this.#worker.on('message', (reply: PodReply) => this.#receive(reply));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the pods have been stopped')));
  }

  ask<Call extends keyof PodCalls>(call: Call, argument: Argument<Call>): Promise<Value<Call>> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#number += 1;
      this.#waiting.set(this.#number, { resolve, reject });
      this.#worker.postMessage({ number: this.#number, call, argument });
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #receive(reply: PodReply): void {
    const waiting = this.#waiting.get(reply.number);
    this.#waiting.delete(reply.number);
    if ('error' in reply) waiting?.reject(new Error(reply.error));
    else waiting?.resolve(reply.value as never); // the thread answers with what `PodCalls` promises
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
