import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { TestCluster } from './kit/cluster.ts';
import { Follower } from './kit/follower.ts';
import { servicePort } from './kit/locators.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

const SAMPLES = 40;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

describe.skipIf(WHY_NOT !== undefined)(named('how soon a pod is known'), () => {
  test('from ready at the API to known to the source', async () => {
    const cluster = new TestCluster(inject('kubeCluster'));
    const space = await TestNamespace.make(cluster);
    await space.addService('codec', [{ port: 80 }]);
    const codec = servicePort(space.name, 'codec', 80);
    const follower = new Follower(cluster.kubeconfig(), [codec]);
    onTestFinished(() => follower.stop());
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'], ready: false });
    await follower.until(codec, ({ problems }) => problems.some(({ message }) => message.includes('1 not ready')));
    const up: number[] = [];
    const down: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      const ready = sample % 2 === 0;
      const begin = performance.now();
      const changed = space.setReady('one', ready);
      await follower.untilSays(codec, ready ? 'ready 10.244.1.1:80' : 'ready');
      (ready ? up : down).push(performance.now() - begin);
      await changed;
    }
    const text = (name: string, values: readonly number[]) =>
      `${name} median ${median(values).toFixed(1)} ms, worst ${Math.max(...values).toFixed(1)} ms`;
    console.log(
      `from the pod's status at the API to the source, ${SAMPLES} changes: ${text('ready', up)}; ${text('not ready', down)}`,
    );
    // The whole way to Envoy has 100 ms; this is a part of it, on a machine that may be busy.
    expect(median(up)).toBeLessThan(100);
    expect(median(down)).toBeLessThan(100);
  });
});
