import { expect, onTestFinished } from 'vitest';
import { h2Client } from '../kit/client-h2.ts';
import { http1Client } from '../kit/client-http1.ts';
import { until } from '../kit/instant.ts';
import type { LoadClient, LoadResult } from '../kit/load.ts';
import type { SlotCount } from '../kit/lost-time.ts';
import { type PodProtocol, Pods } from '../kit/pods.ts';
import { type RouteFile, Sluice } from '../kit/sluice.ts';
import { judge, outcomeOf, summary, type Verdict } from '../kit/summary.ts';
import type { Tie } from '../kit/verdict.ts';

/** Where tests have pods checked. */
export const HEALTH_PATH = '/healthz';

/** Keys of a route file's service or route, as a user writes them. */
export type Keys = Readonly<Record<string, unknown>>;

/** Which queue to build: one service, `codec`, and its pods. */
export interface QueueOptions {
  /** Pods to start; 4 when left out. */
  readonly pods?: number;
  /** 1 when left out; undefined: a service without a limit. */
  readonly limit?: number | undefined;
  readonly protocol?: PodProtocol;
  /** More keys of the service. */
  readonly service?: Keys;
  /** `listen.tls` */
  readonly tls?: Keys;
  /** The routes, when not all requests go to `codec`. */
  readonly routes?: readonly Keys[];
  /** Path of the Envoy, when it is not that of all tests. */
  readonly envoy?: string;
}

/** Pods, `sluice serve` with a route file that names them, and the real Envoy it configures. */
export class Queue {
  readonly pods: Pods;
  readonly sluice: Sluice;
  readonly #options: QueueOptions;

  constructor(pods: Pods, sluice: Sluice, options: QueueOptions) {
    this.pods = pods;
    this.sluice = sluice;
    this.#options = options;
  }

