import { onTestFinished } from 'vitest';
import { instant, until } from '../../e2e/kit/instant.ts';
import { Sluice } from '../../e2e/kit/sluice.ts';
import type { TestNamespace } from './namespace.ts';

/** How to serve the Service `codec`. */
export interface CodecOptions {
  /** Requests one pod may hold; 1 when left out. */
  readonly limit?: number;
  /** The longest line; 1000 when left out. */
  readonly queue?: number;
  /** Instead of the administrator's. */
  readonly kubeconfig?: string;
}

/**
 * `sluice serve` and a real Envoy that send everything to port 80 of the Service `codec`; both end with the test. Tests
 * that run at the same time hand over their own `atEnd`.
 */
export async function serveCodec(
  space: TestNamespace,
  options: CodecOptions = {},
  atEnd: (end: () => Promise<void>) => void = onTestFinished,
): Promise<Sluice> {
  const { limit = 1, queue = 1000, kubeconfig = space.cluster.kubeconfig() } = options;
  const kubernetes = { namespace: space.name, service: 'codec', port: 80 };
  const sluice = await Sluice.start({
    routes: {
      services: { codec: { kubernetes, limit, queue: { max: queue }, timeout: { request: '5m' } } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    },
    env: { KUBECONFIG: kubeconfig },
  });
  atEnd(async () => {
    await sluice.stop();
  });
  return sluice;
}

/** What Envoy has for `codec` now. */
export interface CodecInEnvoy {
  /** Endpoints that get requests. */
  readonly pods: number;
  /** The slots that the queue filter has, from its statistics. */
  readonly slots: number;
}

/** Asks Envoy itself: not what was sent to it, but what it goes by. */
async function codecInEnvoy({ envoy }: Sluice): Promise<CodecInEnvoy> {
  const { host, port } = envoy.address;
  const ask = async (path: string) => await (await fetch(`http://${host}:${port}/${path}`)).text();
  const stats = await ask('stats?filter=sluice_queue_slots');
  // A statistic that is not there gives NaN, which no test expects.
  const slots = Number(/sluice_queue_slots\.codec: (\d+)/.exec(stats)?.[1]);
  const clusters = await ask(`clusters?filter=${encodeURIComponent('^codec$')}`);
  const pods = [...clusters.matchAll(/^codec::10\.244\.[^:]*:\d+::health_flags::healthy$/gm)].length;
  return { pods, slots };
}

/** Waits until Envoy goes by this; resolves to the milliseconds since `begin`, by `instant()`. */
export async function untilInEnvoy(sluice: Sluice, wanted: CodecInEnvoy, begin = instant()): Promise<number> {
  const look = async () => {
    const { pods, slots } = await codecInEnvoy(sluice);
    if (pods === wanted.pods && slots === wanted.slots) return true;
    throw new Error(`it has ${pods} pods and ${slots} slots`);
  };
  await until(look, { what: `Envoy to have ${JSON.stringify(wanted)}`, within: 30_000, every: 20 });
  return Math.round(instant() - begin);
}
