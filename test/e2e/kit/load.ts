import { instant, pause } from './instant.ts';
import type { Planned } from './load-plan.ts';

/** What became of one request. All times are those of `instant()`. */
export interface LoadResult {
  readonly id: string;
  /** When it was written: at once on an open connection, else as soon as a new one stood. */
  readonly sent: number;
  /** When the headers of the answer had come. */
  readonly first: number | undefined;
  /** When the answer was complete, or the request failed. */
  readonly ended: number;
  /** `failed`: no full HTTP answer; a gRPC call with any status but CANCELLED by ourselves is `answered`. */
  readonly outcome: 'answered' | 'failed' | 'aborted';
  /** The HTTP status, 0 when there was none. */
  readonly status: number;
  /** The gRPC status code, when it was a gRPC call. */
  readonly grpcStatus: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What went wrong, in the client's or the gRPC status' words. */
  readonly error: string | undefined;
  /** The same for requests that went over one HTTP/2 connection; undefined: over HTTP/1.1, or not known. */
  readonly connection?: number;
}

/** Sends requests somewhere. It never rejects: what goes wrong is in the result. */
export interface LoadClient {
  send(request: Planned): Promise<LoadResult>;
  close(): void;
}

/** A load under way. */
export interface LoadRun {
  /** When it began: a request planned at `at` is sent at `began + at`. */
  readonly began: number;
  /** Requests that were sent and have not ended yet. */
  readonly open: number;
  /** What has ended so far, in the order of ending. */
  readonly ended: readonly LoadResult[];
  /** All results in the order of the plan, once all requests have ended. */
  readonly results: Promise<readonly LoadResult[]>;
}

/** Sends every request of `plan` at its time, whatever became of the others, and leaves the client open. */
export function startLoad(client: LoadClient, plan: readonly Planned[]): LoadRun {
  const order = plan.map((request, index) => ({ request, index })).sort((a, b) => a.request.at - b.request.at);
  const results: LoadResult[] = new Array(plan.length);
  const ended: LoadResult[] = [];
  const began = instant();
  let open = 0;
  const one = async (request: Planned, index: number) => {
    open += 1;
    const result = await client.send(request);
    open -= 1;
    results[index] = result;
    ended.push(result);
  };
  const all = async () => {
    const sending: Promise<void>[] = [];
    for (const { request, index } of order) {
      const early = began + request.at - instant();
      if (early > 0.5) await pause(early);
      sending.push(one(request, index));
    }
    await Promise.all(sending);
    return results;
  };
  return {
    began,
    get open() {
      return open;
    },
    ended,
    results: all(),
  };
}

/** Sends every request of `plan` at its time; resolves to the results in the order of the plan. */
export function load(client: LoadClient, plan: readonly Planned[]): Promise<readonly LoadResult[]> {
  return startLoad(client, plan).results;
}

/**
 * Closed loop: `clients` clients that each send their next request when they have the answer to the last one, until
 * `count` have been sent. `request` makes the one with this index; its `at` is not looked at.
 */
export async function closedLoop(
  client: LoadClient,
  { clients, count, request }: { clients: number; count: number; request: (index: number) => Planned },
): Promise<readonly LoadResult[]> {
  const results: LoadResult[] = [];
  let next = 0;
  const one = async () => {
    while (next < count) {
      next += 1;
      results.push(await client.send(request(next - 1)));
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
  return results;
}
