import { expect, onTestFinished, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { CoordinatorLease } from '../../../src/control-plane/coordinator-lease.ts';
import type { Coordination } from '../../../src/slots/coordination.ts';
import { keyOf } from '../../../src/slots/register.ts';
import { ObjectServer } from '../kubernetes/object-server.ts';

/** One of several Sluices, in the Pod of this name. */
function sluice(server: ObjectServer, clock: FakeClock, pod: string) {
  server.put(`pods/${pod}`, { metadata: { uid: `uid-${pod}` } });
  const told: Coordination[] = [];
  const died: (readonly string[])[] = [];
  let away: readonly string[] = [];
  const options = {
    lease: 'slots',
    address: `${pod}:18002`,
    pod,
    api: server,
    clock,
    random: () => 0.5,
    log: () => {},
  };
  const election = new CoordinatorLease(options);
  election.start({
    coordinate: (coordination) => told.push(coordination),
    died: (keys) => died.push(keys),
    state: () => ({
      members: election.register.members.map(({ node, epoch }) => ({
        node,
        epoch,
        awaySince: away.includes(node) ? 0 : undefined,
      })),
    }),
  });
  const stop = async () => {
    const stopped = election.stop();
    await clock.advance(0);
    await stopped;
  };
  onTestFinished(stop);
  return {
    register: election.register,
    died,
    stop,
    now: () => told.at(-1),
    setAway: (...nodes: readonly string[]) => {
      away = nodes;
    },
    /** `undefined`: done; else why not. */
    async add(epoch: string, via?: string, node = pod): Promise<string | undefined> {
      const added = election.register.add({ node, process: '1', epoch, via });
      return await Promise.resolve(added).then(
        () => undefined,
        (error: Error) => error.message,
      );
    },
  };
}

function annotations(server: ObjectServer, lease: string) {
  return server.objects.get(`leases/${lease}`)?.metadata.annotations ?? {};
}

test('one coordinates, the other follows its address; when it stops they change places', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = sluice(server, clock, 'a');
  expect(a.now()).toEqual({ kind: 'unknown' });
  await clock.advance(0);
  const b = sluice(server, clock, 'b');
  await clock.advance(0);
  const first = a.now();
  expect(first?.kind).toBe('coordinates');
  expect(b.now()).toEqual({ kind: 'follows', address: 'a:18002' });
  await a.stop();
  await clock.advance(2000);
  const second = b.now();
  if (first?.kind !== 'coordinates' || second?.kind !== 'coordinates') throw new Error('one of them never coordinated');
  expect(second.term).toBeGreaterThan(first.term);
  // The one before has no proof any more.
  expect(await first.prove().catch(() => 'not known')).toBe(false);
  expect(await second.prove()).toBe(true);
  server.refuses = 'nothing';
  await expect(second.prove()).rejects.toThrow('has not taken');
});

test('a filter is in the Lease of its Envoy, which goes with its Pod, before it counts; then the term is read', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = sluice(server, clock, 'a');
  await clock.advance(0);
  server.asked = [];
  expect(await Promise.all([a.add('1'), a.add('2')])).toEqual([undefined, undefined]);
  expect(server.asked).toEqual(['GET leases/slots.a', 'GET pods/a', 'POST leases/slots.a', 'GET leases/slots']);
  expect(server.objects.get('leases/slots.a')?.metadata).toMatchObject({
    labels: { 'sluice.dev/coordinator': 'slots' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'uid-a' }],
  });
  expect(JSON.parse(annotations(server, 'slots.a')['sluice.dev/members'] ?? '')).toEqual([
    { epoch: '1', process: '1' },
    { epoch: '2', process: '1' },
  ]);
  server.asked = [];
  expect(a.register.add({ node: 'a', process: '1', epoch: '1', via: undefined })).toBeUndefined();
  expect(server.asked).toEqual([]);
  // Where the term cannot be read it does not count, though it is written.
  server.before = () => {
    server.before = () => {
      server.before = (method) => {
        expect(method).toBe('PUT');
        server.before = () => {
          server.refuses = 'nothing';
        };
      };
    };
  };
  expect(await a.add('3')).toContain('could not be read');
  expect(a.register.has('a/3')).toBe(false);
  server.refuses = undefined;
  expect(await a.add('3')).toBeUndefined();
});

test('somebody else writes the same Lease between look and write: nothing of it is lost', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const [a, b] = [sluice(server, clock, 'a'), sluice(server, clock, 'b')];
  await clock.advance(0);
  await a.add('1');
  await b.register.read();
  // `a` is about to add one to its Lease, when `b` writes that another one is dead.
  let buried: unknown;
  server.before = () => {
    server.before = () => {
      buried = b.register.bury(['a/1']);
    };
  };
  expect(await a.add('2')).toBeUndefined();
  await buried;
  const now = annotations(server, 'slots.a');
  expect(JSON.parse(now['sluice.dev/members'] ?? '')).toEqual([{ epoch: '2', process: '1' }]);
  expect(JSON.parse(now['sluice.dev/dead'] ?? '')).toEqual(['1']);
});

