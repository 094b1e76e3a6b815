import { h2Client } from '../e2e/kit/client-h2.ts';
import { http1Client } from '../e2e/kit/client-http1.ts';
import type { LoadClient, LoadResult } from '../e2e/kit/load.ts';
import type { Planned } from '../e2e/kit/load-plan.ts';
import type { ClientKind } from './schedule.ts';

/** Tries to open a connection again, and the rest between two of them. */
const TRIES = 3;

/** All clients of a run. One that has lost its connection opens another. */
export class Clients {
  readonly #port: number;
  readonly #clients = new Map<ClientKind, LoadClient>();

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends it; never rejects. */
  async send(kind: ClientKind, request: Planned): Promise<LoadResult> {
    for (let tries = 1; ; tries += 1) {
      const client = this.#client(kind);
      const result = await client.send(request);
      // It never left: Envoy has closed the connection before.
      if (result.error !== 'the connection is gone' || tries === TRIES) return result;
      if (this.#clients.get(kind) === client) this.#clients.delete(kind);
      client.close();
    }
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #client(kind: ClientKind): LoadClient {
    const known = this.#clients.get(kind);
    if (known !== undefined) return known;
    const made = open(kind, this.#port);
    this.#clients.set(kind, made);
    return made;
  }
}

function open(kind: ClientKind, port: number): LoadClient {
  switch (kind) {
    case 'http1':
      return http1Client({ port });
    case 'h2':
      return h2Client({ port });
    case 'h2-many':
      return h2Client({ port, connections: 4 });
  }
}
