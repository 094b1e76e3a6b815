import { describe, expect, type TestContext, test } from 'vitest';
import { instant, pause } from '../e2e/kit/instant.ts';
import { type BusyRun, keepBusy } from '../e2e/kit/keep-busy.ts';
import { Pods } from '../e2e/kit/pods.ts';
import type { Sluice } from '../e2e/kit/sluice.ts';
import { spread } from '../e2e/kit/spread.ts';
import { outcomeOf } from '../e2e/kit/summary.ts';
import { overLimit } from '../e2e/kit/verdict.ts';
import { TestCluster } from './kit/cluster.ts';
import { serveCodec, untilInEnvoy } from './kit/codec.ts';
import { Etcd } from './kit/etcd.ts';
import { FaultProxy } from './kit/fault-proxy.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

/** How long API servers are away; SLUICE_KUBE_OUTAGE_MS makes it shorter. */
const OUTAGE_MS = Number(process.env['SLUICE_KUBE_OUTAGE_MS'] ?? 60_000);

/** A change made while the API server was away must be in Envoy this long after its return. */
const BACK_WITHIN_MS = 5000;

const LIMIT = 2;
const WORK_MS = 40;

/** Two pods that Envoy knows, a third that only listens, and a load on them, all with a cluster of their own. */
interface Stage {
  readonly cluster: TestCluster;
  readonly space: TestNamespace;
  readonly pods: Pods;
  readonly sluice: Sluice;
  readonly load: BusyRun;
  /** The pods' addresses without their port. */
  readonly ips: readonly string[];
}

/** `access` gives the kubeconfig for Sluice; the administrator's when left out. */
async function ownStage(
  { onTestFinished }: TestContext,
  network: string,
  access = async (cluster: TestCluster) => cluster.kubeconfig(),
): Promise<Stage> {
  const cluster = await TestCluster.start();
  onTestFinished(() => cluster.stop());
  const space = await TestNamespace.make(cluster);
  const pods = await Pods.start({ count: 3, network, port: 8080 });
  onTestFinished(() => pods.stop());
  const ips = pods.addresses.map((address) => address.split(':')[0] ?? '');
  // Without a selector: the controllers, which need the API server as well, have no part in this.
  await space.addBareService('codec', ips.slice(0, 2));
  const sluice = await serveCodec(space, { limit: LIMIT, kubeconfig: await access(cluster) }, onTestFinished);
  await untilInEnvoy(sluice, { pods: 2, slots: 2 * LIMIT });
  // Four slots, three clients: nobody has to wait, so whoever does has found a fault.
  const load = keepBusy({ port: sluice.port, clients: 3, workMs: WORK_MS, restMs: 100 });
  return { cluster, space, pods, sluice, load, ips };
}

/** That the load of a whole run noticed nothing; prints how long its answers took. */
async function expectUnnoticed(title: string, { load, pods }: Stage): Promise<void> {
  const results = await load.stop();
  const took = spread(results.map(({ sent, ended }) => ended - sent));
  console.log(
    `${title}: ${results.length} requests of ${WORK_MS} ms took ${took.median.toFixed(0)} ms (median), ${took.p99.toFixed(0)} ms (p99), ${took.max.toFixed(0)} ms (worst)`,
  );
  expect(results.filter((result) => outcomeOf(result) !== '200')).toEqual([]);
  expect(results.length).toBeGreaterThan(OUTAGE_MS / 200);
  expect(overLimit(await pods.requests(), LIMIT)).toMatchObject({ times: 0 });
  // Far above what a busy machine adds, far below any timeout that could have ended a wait.
  expect(took.p99).toBeLessThan(WORK_MS + 1000);
}

/** Requests at the pod with this address since the moment `since`. */
async function servedBy({ pods }: Stage, ip: string | undefined, since: number): Promise<number> {
  return (await pods.requests()).filter(({ pod, arrived }) => pod === `${ip}:8080` && arrived > since).length;
}

/** What Sluice warned of, as text. */
function warnings({ sluice }: Stage): string {
  return sluice.process.log.map(({ msg }) => msg).join('\n');
}

const timeout = 120_000 + 2 * OUTAGE_MS;