test('the coordinator takes a filter that its Sluice has registered, and no other; a dead one is refused for ever', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const [a, b] = [sluice(server, clock, 'a'), sluice(server, clock, 'b')];
  await clock.advance(0);
  expect(await a.add('1', 'b', 'b')).toContain('has not registered');
  await b.add('1');
  expect(await a.add('1', 'b', 'b')).toBeUndefined();
  await a.register.bury(['b/1']);
  expect([a.register.has('b/1'), a.register.isDead('b/1')]).toEqual([false, true]);
  const c = sluice(server, clock, 'c');
  await c.register.read();
  expect([c.register.members.map(keyOf), c.register.dead]).toEqual([[], ['b/1']]);
  expect(await c.add('1', 'b', 'b')).toContain('has not registered');
  expect(c.register.isDead('b/1')).toBe(true);
  // Its own Sluice, started anew, does not bring it back.
  const again = sluice(server, clock, 'b');
  expect(await again.add('1')).toContain('has ended');
  expect(again.register.isDead('b/1')).toBe(true);
});

test('an Envoy has ended when its Pod is gone, or over; not when nobody can be asked', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const [a, b] = [sluice(server, clock, 'a'), sluice(server, clock, 'b')];
  await clock.advance(0);
  await b.add('1');
  await a.register.read();
  a.setAway('b');
  await clock.advance(10_000);
  expect(a.died).toEqual([]);
  server.refuses = 'nothing';
  server.objects.delete('pods/b');
  await clock.advance(10_000);
  expect(a.died).toEqual([]);
  server.refuses = undefined;
  await clock.advance(1000);
  expect(a.died).toEqual([['b/1']]);
  expect(server.objects.has('leases/slots.b')).toBe(false);
  expect(await b.add('2')).toContain('has ended');
});

test.each([
  ['Failed', { terminated: {} }, true],
  ['Failed', { running: {} }, false],
  ['Running', { terminated: {} }, false],
])('a Pod that is %s, with %j, has ended: %s', async (phase, state, isOver) => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const [a, b] = [sluice(server, clock, 'a'), sluice(server, clock, 'b')];
  await clock.advance(0);
  await b.add('1');
  await a.register.read();
  server.put('pods/b', { metadata: { uid: 'uid-b' }, status: { phase, containerStatuses: [{ state }] } });
  a.setAway('b');
  await clock.advance(1000);
  expect(a.died).toEqual(isOver ? [['b/1']] : []);
  // Its Pod is still there, and with it the Lease that says so.
  expect(server.objects.has('leases/slots.b')).toBe(true);
});

test('another Pod of the same name is another Envoy', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const [a, b] = [sluice(server, clock, 'a'), sluice(server, clock, 'b')];
  await clock.advance(0);
  await b.add('1');
  await a.register.read();
  server.put('pods/b', { metadata: { uid: 'uid-new' } });
  expect(await b.add('2')).toBeUndefined();
  expect(server.objects.get('leases/slots.b')?.metadata.ownerReferences).toMatchObject([{ uid: 'uid-new' }]);
  a.setAway('b');
  await clock.advance(1000);
  expect(a.died).toEqual([['b/1']]);
  await a.register.read();
  expect(a.register.members.map(keyOf)).toEqual(['b/2']);
});

test('a Lease that somebody deletes is written again, without those that are dead', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const [a, b] = [sluice(server, clock, 'a'), sluice(server, clock, 'b')];
  await clock.advance(0);
  await b.add('1');
  await b.add('2');
  await a.register.read();
  await a.register.bury(['b/1']);
  await clock.advance(10_000);
  expect([b.register.isDead('b/1'), b.register.has('b/2')]).toEqual([true, true]);
  server.objects.delete('leases/slots.b');
  server.refuses = 'nothing';
  await clock.advance(30_000);
  server.refuses = undefined;
  await clock.advance(10_000);
  expect(JSON.parse(annotations(server, 'slots.b')['sluice.dev/members'] ?? '')).toEqual([
    { epoch: '2', process: '1' },
  ]);
});

test('who comes while all are read is not forgotten', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = sluice(server, clock, 'a');
  await clock.advance(0);
  await a.add('1');
  // What was read is from before, and comes later.
  const list = server.get.bind(server);
  server.get = async (path) => {
    const answer = await list(path);
    if (path.includes('labelSelector')) await a.add('2');
    return answer;
  };
  await a.register.read();
  expect(a.register.members.map(keyOf).sort()).toEqual(['a/1', 'a/2']);
});

test('an Envoy that is in no Pod of its own is counted all the same', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = sluice(server, clock, 'a');
  await clock.advance(0);
  expect(await a.add('1', undefined, 'Edge/Berlin 1')).toBeUndefined();
  const [, lease] = [...server.objects].find(([what]) => what.startsWith('leases/slots.')) ?? [];
  expect(lease?.metadata.annotations).toMatchObject({ 'sluice.dev/node': 'Edge/Berlin 1' });
  expect(lease?.metadata.ownerReferences).toBeUndefined();
  a.setAway('Edge/Berlin 1');
  await clock.advance(5000);
  expect(a.died).toEqual([]);
});

test('Leases that cannot be read say nothing: slots are not given out by what is left', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = sluice(server, clock, 'a');
  await clock.advance(0);
  await a.add('1');
  server.put('leases/slots.x', { metadata: { labels: { 'sluice.dev/coordinator': 'slots' } } });
  await expect(a.register.read()).rejects.toThrow('slots.x');
});
