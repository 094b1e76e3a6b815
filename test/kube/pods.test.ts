import { afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { Locator } from '../../src/model/locator.ts';
import { TestCluster } from './kit/cluster.ts';
import { Follower } from './kit/follower.ts';
import { podPort, servicePort } from './kit/locators.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

describe.skipIf(WHY_NOT !== undefined)(named('pods at a real API server'), () => {
  let cluster: TestCluster;
  let space: TestNamespace;
  let followers: Follower[] = [];
  const follow = (...locators: readonly Locator[]) => {
    const follower = new Follower(cluster.kubeconfig(), locators);
    followers.push(follower);
    return follower;
  };
  beforeAll(() => {
    cluster = new TestCluster(inject('kubeCluster'));
  });
  beforeEach(async () => {
    space = await TestNamespace.make(cluster);
  });
  afterEach(async () => {
    await Promise.all(followers.map((follower) => follower.stop()));
    followers = [];
  });

  test('come, stop being ready, terminate and go', async () => {
    const codec = servicePort(space.name, 'codec', 80);
    await space.addService('codec', [{ port: 80, targetPort: 8080 }]);
    const follower = follow(codec);
    await follower.untilSays(codec, 'ready');
    expect(follower.problems(codec)).toEqual([`kubernetes ${space.name}/codec: warning: the Service has no pods`]);

    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'], ready: false });
    await follower.until(codec, ({ problems }) => problems.some(({ message }) => message.includes('1 not ready')));
    await space.setReady('one', true);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
    expect(follower.problems(codec)).toEqual([]);
    await space.addPod('two', { app: 'codec', ips: ['10.244.1.2'] });
    await follower.untilSays(codec, 'ready 10.244.1.1:8080 10.244.1.2:8080');
    await space.setReady('one', false);
    await follower.untilSays(codec, 'ready 10.244.1.2:8080');
    await space.setReady('one', true);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080 10.244.1.2:8080');

    await space.removePod('one', 'graceful');
    await follower.untilSays(codec, 'ready (10.244.1.1:8080) 10.244.1.2:8080');
    await space.setReady('one', false);
    await space.removePod('one', 'at once');
    await follower.untilSays(codec, 'ready 10.244.1.2:8080');
    await space.removePod('two', 'at once');
    await follower.untilSays(codec, 'ready');
  });

  test('a terminating pod drains even where the Service publishes pods that are not ready', async () => {
    const codec = servicePort(space.name, 'codec', 80);
    await space.addService('codec', [{ port: 80 }], { publishNotReadyAddresses: true, clusterIP: 'None' });
    const follower = follow(codec);
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'], ready: false });
    await follower.untilSays(codec, 'ready 10.244.1.1:80');
    await space.removePod('one', 'graceful');
    await follower.untilSays(codec, 'ready (10.244.1.1:80)');
  });

  test("a Service's port is found by number and by name, and led to where each pod listens", async () => {
    const ports = [
      { name: 'http', port: 80, targetPort: 'web' },
      { name: 'metrics', port: 9090, targetPort: 9090 },
      { name: 'dns', port: 53, targetPort: 53, protocol: 'UDP' as const },
    ];
    await space.addService('codec', ports);
    await space.addPod('old', { app: 'codec', ips: ['10.244.1.1'], ports: { web: 8080 } });
    await space.addPod('new', { app: 'codec', ips: ['10.244.1.2'], ports: { web: 8081 } });
    const byNumber = servicePort(space.name, 'codec', 80);
    const byName = servicePort(space.name, 'codec', 'http');
    const udp = servicePort(space.name, 'codec', 53);
    const metrics = servicePort(space.name, 'codec', 'metrics');
    const follower = follow(byNumber, byName, metrics, udp);
    await follower.untilSays(byNumber, 'ready 10.244.1.1:8080 10.244.1.2:8081');
    await follower.untilSays(byName, 'ready 10.244.1.1:8080 10.244.1.2:8081');
    await follower.untilSays(metrics, 'ready 10.244.1.1:9090 10.244.1.2:9090');
    expect(follower.problems(udp)).toEqual([
      `kubernetes ${space.name}/codec: Service codec has no TCP port 53; write one of the ports there are: 80 (http), 9090 (metrics)`,
    ]);
  });

  test("the pods' own port is used, and where it is not what the Service leads to, that is said", async () => {
    await space.addService('codec', [{ name: 'web', port: 80, targetPort: 20109 }]);
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'] });
    const right = podPort(space.name, 'codec', 20109);
    const other = podPort(space.name, 'codec', 80);
    const follower = follow(right, other);
    await follower.untilSays(right, 'ready 10.244.1.1:20109');
    await follower.untilSays(other, 'ready 10.244.1.1:80');
    expect(follower.problems(right)).toEqual([]);
    expect(follower.problems(other)[0]).toContain("port 80 is not among the pods' ports");
    expect(follower.problems(other)[0]).toContain('20109 (web)');
  });

  test('a changed Service never costs a pod, and is followed', async () => {
    const codec = servicePort(space.name, 'codec', 80);
    await space.addService('codec', [{ name: 'http', port: 80, targetPort: 8080 }]);
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'] });
    const follower = follow(codec);
    await follower.untilSays(codec, 'ready 10.244.1.1:8080');
    let fewest = 1;
    const watching = follower.until(codec, (state) => {
      const count = state.kind === 'pending' ? 0 : state.value.length;
      fewest = Math.min(fewest, count);
      return follower.say(codec) === 'ready 10.244.1.1:8085';
    });
    const change = (ports: readonly object[]) =>
      cluster.ask('PATCH', space.path('services/codec'), { spec: { ports: [...ports, { $patch: 'replace' }] } });
    for (const targetPort of [8081, 8082, 8083, 8084, 8085]) {
      await change([{ name: `http-${targetPort}`, port: 80, targetPort }]);
    }
    await watching;
    expect(fewest).toBe(1);
    await change([{ name: 'web', port: 81, targetPort: 8085 }]);
    await follower.untilSays(codec, 'stale 10.244.1.1:8085');
    expect(follower.problems(codec)[0]).toContain('write one of the ports there are: 81 (web)');
    await change([{ name: 'web', port: 80, targetPort: 8085 }]);
    await follower.untilSays(codec, 'ready 10.244.1.1:8085');
  });

  test('a Service that is not there is named, and disturbs no other', async () => {
    await space.addService('codec', [{ port: 80 }]);
    await space.addService('asr', [{ port: 80 }]);
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'] });
    const [codec, codek] = [servicePort(space.name, 'codec', 80), servicePort(space.name, 'codek', 80)];
    const nowhere = servicePort('no-such-namespace', 'codec', 80);
    const follower = follow(codec, codek, nowhere);
    await follower.untilSays(codec, 'ready 10.244.1.1:80');
    await follower.untilSays(codek, 'ready');
    await follower.untilSays(nowhere, 'ready');
    expect(follower.problems(codec)).toEqual([]);
    expect(follower.problems(codek)).toEqual([
      `kubernetes ${space.name}/codek: there is no Service codek in namespace ${space.name}; the Services there are: asr, codec`,
    ]);
    expect(follower.problems(nowhere)[0]).toContain('check the namespace');

    await space.addService('codek', [{ port: 80, targetPort: 81 }]);
    await space.addPod('two', { app: 'codek', ips: ['10.244.1.2'] });
    await follower.untilSays(codek, 'ready 10.244.1.2:81');
    expect(follower.problems(codek)).toEqual([]);
    await space.removeService('codek');
    await follower.untilSays(codek, 'ready');
    expect(follower.problems(codek)[0]).toContain('there is no Service codek');
    expect(follower.say(codec)).toBe('ready 10.244.1.1:80');
  });

  test('an ExternalName is no place for pods', async () => {
    await space.addService('far', [], { type: 'ExternalName', externalName: 'far.example', selector: null });
    const far = servicePort(space.name, 'far', 80);
    const follower = follow(far);
    await follower.untilSays(far, 'ready');
    expect(follower.problems(far)[0]).toContain('write dns: {host: far.example, port: …} instead');
  });

  test('all slices of a Service are one: sorted, each address once, both families', async () => {
    await space.addService('codec', [{ name: 'http', port: 80 }], { selector: null });
    const ports = [{ name: 'http', port: 8080, protocol: 'TCP' }];
    const codec = servicePort(space.name, 'codec', 80);
    const follower = follow(codec);
    await space.addSlice('codec', 'codec-b', {
      addressType: 'IPv4',
      ports,
      endpoints: [{ addresses: ['10.244.2.9'] }, { addresses: ['10.244.2.1'] }],
    });
    await space.addSlice('codec', 'codec-a', {
      addressType: 'IPv4',
      ports,
      endpoints: [{ addresses: ['10.244.2.5'] }, { addresses: ['10.244.2.9'], conditions: { terminating: true } }],
    });
    await space.addSlice('codec', 'codec-six', {
      addressType: 'IPv6',
      ports,
      endpoints: [{ addresses: ['fd00:10:244::5'] }],
    });
    await follower.untilSays(codec, 'ready 10.244.2.1:8080 10.244.2.5:8080 10.244.2.9:8080 [fd00:10:244::5]:8080');
  });

  test('a pod with an IPv4 and an IPv6 address counts once', async () => {
    await space.addService('codec', [{ name: 'http', port: 80 }], { selector: null });
    const ports = [{ name: 'http', port: 8080, protocol: 'TCP' }];
    const targetRef = (uid: string) => ({ kind: 'Pod', name: uid, namespace: space.name, uid });
    await space.addSlice('codec', 'codec-six', {
      addressType: 'IPv6',
      ports,
      endpoints: [
        { addresses: ['fd00:10:244::5'], targetRef: targetRef('both') },
        { addresses: ['fd00:10:244::6'], targetRef: targetRef('six') },
      ],
    });
    await space.addSlice('codec', 'codec-four', {
      addressType: 'IPv4',
      ports,
      endpoints: [{ addresses: ['10.244.2.5'], targetRef: targetRef('both') }],
    });
    const codec = servicePort(space.name, 'codec', 80);
    const follower = follow(codec);
    await follower.untilSays(codec, 'ready 10.244.2.5:8080 [fd00:10:244::6]:8080');
  });

  test('pods of a dual-stack Service: by the first family only, whatever happens to them', async () => {
    const [four, six] = ['four', 'six'];
    await space.addService(four, [{ port: 80 }], { ipFamilyPolicy: 'RequireDualStack' });
    await space.addService(six, [{ port: 80 }], { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] });
    const [byFour, bySix] = [servicePort(space.name, four, 80), podPort(space.name, six, 80)];
    const follower = follow(byFour, bySix);
    const seen = new Set<string>();
    const watching = follower.until(bySix, () => {
      for (const locator of [byFour, bySix]) {
        const state = follower.source.pods(locator);
        if (state.kind !== 'pending')
          for (const { ip } of state.value) seen.add(`${locator === bySix ? six : four} ${ip}`);
      }
      return follower.say(bySix) === 'ready [fd00:10:244::99]:80';
    });
    const others = ['10.244.1.1', 'fd00:10:244::1'];
    for (let round = 0; round < 10; round++) {
      await space.addPod(`four-${round}`, { app: four, ips: others });
      await space.addPod(`six-${round}`, { app: six, ips: others });
      await follower.untilSays(byFour, 'ready 10.244.1.1:80');
      await follower.untilSays(bySix, 'ready [fd00:10:244::1]:80');
      await space.setReady(`four-${round}`, false);
      await space.removePod(`four-${round}`, 'at once');
      await space.removePod(`six-${round}`, 'at once');
      await follower.untilSays(byFour, 'ready');
      await follower.untilSays(bySix, 'ready');
    }
    await space.addPod('last', { app: six, ips: ['10.244.1.99', 'fd00:10:244::99'] });
    await watching;
    expect(seen).toEqual(new Set(['four 10.244.1.1', 'six fd00:10:244::1', 'six fd00:10:244::99']));
  });

  test('locators come and go while it runs, and a namespace that nobody names is left alone', async () => {
    const other = await TestNamespace.make(cluster);
    for (const it of [space, other]) {
      await it.addService('codec', [{ port: 80 }]);
      await it.addPod('one', { app: 'codec', ips: ['10.244.1.1'] });
    }
    const [here, there] = [servicePort(space.name, 'codec', 80), servicePort(other.name, 'codec', 80)];
    const follower = follow(here);
    await follower.untilSays(here, 'ready 10.244.1.1:80');
    expect(follower.say(there)).toBe('pending');
    follower.source.want([here, there]);
    await follower.untilSays(there, 'ready 10.244.1.1:80');
    expect(follower.say(here)).toBe('ready 10.244.1.1:80');
    const second = podPort(space.name, 'codec', 8080);
    follower.source.want([here, second]);
    // Its namespace is followed already, so it is known at once.
    expect(follower.say(second)).toBe('ready 10.244.1.1:8080');
    expect(follower.say(there)).toBe('pending');
    const changes = follower.changes;
    await other.addPod('two', { app: 'codec', ips: ['10.244.1.2'] });
    await space.addPod('two', { app: 'codec', ips: ['10.244.1.2'] });
    await follower.untilSays(here, 'ready 10.244.1.1:80 10.244.1.2:80');
    expect(follower.changes).toBeGreaterThan(changes);
    follower.source.want([]);
    expect(follower.say(here)).toBe('pending');
  });

  test('says that something changed only when something did', async () => {
    const codec = servicePort(space.name, 'codec', 80);
    await space.addService('codec', [{ port: 80 }]);
    await space.addPod('one', { app: 'codec', ips: ['10.244.1.1'] });
    const follower = follow(codec);
    await follower.untilSays(codec, 'ready 10.244.1.1:80');
    const changes = follower.changes;
    const value = follower.source.pods(codec);
    await space.addService('other', [{ port: 80 }]);
    await space.addPod('two', { app: 'other', ips: ['10.244.1.2'] });
    await cluster.ask('PATCH', space.path('services/codec'), { metadata: { annotations: { note: 'hello' } } });
    // A slice says anew when its pods changed last, and nothing else.
    await cluster.ask('PATCH', space.path('pods/one'), { metadata: { labels: { app: 'codec', more: 'x' } } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(follower.changes).toBe(changes);
    expect(follower.source.pods(codec)).toBe(value);
  });
});