describe
  .skipIf(WHY_NOT !== undefined)
  .concurrent(named('traffic while the API server has troubles'), { timeout }, () => {
    test('stopped: nobody notices, and what etcd was told meanwhile is in Envoy soon after', async (context) => {
      const stage = await ownStage(context, '10.244.31');
      const { cluster, space, sluice, ips } = stage;
      const etcd = new Etcd(cluster);
      await space.setPods('codec', ips);
      await untilInEnvoy(sluice, { pods: 3, slots: 3 * LIMIT });
      const three = await etcd.readSlice(space.name, 'codec');
      await space.setPods('codec', ips.slice(0, 2));
      await untilInEnvoy(sluice, { pods: 2, slots: 2 * LIMIT });

      await cluster.end('apiserver');
      await pause(OUTAGE_MS / 2);
      await etcd.writeSlice(space.name, 'codec', three);
      await pause(OUTAGE_MS / 2);
      expect(warnings(stage)).toContain('ECONNREFUSED');
      await cluster.startAgain('apiserver');
      const took = await untilInEnvoy(sluice, { pods: 3, slots: 3 * LIMIT }, instant());
      const since = instant();
      await pause(1000);
      expect(await servedBy(stage, ips[2], since)).toBeGreaterThan(0);
      await expectUnnoticed(
        `API server stopped for ${OUTAGE_MS / 1000} s, the change in Envoy ${took} ms after`,
        stage,
      );
      expect(took).toBeLessThan(BACK_WITHIN_MS);
    });

    test('frozen: nobody notices, and a change that was asked for meanwhile is in Envoy soon after', async (context) => {
      const stage = await ownStage(context, '10.244.32');
      const { cluster, space, sluice, ips } = stage;
      cluster.signal('apiserver', 'SIGSTOP');
      await pause(OUTAGE_MS / 2);
      const change = space.setPods('codec', ips);
      await pause(OUTAGE_MS / 2);
      cluster.signal('apiserver', 'SIGCONT');
      const took = await untilInEnvoy(sluice, { pods: 3, slots: 3 * LIMIT }, instant());
      await change;
      const since = instant();
      await pause(1000);
      expect(await servedBy(stage, ips[2], since)).toBeGreaterThan(0);
      await expectUnnoticed(`API server frozen for ${OUTAGE_MS / 1000} s, the change in Envoy ${took} ms after`, stage);
      expect(took).toBeLessThan(BACK_WITHIN_MS);
    });

    test('restarted with an empty watch cache: nobody notices, and what was missed is in Envoy soon after', async (context) => {
      let proxy: FaultProxy | undefined;
      const stage = await ownStage(context, '10.244.33', async (cluster) => {
        proxy = await FaultProxy.start(cluster);
        return proxy.kubeconfig('proxy.kubeconfig');
      });
      if (proxy === undefined) throw new Error('the stage was made without a proxy');
      const between = proxy;
      context.onTestFinished(() => between.stop());
      const { cluster, space, sluice, ips } = stage;
      // Sluice's next requests come after the restart, with a version that the new watch cache does not have.
      between.fault = { kind: 'hold' };
      between.endWatches();
      await space.setPods('codec', ips.slice(0, 1));
      await cluster.end('apiserver');
      await cluster.startAgain('apiserver');
      await space.setPods('codec', [ips[0], ips[2]].map(String));
      await pause(Math.min(OUTAGE_MS, 5000));
      const began = instant();
      between.release();
      await sluice.acked(began, 'ClusterLoadAssignment');
      const took = await untilInEnvoy(sluice, { pods: 2, slots: 2 * LIMIT }, began);
      await pause(1000);
      const since = instant();
      await pause(1000);
      expect(await servedBy(stage, ips[2], since), 'the pod that came').toBeGreaterThan(0);
      expect(await servedBy(stage, ips[1], since), 'the pod that went').toBe(0);
      await pause(Math.max(0, OUTAGE_MS / 4 - 8000));
      await expectUnnoticed(`API server restarted, what was missed in Envoy ${took} ms after`, stage);
      expect(took).toBeLessThan(BACK_WITHIN_MS);
    });
  });