  get limit(): number | undefined {
    return limitOf(this.#options);
  }

  /** Writes the route file anew with these pods, and where `changes` say so other keys; resolves to the moment. */
  edit(pods: readonly string[], changes: QueueOptions = {}): Promise<number> {
    return this.sluice.edit(routeFile(pods, { ...this.#options, ...changes }));
  }

  /** A client over one HTTP/2 connection: the order in which it sends is the order in which Envoy gets it. */
  h2(): LoadClient {
    return closedAfterTest(h2Client({ port: this.sluice.port }));
  }

  /** A client with one HTTP/1 connection for each request under way. */
  http1(): LoadClient {
    return closedAfterTest(http1Client({ port: this.sluice.port }));
  }

  /** Requests that wait in the queue at this moment: those that Envoy has, and no pod. */
  async waiting(): Promise<number> {
    const stats = await this.sluice.stats(
      '^(http\\.public\\.downstream_rq_active|cluster\\.codec\\.upstream_rq_active)$',
    );
    return (stats.get('http.public.downstream_rq_active') ?? 0) - (stats.get('cluster.codec.upstream_rq_active') ?? 0);
  }

  /** One counter or gauge of Envoy; 0 while Envoy does not have it. */
  async stat(name: string): Promise<number> {
    const stats = await this.sluice.stats(`^${name.replaceAll('.', '\\.')}$`);
    return stats.get(name) ?? 0;
  }

  /** Waits until exactly `count` requests wait in the queue. */
  async untilWaiting(count: number): Promise<void> {
    await until(async () => (await this.waiting()) === count, { what: `${count} requests waiting` });
  }

  /** Waits until the pods together hold exactly `count` requests. */
  async untilHeld(count: number): Promise<void> {
    await until(async () => (await this.pods.held()) === count, { what: `${count} requests at pods` });
  }
}

/** A route file with the service `codec` and the pods at these addresses. */
export function routeFile(pods: readonly string[], options: QueueOptions = {}) {
  const { protocol = 'http1', service = {}, routes = [{ match: { prefix: '/' }, service: 'codec' }] } = options;
  const limit = limitOf(options);
  return {
    tls: options.tls,
    services: {
      codec: {
        static: pods,
        protocol: protocol === 'http1' ? 'http1' : 'h2c',
        ...(limit === undefined ? {} : { limit }),
        ...service,
      },
    },
    routes,
  };
}

/** Starts a queue that ends with the test that runs now. */
export async function startQueue(options: QueueOptions = {}): Promise<Queue> {
  const { pods: count = 4, protocol = 'http1' } = options;
  const pods = await Pods.start({ count, protocol });
  onTestFinished(() => pods.stop());
  const sluice = await startSluice(routeFile(pods.addresses, options), options.envoy);
  return new Queue(pods, sluice, options);
}

/** Starts Sluice and its Envoy; they end with the test that runs now. */
export async function startSluice(routes: RouteFile, envoy?: string): Promise<Sluice> {
  const sluice = await Sluice.start({ routes, envoy });
  onTestFinished(async () => {
    expect(await sluice.stop(), 'the control plane ends in order').toEqual({ code: 0, signal: null });
  });
  return sluice;
}

/** The client itself; it is closed when the test that runs now has ended. */
export function closedAfterTest(client: LoadClient): LoadClient {
  onTestFinished(() => client.close());
  return client;
}

function limitOf(options: QueueOptions): number | undefined {
  return 'limit' in options ? options.limit : 1;
}

/** What a run must have kept. */
export interface Kept {
  /** Heading of the summary that is printed. */
  readonly title: string;
  /** Also the order; only where a single HTTP/2 connection makes the order of sending certain. */
  readonly ordered?: boolean;
  /** What is too close to call, where it is not what `Tie` says. */
  readonly tie?: Tie;
  /** How many slots there were over time; all pods times the limit when left out. */
  readonly slots?: readonly SlotCount[];
}

/**
 * Prints how a run went, and holds what must always hold: every request answered well, every one of them at exactly
 * one pod, no pod over its limit, and (when `ordered`) first in, first out.
 */
export async function expectKept(queue: Queue, results: readonly LoadResult[], kept: Kept): Promise<Verdict> {
  const good = new Set(['200', 'grpc 0']);
  const odd = results.filter((result) => !good.has(outcomeOf(result)));
  expect(odd.slice(0, 3), 'every request is answered well').toEqual([]);
  return expectStrict(queue, results, kept);
}

/** As `expectKept`, for runs in which some requests are refused or give up: those that were answered were at a pod. */
export async function expectStrict(
  queue: Queue,
  results: readonly LoadResult[],
  { title, ordered = false, tie, slots }: Kept,
): Promise<Verdict> {
  await queue.untilHeld(0);
  // Health checks are asked beside the requests, and count for nobody.
  const requests = (await queue.pods.requests()).filter(({ path }) => path !== HEALTH_PATH);
  const { limit = Number.POSITIVE_INFINITY, pods } = queue;
  const verdict = judge({
    results,
    requests,
    limit,
    ...(tie && { tie }),
    slots: slots ?? (Number.isFinite(limit) ? pods.addresses.length * limit : []),
  });
  process.stdout.write(`${summary(title, verdict)}\n`);
  expect(verdict.strict, 'no pod is over its limit').toMatchObject({ unexcused: 0 });
  // The workers of Envoy are threads: which of two sees its request first, a busy machine decides. A queue out of order overtakes
  // at every turn.
  const late = Math.floor(verdict.order.compared / 100);
  if (ordered) expect(verdict.order.overtaken, 'first in, first out').toBeLessThanOrEqual(late);
  const answered = results.filter(({ status, grpcStatus = 0 }) => status === 200 && grpcStatus === 0);
  const atPods = requests.filter(({ outcome }) => outcome === 'answered').map(({ id }) => id);
  expect(atPods.sort(), 'each answered request was at one pod, once').toEqual(answered.map(({ id }) => id).sort());
  return verdict;
}
