// node bench/kube.ts [SERVICES] [PODS]: what following many pods costs, with a real API server.
// Prints the time to the first full state, the memory of a process that does nothing else, and what a changed slice costs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../src/base/clock.ts';
import { KubeSource } from '../src/endpoints/kube/kube-source.ts';
import type { Locator } from '../src/model/locator.ts';
import { TestCluster } from '../test/kube/kit/cluster.ts';
import { TestNamespace } from '../test/kube/kit/namespace.ts';
import { changeSlice, fill } from './kube-slices.ts';

const CHANGES = 200;

/** The process that is measured: tells its parent what it needed. */
async function follow(kubeconfig: string, namespace: string, services: number): Promise<void> {
  const locators: readonly Locator[] = Array.from({ length: services }, (_, service) => ({
    kind: 'kubernetes',
    namespace,
    service: `service-${service}`,
    port: { kind: 'service', port: 80 },
  }));
  const mb = () => Math.round(process.memoryUsage.rss() / 1e6);
  const empty = mb();
  const source = new KubeSource({ clock: systemClock, log: () => undefined, kubeconfig });
  const begin = performance.now();
  source.want(locators);
  const stop = new AbortController();
  let changes = 0;
  const full = Promise.withResolvers<void>();
  const done = source.run(stop.signal, () => {
    changes++;
    if (locators.every((locator) => source.pods(locator).kind === 'ready')) full.resolve();
  });
  await full.promise;
  const startMs = Math.round(performance.now() - begin);
  const pods = locators.reduce((sum, locator) => {
    const state = source.pods(locator);
    return sum + (state.kind === 'ready' ? state.value.length : 0);
  }, 0);
  process.send?.({
    startMs,
    startCpuMs: Math.round(process.cpuUsage().user / 1000),
    pods,
    emptyMb: empty,
    fullMb: mb(),
  });
  const [before, cpuBefore] = [changes, process.cpuUsage()];
  // The parent says when it has made its changes.
  await once(process, 'message');
  while (changes - before < CHANGES) await new Promise((resolve) => setTimeout(resolve, 20));
  const cpu = process.cpuUsage(cpuBefore);
  process.send?.({ cpuMsPerChange: (cpu.user + cpu.system) / 1000 / CHANGES, changes: changes - before, rssMb: mb() });
  stop.abort();
  await done;
  process.disconnect?.();
}

async function measure(services: number, pods: number): Promise<void> {
  const cluster = await TestCluster.start();
  try {
    const space = await TestNamespace.make(cluster);
    console.log(`making ${services} Services with ${pods} pods each …`);
    await fill(space, services, pods);
    const self = fileURLToPath(import.meta.url);
    const child = spawn(process.execPath, [self, 'follow', cluster.kubeconfig(), space.name, String(services)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    console.log('first full state:', (await once(child, 'message'))[0]);
    for (let change = 0; change < CHANGES; change++) await changeSlice(space, { services, pods, change });
    child.send('changed');
    console.log(`after ${CHANGES} changed slices:`, (await once(child, 'message'))[0]);
    await once(child, 'exit');
  } finally {
    await cluster.stop();
  }
}

const [first = '500', second = '20', third = '', fourth = ''] = process.argv.slice(2);
if (first === 'follow') await follow(second, third, Number(fourth));
else await measure(Number(first), Number(second));
