import { expect, test } from 'vitest';
import { http1Client } from '../kit/client-http1.ts';
import { until } from '../kit/instant.ts';
import { startLoad } from '../kit/load.ts';
import { spaced } from '../kit/load-plan.ts';
import { Pods } from '../kit/pods.ts';
import { isListening } from '../kit/ports.ts';
import { fixed } from '../kit/random.ts';
import { ControlPlane } from './control-plane.ts';

test('an Envoy that has just begun to listen serves, should Sluice end at that very moment', async () => {
  const pods = await Pods.start({ count: 2 });
  try {
    const plane = await ControlPlane.start({
      services: { codec: { static: pods.addresses, limit: 1 } },
      routes: [{ match: { prefix: '/' }, service: 'codec' }],
    });
    const starting = plane.envoy('edge');
    await until(() => isListening(plane.traffic), { what: 'Envoy to listen', within: 30_000, every: 1 });
    await plane.process.end('SIGKILL');
    await starting;
    const client = http1Client({ port: plane.traffic });
    const run = startLoad(client, spaced(6, 5, { work: fixed(50) }));
    const results = await run.results;
    client.close();
    expect(results.map(({ status }) => status)).toEqual(Array(6).fill(200));
    expect(await pods.peak()).toBe(1);
  } finally {
    await pods.stop();
  }
}, 90_000);
