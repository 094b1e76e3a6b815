import { expect, test } from 'vitest';
import { ControlPlane, clustersOf } from './control-plane.ts';
import { CODEC_AND_WEB } from './routes.ts';

const patience = { timeout: 30_000, interval: 100 };

test('an Envoy names the services it carries in its node metadata', async () => {
  const plane = await ControlPlane.start(CODEC_AND_WEB);
  const codec = await plane.envoy('codec', { services: ['codec'] });
  const web = await plane.envoy('web', { services: ['web', 'blog'] });
  await expect.poll(() => clustersOf(codec), patience).toEqual(['codec']);
  await expect.poll(() => clustersOf(web), patience).toEqual(['web']);
  const unknown = 'Envoy web is there for service blog by its node metadata; the route file has no such service';
  await expect.poll(() => plane.problems(), patience).toEqual([unknown]);
}, 120_000);
