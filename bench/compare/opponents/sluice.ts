import { envoyPath } from '../../../test/e2e/kit/envoy.ts';
import { ALIVE_PATH } from '../../../test/e2e/kit/pod-ask.ts';
import { Sluice } from '../../../test/e2e/kit/sluice.ts';
import type { Opponent, OpponentKind, QueueOrder, Setup } from './opponent.ts';

/** Sluice and its Envoy, started as its users start them, with a limit in the route file, and health checks where the scenario has them. */
export const sluice: OpponentKind = {
  name: 'sluice',
  title: 'Sluice',
  about: 'Sluice and its Envoy; it learns of pods by a new route file.',
  missing: () =>
    envoyPath().then(
      () => undefined,
      (error: Error) => error.message,
    ),
  start,
};

/** As a user writes it. */
const ORDERS = {
  priority: { priority: { header: 'x-priority', classes: ['high', 'normal', 'low'], default: 'normal' } },
  fair: { fair: { header: 'x-tenant' } },
} as const satisfies Record<QueueOrder, object>;

async function start({ pods, limit, protocol, checkEvery, order }: Setup): Promise<Opponent> {
  const routes = (members: readonly string[]) => ({
    services: {
      codec: {
        static: members,
        limit,
        protocol: protocol === 'http1' ? 'http1' : 'h2c',
        queue: { max: 10_000, ...(order !== undefined && ORDERS[order]) },
        ...(checkEvery !== undefined && { health: { path: ALIVE_PATH, interval: `${checkEvery}ms` } }),
      },
    },
    routes: [{ match: { prefix: '/' }, service: 'codec' }],
  });
  const running = await Sluice.start({ routes: routes(pods), logLevel: 'info' });
  return {
    port: running.port,
    processes: () => ({ proxy: [running.envoy.pid], controlPlane: [running.process.pid ?? 0] }),
    setPods: async (next) => void (await running.edit(routes(next))),
    stop: async () => void (await running.stop()),
  };
}
