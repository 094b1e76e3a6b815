import { expect, test } from 'vitest';
import type { TestEnvoy } from '../kit/envoy.ts';
import { pause } from '../kit/instant.ts';
import { ControlPlane, clustersOf } from './control-plane.ts';
import { CutWire } from './cut-wire.ts';
import { ALL_CLUSTERS, CODEC_AND_WEB } from './routes.ts';

const patience = { timeout: 40_000, interval: 100 };
const TWO = expect.stringMatching(/^Envoy same 2 Envoys say that this is their node id; only the first gets/);

async function removed(envoy: TestEnvoy): Promise<number> {
  const name = 'cluster_manager.cluster_removed';
  const stats = await envoy.admin.stats({ filter: name });
  return stats.ok ? (stats.value.get(name) ?? 0) : -1;
}

test('of two Envoys with one node id only the first carries a service with a limit, until it has gone', async () => {
  const plane = await ControlPlane.start(CODEC_AND_WEB);
  const first = await plane.envoy('same');
  await expect.poll(() => clustersOf(first), patience).toEqual(ALL_CLUSTERS);
  const second = await plane.envoy('same');
  await expect.poll(() => clustersOf(second), patience).toEqual(['web']);
  await expect.poll(() => plane.problems(), patience).toEqual([TWO]);
  await plane.process.logged('the problem', ({ msg }) => msg.startsWith('Envoy same: 2 Envoys'));
  expect(await clustersOf(first)).toEqual(ALL_CLUSTERS);

  // Whoever of them is the first to return: the one that carries it goes on.
  await plane.restart();
  await expect.poll(() => plane.problems(), patience).toEqual([TWO]);
  expect([await clustersOf(first), await removed(first)]).toEqual([ALL_CLUSTERS, 0]);
  expect(await clustersOf(second)).toEqual(['web']);

  await first.stop();
  await expect.poll(() => clustersOf(second), patience).toEqual(ALL_CLUSTERS);
  await expect.poll(() => plane.problems(), patience).toEqual([]);
}, 120_000);

// Just after its start Sluice takes who comes for an Envoy that returns.
test.each([
  ['just after a start', 0],
  ['later on', 4000],
])(
  'an Envoy whose old connection hangs, %s, has its services all along, and is soon the only one',
  async (_, wait) => {
    const plane = await ControlPlane.start(CODEC_AND_WEB);
    const wire = await CutWire.to(plane.xds.port);
    const envoy = await plane.envoy('same', { xds: { kind: 'tcp', host: '127.0.0.1', port: wire.port } });
    await expect.poll(() => clustersOf(envoy), patience).toEqual(ALL_CLUSTERS);
    await pause(wait);
    wire.freeze();
    // Envoy gives the connection up after a second and opens another; Sluice has noticed nothing by then.
    const told = (what: string) => plane.process.log.filter(({ msg }) => msg === what);
    const reasons = () => told('Envoy disconnected').map(({ fields }) => fields['reason']);
    const silent = 'its client does not answer, and another connection has its node id';
    await expect.poll(reasons, { timeout: 80_000, interval: 100 }).toEqual([silent]);
    expect(told('Envoy connected')).toHaveLength(2);
    const inSync = async () => (await plane.status()).nodes.flatMap(({ types }) => types.map(({ status }) => status));
    await expect.poll(async () => [...new Set(await inSync())], patience).toEqual(['in sync']);
    expect(await plane.problems()).toEqual([]);
    expect([await clustersOf(envoy), await removed(envoy)]).toEqual([ALL_CLUSTERS, 0]);
  },
  120_000,
);
