import { expect, test } from 'vitest';
import { ControlPlane, clustersOf } from './control-plane.ts';
import { ALL_CLUSTERS, CODEC_AND_WEB } from './routes.ts';

const patience = { timeout: 30_000, interval: 100 };
const REFUSED = expect.stringMatching(/^Envoy second does not get service codec, which Envoy first has/);

test('a service with a limit is carried by one Envoy, everybody is told, and it keeps it over a restart', async () => {
  const plane = await ControlPlane.start(CODEC_AND_WEB, ['--owner-grace', '2s']);
  const first = await plane.envoy('first');
  await expect.poll(() => clustersOf(first), patience).toEqual(ALL_CLUSTERS);
  const second = await plane.envoy('second');
  await expect.poll(() => clustersOf(second), patience).toEqual(['web']);
  await expect.poll(() => plane.problems(), patience).toEqual([REFUSED]);
  expect(await plane.get('/metrics')).toContain('sluice_services_withheld{node="second"} 1');
  await plane.process.logged('the problem', ({ msg }) => msg.startsWith('Envoy second: does not get service codec'));

  const removed = 'cluster_manager.cluster_removed';
  await plane.restart();
  await expect
    .poll(async () => (await plane.status()).nodes.map(({ id }) => id), patience)
    .toEqual(['first', 'second']);
  await expect.poll(() => plane.problems(), patience).toEqual([REFUSED]);
  expect(await clustersOf(first)).toEqual(ALL_CLUSTERS);
  expect(await clustersOf(second)).toEqual(['web']);
  const stats = await first.admin.stats({ filter: removed });
  expect(stats.ok && stats.value.get(removed)).toBe(0);

  await first.stop();
  await expect.poll(() => clustersOf(second), patience).toEqual(ALL_CLUSTERS);
  await expect.poll(() => plane.problems(), patience).toEqual([]);
  await plane.process.logged(
    'the move',
    ({ fields }) => fields['node'] === 'first' && `${fields['services']}` === 'codec',
  );
}, 120_000);

test('an Envoy names the services it carries in its node metadata', async () => {
  const plane = await ControlPlane.start(CODEC_AND_WEB);
  const codec = await plane.envoy('codec', { services: ['codec'] });
  const web = await plane.envoy('web', { services: ['web', 'blog'] });
  await expect.poll(() => clustersOf(codec), patience).toEqual(['codec']);
  await expect.poll(() => clustersOf(web), patience).toEqual(['web']);
  const unknown = 'Envoy web is there for service blog by its node metadata; the route file has no such service';
  await expect.poll(() => plane.problems(), patience).toEqual([unknown]);
}, 120_000);
