import { describe, expect, inject, type TestContext, test } from 'vitest';
import type { WatchTiming } from '../../src/kubernetes/watch-timing.ts';
import type { Locator } from '../../src/model/locator.ts';
import { TestCluster } from './kit/cluster.ts';
import { FaultProxy } from './kit/fault-proxy.ts';
import { Follower } from './kit/follower.ts';
import { servicePort } from './kit/locators.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

/** How long API servers are away: as long as an upgrade of a control plane takes. */
const OUTAGE_MS = Number(process.env['SLUICE_KUBE_OUTAGE_MS'] ?? 60_000);

/** A change made while the API server was away must be there this long after its return. */
const BACK_WITHIN_MS = 5000;

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A cluster of its own with one Service `codec` that has one pod, and its end. */
async function ownCluster({
  onTestFinished,
}: TestContext): Promise<{ cluster: TestCluster; space: TestNamespace; codec: Locator }> {
  const cluster = await TestCluster.start();
  onTestFinished(() => cluster.stop());
  const space = await TestNamespace.make(cluster);
  await space.addBareService('codec', ['10.244.1.1']);
  return { cluster, space, codec: servicePort(space.name, 'codec', 80) };
}

function follow(
  { onTestFinished }: TestContext,
  kubeconfig: string,
  locator: Locator,
  timing: Partial<WatchTiming> = {},
): Follower {
  const follower = new Follower(kubeconfig, [locator], timing);
  onTestFinished(() => follower.stop());
  return follower;
}

/** Waits for pods after an outage; how long that took since `begin`, in milliseconds. */
async function timeUntil(
  follower: Follower,
  locator: Locator,
  text: string,
  begin = performance.now(),
): Promise<number> {
  await follower.untilSays(locator, text);
  return Math.round(performance.now() - begin);
}

