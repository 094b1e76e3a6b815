import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A job as its pod has it. */
export interface PodJob {
  readonly id: string;
  readonly token: string;
}

/** A pod that takes jobs: it answers 202 at once, works on, and counts what it has at a time. */
export class JobPod {
  readonly #server: Server;
  /** By id. */
  readonly jobs = new Map<string, PodJob>();
  /** All jobs that it ever took, and the most that it had at a time. */
  readonly taken: PodJob[] = [];
  peak = 0;
  /** Whether it names its jobs. */
  names = true;
  /** How long it takes to answer. */
  answerMs = 0;
  status = 202;

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  /** Starts one at a free port of loopback. */
  static async start(): Promise<JobPod> {
    const pod = new JobPod();
    pod.#server.listen(0, '127.0.0.1');
    await once(pod.#server, 'listening');
    return pod;
  }

  get address(): string {
    // It listens on an address and port.
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends it, and its connections. */
  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Does the work of a job, without telling anybody. */
  finish(id: string): void {
    this.jobs.delete(id);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/jobs') {
      response.end(JSON.stringify([...this.jobs.keys()]));
      return;
    }
    const token = `${request.headers['sluice-job-token'] ?? ''}`;
    const id = randomUUID();
    const job = { id, token };
    if (this.status === 202) {
      this.jobs.set(id, job);
      this.taken.push(job);
      this.peak = Math.max(this.peak, this.jobs.size);
    }
    if (this.answerMs > 0) await new Promise((resolve) => setTimeout(resolve, this.answerMs));
    // A pod that sends back whatever it gets.
    response.writeHead(this.status, { 'sluice-job-token': token, ...(this.names ? { 'sluice-job': id } : {}) });
    response.end('accepted');
  }
}
