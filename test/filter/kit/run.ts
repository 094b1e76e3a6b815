import type { sluice } from '#xds';
import { startEnvoy, type TestEnvoy } from '../../e2e/kit/envoy.ts';
import { until } from '../../e2e/kit/instant.ts';
import { type PodOptions, Pods } from '../../e2e/kit/pods.ts';
import { freePorts } from '../../e2e/kit/ports.ts';
import { type EnvoyService, type FilterEnvoy, filterBootstrap } from './bootstrap.ts';
import { DynamicFilter } from './dynamic.ts';
import { SluiceSide } from './sluice-side.ts';

/** An Envoy with the filter, pods behind it, and Sluice's side of its stream. */
export interface FilterRun {
  readonly envoy: TestEnvoy;
  readonly port: number;
  readonly side: SluiceSide;
  readonly pods: Pods;
  /** Sets the plugins anew: of a run that is `dynamic`. */
  set(change: Partial<FilterEnvoy>, parts?: readonly ('queue' | 'try' | 'control')[]): Promise<void>;
  stop(): Promise<void>;
}

/** What a run differs by. */
export interface RunOptions {
  readonly pods?: Partial<PodOptions>;
  readonly limit?: number;
  readonly settings?: sluice.queue.v1.ISettings;
  readonly envoy?: Partial<FilterEnvoy>;
  readonly service?: Partial<EnvoyService>;
  /** The plugins may change while Envoy runs. */
  readonly dynamic?: boolean;
  /** More services of Envoy, with the same pods. */
  readonly others?: readonly string[];
  /** Sluice does not send the service. */
  readonly untold?: boolean;
  /** Worker threads of Envoy; 1 where it is left out. */
  readonly workers?: number;
}

/** What tests use where they do not say otherwise. */
export const SETTINGS: sluice.queue.v1.ISettings = {
  queueMax: 10_000,
  fullStatus: 429,
  abortHoldMs: 5,
  ejection: { consecutiveGateway: 3, baseMs: 2000, maxMs: 10_000 },
};

/** Starts pods, Sluice's side and an Envoy with the service `work`; resolves when the filter knows it. */
export async function startRun(options: RunOptions = {}): Promise<FilterRun> {
  const { limit = 1, settings = SETTINGS } = options;
  const pods = await Pods.start({ count: 4, ...options.pods });
  const side = new SluiceSide();
  const xds = await side.start();
  const [port = 0] = await freePorts(1);
  const { workers = 1 } = options;
  // Each worker keeps connections of its own, and some that clients have left are still closing.
  const connections = workers === 1 ? limit : limit * 64;
  const work = { name: 'work', pods: pods.addresses, limit, connections, ...options.service };
  const others = (options.others ?? []).map((name) => ({ ...work, name }));
  if (!options.untold) side.set({ name: 'work', settings, pods: work.pods.map((address) => ({ address, limit })) });
  const made = { port, xds, services: [work, ...others], ...options.envoy };
  const dynamic = await DynamicFilter.make();
  const bootstrap = options.dynamic ? await dynamic.bootstrap(made) : filterBootstrap(made);
  const envoy = await startEnvoy(bootstrap, 'warn', undefined, workers);
  const stop = async () => {
    await envoy.stop();
    side.stop();
    await dynamic.stop();
    await pods.stop();
  };
  try {
    const messages = options.untold ? 2 : 3;
    await until(() => side.open === workers && side.acked >= messages, {
      what: 'the filter to have all that Sluice sent',
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { envoy, port, side, pods, set: (change, parts) => dynamic.set({ ...made, ...change }, parts), stop };
}