describe.skipIf(WHY_NOT !== undefined).concurrent(named('an API server with troubles'), { timeout: 240_000 }, () => {
  test('stopped: the pods stay, the state says why and since when, and a change is there soon after', async (context) => {
    const { cluster, space, codec } = await ownCluster(context);
    const follower = follow(context, cluster.kubeconfig(), codec);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
    const stoppedAt = Date.now();
    await cluster.end('apiserver');
    await follower.untilSays(codec, 'stale 10.244.1.1:8080');
    const state = follower.source.pods(codec);
    expect(state.kind === 'stale' && state.since).toBeGreaterThan(stoppedAt - 100);
    expect(state.kind === 'stale' && state.since).toBeLessThanOrEqual(Date.now());
    expect(follower.problems(codec).join()).toMatch(/cannot list (services|endpointslices): connect ECONNREFUSED/);
    await wait(OUTAGE_MS);
    expect(follower.say(codec)).toBe('stale 10.244.1.1:8080');
    const after = follower.source.pods(codec);
    expect(after.kind === 'stale' && after.since).toBe(state.kind === 'stale' && state.since);

    await cluster.startAgain('apiserver');
    const readyAt = performance.now();
    await space.setPods('codec', ['10.244.1.1', '10.244.1.2']);
    const took = await timeUntil(follower, codec, 'ready 10.244.1.1:8080 10.244.1.2:8080', readyAt);
    console.log(`API server stopped for ${OUTAGE_MS / 1000} s: a change is there ${took} ms after it is ready again`);
    expect(took).toBeLessThan(BACK_WITHIN_MS);
    expect(follower.problems(codec)).toEqual([]);
    await space.setPods('codec', ['10.244.1.3']);
    await follower.untilSays(codec, 'ready 10.244.1.3:8080');
  });

  test('frozen: nothing is lost, and a change is there soon after', async (context) => {
    const { cluster, space, codec } = await ownCluster(context);
    const follower = follow(context, cluster.kubeconfig(), codec);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
    cluster.signal('apiserver', 'SIGSTOP');
    const change = space.setPods('codec', ['10.244.1.2']);
    await wait(OUTAGE_MS);
    expect(follower.say(codec)).toMatch(/10\.244\.1\.1:8080$/);
    cluster.signal('apiserver', 'SIGCONT');
    const took = await timeUntil(follower, codec, 'ready 10.244.1.2:8080');
    await change;
    console.log(`API server frozen for ${OUTAGE_MS / 1000} s: a change is there ${took} ms after it goes on`);
    expect(took).toBeLessThan(BACK_WITHIN_MS);
  });

  test('frozen for longer than a watch may be silent: that is noticed, said and repaired', async (context) => {
    const { cluster, space, codec } = await ownCluster(context);
    const follower = follow(context, cluster.kubeconfig(), codec, { silence: 2000, answer: 2000 });
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
    cluster.signal('apiserver', 'SIGSTOP');
    const change = space.setPods('codec', ['10.244.1.2']);
    await follower.untilSays(codec, 'stale 10.244.1.1:8080');
    expect(follower.problems(codec).join()).toContain('no answer within 2 s');
    await wait(10_000);
    expect(follower.say(codec)).toBe('stale 10.244.1.1:8080');
    cluster.signal('apiserver', 'SIGCONT');
    expect(await timeUntil(follower, codec, 'ready 10.244.1.2:8080')).toBeLessThan(BACK_WITHIN_MS);
    await change;
  });

  test('restarted with an empty watch cache: a version too old to go on from (410) leads to a new list', async (context) => {
    const { cluster, space, codec } = await ownCluster(context);
    const proxy = await FaultProxy.start(cluster);
    context.onTestFinished(() => proxy.stop());
    const timing = { steady: 0, answer: 100_000 };
    const follower = follow(context, proxy.kubeconfig('proxy.kubeconfig'), codec, timing);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
    const lists = () => proxy.requests.filter((path) => path.includes('endpointslices?limit')).length;
    expect(lists()).toBe(1);
    proxy.fault = { kind: 'hold' };
    proxy.endWatches();
    await space.setPods('codec', ['10.244.1.2']);
    await cluster.end('apiserver');
    await cluster.startAgain('apiserver');
    await space.setPods('codec', ['10.244.1.3']);
    expect(follower.say(codec)).toBe('ready 10.244.1.1:8080');
    proxy.release();
    expect(await timeUntil(follower, codec, 'ready 10.244.1.3:8080')).toBeLessThan(BACK_WITHIN_MS);
    expect(lists()).toBe(2);
  });

  describe('seen through a proxy', () => {
    const viaProxy = async (context: TestContext, timing: Partial<WatchTiming> = {}, user?: object) => {
      const cluster = new TestCluster(inject('kubeCluster'));
      const space = await TestNamespace.make(cluster);
      await space.addBareService('codec', ['10.244.1.1']);
      const proxy = await FaultProxy.start(cluster);
      context.onTestFinished(() => proxy.stop());
      const codec = servicePort(space.name, 'codec', 80);
      const follower = follow(context, proxy.kubeconfig(`${space.name}.kubeconfig`, user), codec, timing);
      await follower.untilSays(codec, 'ready 10.244.1.1:8080');
      return { cluster, space, proxy, codec, follower };
    };

    test('answers 500 for a minute', async (context) => {
      const { space, proxy, codec, follower } = await viaProxy(context);
      proxy.fault = { kind: 'answer', status: 500, message: 'etcdserver: no leader' };
      proxy.breakWatches();
      await follower.untilSays(codec, 'stale 10.244.1.1:8080');
      expect(follower.problems(codec).join()).toContain('500 etcdserver: no leader');
      const before = proxy.requests.length;
      await wait(OUTAGE_MS);
      // Two collections, each asked for about every 2.25 s.
      expect(proxy.requests.length - before).toBeLessThan((OUTAGE_MS / 1500) * 2 + 5);
      expect(follower.say(codec)).toBe('stale 10.244.1.1:8080');
      await space.setPods('codec', ['10.244.1.2']);
      proxy.fault = { kind: 'none' };
      const took = await timeUntil(follower, codec, 'ready 10.244.1.2:8080');
      console.log(`API server answers 500 for ${OUTAGE_MS / 1000} s: a change is there ${took} ms after`);
      expect(took).toBeLessThan(BACK_WITHIN_MS);
    });

    test('hangs: connections stay open and nothing comes', async (context) => {
      const { space, proxy, codec, follower } = await viaProxy(context, { silence: 2000, answer: 1000 });
      proxy.fault = { kind: 'hang' };
      proxy.silenceWatches();
      await space.setPods('codec', ['10.244.1.2']);
      await follower.untilSays(codec, 'stale 10.244.1.1:8080');
      expect(follower.problems(codec).join()).toContain('no answer within 1 s');
      proxy.fault = { kind: 'none' };
      expect(await timeUntil(follower, codec, 'ready 10.244.1.2:8080')).toBeLessThan(BACK_WITHIN_MS);
    });

    test('a watch that ends or breaks is taken up again at once, and nobody is alarmed', async (context) => {
      const { space, proxy, codec, follower } = await viaProxy(context, { steady: 0 });
      let stale = 0;
      const watching = follower.until(codec, (state) => {
        if (state.kind === 'stale') stale++;
        return follower.say(codec) === 'ready 10.244.1.19:8080';
      });
      const lists = () => proxy.requests.filter((path) => !path.includes('watch=true')).length;
      const before = lists();
      for (let last = 10; last < 20; last++) {
        if (last % 2 === 0) proxy.endWatches();
        else proxy.breakWatches();
        await space.setPods('codec', [`10.244.1.${last}`]);
        await follower.untilSays(codec, `ready 10.244.1.${last}:8080`);
      }
      await watching;
      expect(stale).toBe(0);
      expect(lists()).toBe(before);
    });

    test('everything is listed anew from time to time, so that a watch that tells nothing does no harm for ever', async (context) => {
      const { space, proxy, codec, follower } = await viaProxy(context, { relist: 3000, steady: 0 });
      const lists = () => proxy.requests.filter((path) => path.includes('endpointslices?limit')).length;
      await expect.poll(lists, { timeout: 20_000 }).toBeGreaterThan(2);
      await space.setPods('codec', ['10.244.1.2']);
      await follower.untilSays(codec, 'ready 10.244.1.2:8080');
      expect(follower.log.filter((line) => line.startsWith('warn'))).toEqual([]);
    });

    test('a token that is replaced is read again', async (context) => {
      const cluster = new TestCluster(inject('kubeCluster'));
      const tokenFile = cluster.write('rotated-token', 'admin-token\n');
      const { space, proxy, codec, follower } = await viaProxy(context, { steady: 0 }, { tokenFile });
      cluster.write('rotated-token', 'controllers-token\n');
      proxy.refused.add('admin-token');
      proxy.breakWatches();
      await space.setPods('codec', ['10.244.1.2']);
      await follower.untilSays(codec, 'ready 10.244.1.2:8080');
      expect(follower.log.filter((line) => line.startsWith('warn'))).toEqual([]);
      // No good token for a while.
      proxy.refused.add('controllers-token');
      proxy.breakWatches();
      await follower.untilSays(codec, 'stale 10.244.1.2:8080');
      expect(follower.problems(codec).join()).toContain('401');
      cluster.write('rotated-token', 'admin-token\n');
      proxy.refused.delete('admin-token');
      await follower.untilSays(codec, 'ready 10.244.1.2:8080');
    });
  });
});
