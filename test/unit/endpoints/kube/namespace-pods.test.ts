import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../../src/base/clock.ts';
import type { KubeLocator } from '../../../../src/endpoints/kube/find-pods.ts';
import { NamespacePods } from '../../../../src/endpoints/kube/namespace-pods.ts';
import { WATCH_TIMING } from '../../../../src/kubernetes/watch-timing.ts';
import { formatAddress } from '../../../../src/model/locator.ts';
import { type AskedList, type AskedWatch, FakeApi, object } from '../../kubernetes/fake-api.ts';

const FORBIDDEN = { kind: 'status', code: 403, message: 'User "app" cannot' } as const;
const START = 1_700_000_000_000;
const codec: KubeLocator = {
  kind: 'kubernetes',
  namespace: 'ai',
  service: 'codec',
  port: { kind: 'service', port: 80 },
};
const byPod: KubeLocator = { ...codec, port: { kind: 'pod', port: 8080 } };
const asr: KubeLocator = { ...codec, service: 'asr' };

const service = (name: string, version: string, port = 80, families: readonly string[] = ['IPv4']) =>
  object(name, version, { spec: { ports: [{ name: `p${port}`, port }], ipFamilies: families } });
const slice = (name: string, version: string, ips: readonly string[], port = 80) => ({
  metadata: { name: `${name}-x`, resourceVersion: version, labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [{ name: `p${port}`, port: 8080 }],
  endpoints: ips.map((ip) => ({ addresses: [ip] })),
});

describe('NamespacePods', () => {
  let clock: FakeClock;
  let api: FakeApi;
  let pods: NamespacePods;
  let changes: number;
  let log: string[];
  let stop: AbortController;
  let done: Promise<void>;
  const settle = () => clock.advance(0);
  const newest = <T extends AskedList | AskedWatch>(asked: readonly T[], resource: string): T => {
    const found = asked.filter(({ path }) => path.includes(`/namespaces/ai/${resource}?`)).at(-1);
    if (found === undefined) throw new Error(`${resource} was not asked for`);
    return found;
  };
  const list = (resource: string) => newest(api.lists, resource);
  const watch = (resource: string) => newest(api.watches, resource);
  const say = (locator: KubeLocator) => {
    const state = pods.pods(locator);
    if (state === undefined) return 'not wanted';
    return state.kind === 'pending' ? 'pending' : [state.kind, ...state.value.map(formatAddress)].join(' ');
  };
  const messages = (locator: KubeLocator) => pods.pods(locator)?.problems.map(({ message }) => message);
  beforeEach(async () => {
    clock = new FakeClock(START);
    api = new FakeApi();
    changes = 0;
    log = [];
    stop = new AbortController();
    pods = new NamespacePods('ai', {
      api,
      clock,
      random: () => 0.5,
      timing: WATCH_TIMING,
      log: (level, message, fields) => log.push(`${level} ${message} ${JSON.stringify(fields)}`),
      changed: () => changes++,
    });
    pods.want([codec, byPod, asr]);
    done = pods.run(stop.signal);
    await settle();
  });
  afterEach(async () => {
    stop.abort();
    await done;
  });
  const begin = async () => {
    list('services').answer('5', [service('codec', '3'), service('asr', '4')]);
    list('endpointslices').answer('6', [
      slice('codec', '1', ['10.0.0.2', '10.0.0.1']),
      slice('asr', '2', ['10.0.1.1']),
    ]);
    await settle();
    watch('services').open();
    watch('endpointslices').open();
    changes = 0;
  };

  test('two collections of one namespace are all that is asked for', async () => {
    expect(api.lists.map(({ path }) => path)).toEqual([
      '/api/v1/namespaces/ai/services?limit=250',
      '/apis/discovery.k8s.io/v1/namespaces/ai/endpointslices?limit=250&labelSelector=kubernetes.io%2Fservice-name',
    ]);
  });

  test('pending until both lists are there, whichever comes first', async () => {
    list('endpointslices').answer('6', [slice('codec', '1', ['10.0.0.1'])]);
    await settle();
    expect([say(codec), say(byPod)]).toEqual(['pending', 'pending']);
    expect(changes).toBe(0);
    list('services').answer('5', [service('codec', '3')]);
    await settle();
    expect([say(codec), say(byPod)]).toEqual(['ready 10.0.0.1:8080', 'ready 10.0.0.1:8080']);
    expect(messages(asr)).toEqual(['there is no Service asr in namespace ai']);
    expect(changes).toBe(1);
  });

  test('an event changes its own Service and nothing else, in the turn in which it comes', async () => {
    await begin();
    expect(say(codec)).toBe('ready 10.0.0.1:8080 10.0.0.2:8080');
    const other = pods.pods(asr);
    watch('endpointslices').send('MODIFIED', slice('codec', '7', ['10.0.0.1']));
    expect(say(codec)).toBe('ready 10.0.0.1:8080');
    expect(pods.pods(asr)).toBe(other);
    expect(changes).toBe(1);
  });

  test('what nobody wants, and what changes nothing, is nobody told', async () => {
    await begin();
    const before = pods.pods(codec);
    watch('endpointslices').send('MODIFIED', slice('codec', '7', ['10.0.0.2', '10.0.0.1']));
    watch('endpointslices').send('ADDED', slice('other', '8', ['10.0.9.1']));
    watch('services').send('MODIFIED', service('codec', '9'));
    watch('services').send('ADDED', service('other', '10'));
    expect(pods.pods(codec)).toBe(before);
    expect(changes).toBe(0);
  });

  test('a changed port name keeps the pods while Service and slices disagree, and says so', async () => {
    await begin();
    await clock.advance(1000);
    watch('services').send('MODIFIED', object('codec', '7', { spec: { ports: [{ name: 'new', port: 80 }] } }));
    expect(pods.pods(codec)).toMatchObject({ kind: 'stale', since: START + 1000 });
    expect(say(codec)).toBe('stale 10.0.0.1:8080 10.0.0.2:8080');
    expect(messages(codec)).toEqual(['no pod of Service codec serves its port 80']);
    const after = { ...slice('codec', '8', ['10.0.0.1']), ports: [{ name: 'new', port: 9000 }] };
    watch('endpointslices').send('MODIFIED', after);
    expect(say(codec)).toBe('ready 10.0.0.1:9000');
    expect(messages(codec)).toEqual([]);
  });

  test('a failure: stale since the server was last heard, the pods stay, told once at level warn', async () => {
    await begin();
    await clock.advance(30_000);
    watch('endpointslices').end();
    await settle();
    watch('endpointslices').end({ kind: 'unreachable', message: 'ECONNREFUSED' });
    await settle();
    const state = pods.pods(codec);
    expect(state).toMatchObject({ kind: 'stale', since: START + 30_000 });
    expect(messages(codec)).toEqual(['cannot watch endpointslices: ECONNREFUSED']);
    expect(say(asr)).toBe('stale 10.0.1.1:8080');
    expect(changes).toBe(1);
    await clock.advance(150);
    list('endpointslices').fail({ kind: 'unreachable', message: 'ECONNREFUSED' });
    await clock.advance(300);
    list('endpointslices').fail({ kind: 'unreachable', message: 'ECONNREFUSED' });
    await settle();
    expect(changes).toBe(2);
    expect(messages(codec)).toEqual(['cannot list endpointslices: ECONNREFUSED']);
    expect(log.filter((line) => line.startsWith('warn'))).toHaveLength(2);

    await clock.advance(600);
    list('endpointslices').answer('50', [slice('codec', '40', ['10.0.0.7'])]);
    await settle();
    expect(say(codec)).toBe('stale 10.0.0.7:8080');
    watch('endpointslices').open();
    expect(say(codec)).toBe('ready 10.0.0.7:8080');
    expect(say(asr)).toBe('ready');
    expect(log.at(-1)).toBe(
      'info the API server answers again {"namespace":"ai","resource":"endpointslices","staleMs":1050}',
    );
  });

  test("Services that may not be read: the pods' own port works, with a warning", async () => {
    list('endpointslices').answer('6', [slice('codec', '1', ['10.0.0.1'])]);
    list('services').fail(FORBIDDEN);
    await settle();
    expect(say(byPod)).toBe('ready 10.0.0.1:8080');
    expect(pods.pods(byPod)?.problems.map(({ severity }) => severity)).toEqual(['warning']);
    expect(say(codec)).toBe('pending');
    expect(pods.pods(codec)?.problems.map(({ severity }) => severity)).toEqual(['error']);
    await clock.advance(150);
    list('services').answer('5', [service('codec', '3')]);
    await settle();
    watch('services').open();
    expect([say(byPod), say(codec)]).toEqual(['ready 10.0.0.1:8080', 'ready 10.0.0.1:8080']);
    expect(messages(byPod)).toEqual([]);
  });

  test('slices that may not be read: pending, and why', async () => {
    list('services').answer('5', [service('codec', '3')]);
    list('endpointslices').fail(FORBIDDEN);
    await settle();
    expect([say(codec), say(byPod)]).toEqual(['pending', 'pending']);
    expect(messages(codec)?.[0]).toContain(
      'not allowed to list endpointslices.discovery.k8s.io in namespace ai as "app"',
    );
  });

  test('Pods are watched, by their metadata, while somebody asks for their limits', async () => {
    await begin();
    const own: KubeLocator = { ...codec, podLimits: true };
    const withUid = (version: string, uids: readonly string[]) => ({
      ...slice('codec', version, []),
      endpoints: uids.map((uid, at) => ({ addresses: [`10.0.0.${at + 1}`], targetRef: { uid } })),
    });
    const pod = (name: string, uid: string, version: string, limit?: string) => ({
      metadata: {
        name,
        uid,
        resourceVersion: version,
        ...(limit === undefined ? {} : { annotations: { 'sluice.dev/limit': limit } }),
      },
    });
    const limits = () => {
      const state = pods.pods(own);
      return state === undefined || state.kind === 'pending' ? [] : state.value.map(({ limit }) => limit);
    };
    watch('endpointslices').send('MODIFIED', withUid('7', ['a', 'b']));
    pods.want([codec, own]);
    await settle();
    expect(list('pods')).toMatchObject({ path: '/api/v1/namespaces/ai/pods?limit=250', part: 'metadata' });
    expect([say(codec), say(own)]).toEqual(['ready 10.0.0.1:8080 10.0.0.2:8080', 'pending']);
    list('pods').answer('8', [pod('one', 'a', '3', '4')]);
    await settle();
    watch('pods').open();
    expect(watch('pods').part).toBe('metadata');
    // The slice has told of a Pod that the other watch has not told of yet.
    expect([say(own), limits()]).toEqual(['ready 10.0.0.1:8080', [4]]);
    changes = 0;
    watch('pods').send('ADDED', pod('two', 'b', '9'));
    expect(limits()).toEqual([4, undefined]);
    watch('pods').send('MODIFIED', pod('two', 'b', '10'));
    watch('pods').send('ADDED', pod('other', 'c', '11', '9'));
    expect(changes).toBe(1);
    watch('pods').send('MODIFIED', pod('two', 'b', '12', '2'));
    expect(limits()).toEqual([4, 2]);
    // Made anew under its name: the slice still tells of the one before.
    watch('pods').send('ADDED', pod('one', 'd', '13', '1'));
    expect(limits()).toEqual([2]);
    watch('endpointslices').send('MODIFIED', withUid('14', ['d', 'b']));
    expect(limits()).toEqual([1, 2]);
    await clock.advance(30_000);
    watch('pods').end();
    await settle();
    watch('pods').end({ kind: 'unreachable', message: 'ECONNREFUSED' });
    await settle();
    expect([say(own).split(' ')[0], say(codec).split(' ')[0]]).toEqual(['stale', 'ready']);
    pods.want([codec]);
    const asked = () => api.lists.filter(({ path }) => path.includes('/pods?')).length;
    expect(asked()).toBe(1);
    await clock.advance(60_000);
    expect(asked()).toBe(1);
    pods.want([own]);
    await settle();
    expect([say(own), asked()]).toEqual(['pending', 2]);
  });

  test('wanted later: known at once; no longer wanted: forgotten; still wanted: the same', async () => {
    await begin();
    const before = pods.pods(codec);
    const late: KubeLocator = { ...asr, port: { kind: 'pod', port: 9 } };
    pods.want([codec, late, late]);
    expect(say(late)).toBe('ready 10.0.1.1:9');
    expect(say(byPod)).toBe('not wanted');
    expect(pods.pods(codec)).toBe(before);
    watch('endpointslices').send('DELETED', slice('asr', '9', []));
    expect(say(late)).toBe('ready');
    expect(changes).toBe(1);
  });
});
