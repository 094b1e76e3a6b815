import { describe, expect, inject, test } from 'vitest';
import { instant, pause } from '../e2e/kit/instant.ts';
import { spread } from '../e2e/kit/spread.ts';
import { TestCluster } from './kit/cluster.ts';
import { serveCodec, untilInEnvoy } from './kit/codec.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

const SAMPLES = 25;
/** A change is over by then: the next sample must not take the last one's for its own. */
const SETTLE_MS = 150;

describe.skipIf(WHY_NOT !== undefined)(named('how soon Envoy uses a pod'), () => {
  test('from ready at the API to the endpoint, acknowledged by Envoy, and to the slots of the filter', async () => {
    const cluster = new TestCluster(inject('kubeCluster'));
    const space = await TestNamespace.make(cluster);
    await space.addService('codec', [{ name: 'http', port: 80, targetPort: 8080 }]);
    const pods = Array.from({ length: SAMPLES + 1 }, (_, index) => ({
      name: `pod-${index}`,
      ip: `10.244.20.${index + 1}`,
    }));
    for (const { name, ip } of pods) await space.addPod(name, { app: 'codec', ips: [ip], ready: name === 'pod-0' });
    const sluice = await serveCodec(space, { limit: 2 });
    await untilInEnvoy(sluice, { pods: 1, slots: 2 });

    const took: number[] = [];
    for (const [index, { name }] of pods.entries()) {
      if (index === 0) continue;
      await pause(SETTLE_MS);
      const begin = instant();
      const changed = space.setReady(name, true);
      const acked = await sluice.acked(begin, 'ClusterLoadAssignment');
      took.push(acked - begin);
      await changed;
      // It was this pod that was acknowledged, and the filter has it. Its statistics are as old as its last report.
      await untilInEnvoy(sluice, { pods: index + 1, slots: 2 * (index + 1) });
    }
    const { count, median, p99, max } = spread(took);
    const ms = (value: number) => `${value.toFixed(1)} ms`;
    console.log(
      `from the pod's status at the API to Envoy's ACK of the endpoint, ${count} pods: median ${ms(median)}, p99 ${ms(p99)}, worst ${ms(max)}`,
    );
    expect(count).toBeGreaterThanOrEqual(20);
    expect(median).toBeLessThan(100);
  });
});
