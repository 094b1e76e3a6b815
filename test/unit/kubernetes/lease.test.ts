import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { Lease, type LeaseOptions } from '../../../src/kubernetes/lease.ts';
import { ObjectServer } from './object-server.ts';

const withoutRight = { isHeld: true, level: 'info', message: 'without it' } as const;
const never = new AbortController().signal;

/** One of several that want the Lease. */
function wanting(server: ObjectServer, clock: FakeClock, identity: string, more: Partial<LeaseOptions> = {}) {
  const logged: string[] = [];
  const lease = new Lease({
    api: server,
    clock,
    random: () => 0.5,
    log: (_, what) => logged.push(what),
    name: 'one',
    identity,
    withoutRight,
    ...more,
  });
  const stopping = new AbortController();
  const changes: boolean[] = [];
  const terms: (number | undefined)[] = [];
  const running = lease.run(stopping.signal, () => {
    if (lease.isHeld !== (changes.at(-1) ?? false)) changes.push(lease.isHeld);
    if (lease.term !== terms.at(-1)) terms.push(lease.term);
  });
  return {
    lease,
    changes,
    terms,
    logged,
    async stop() {
      stopping.abort();
      await clock.advance(0);
      await running;
    },
  };
}

function spec(server: ObjectServer) {
  return server.objects.get('leases/one')?.['spec'];
}

test('one has it, renews it, and gives it up; then the other has it at once', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = wanting(server, clock, 'a');
  await clock.advance(0);
  const b = wanting(server, clock, 'b');
  await clock.advance(60_000);
  expect([a.lease.isHeld, b.lease.isHeld]).toEqual([true, false]);
  expect(spec(server)).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 });
  await a.stop();
  expect(spec(server).holderIdentity).toBe('');
  await clock.advance(4000);
  expect([a.lease.isHeld, b.lease.isHeld]).toEqual([false, true]);
  expect(spec(server)).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  expect([a.changes, b.changes]).toEqual([[true], [true]]);
  await b.stop();
});

test('whoever does not renew it loses it after its duration, and knows before', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  server.put('leases/one', { spec: { holderIdentity: 'gone', leaseTransitions: 4 } });
  const a = wanting(server, clock, 'a');
  await clock.advance(14_000);
  expect(a.lease.isHeld).toBe(false);
  await clock.advance(5000);
  expect(a.lease.isHeld).toBe(true);
  server.refuses = 500;
  await clock.advance(5000);
  expect(a.lease.isHeld).toBe(true);
  await clock.advance(4000);
  expect(a.lease.isHeld).toBe(false);
  server.refuses = undefined;
  await clock.advance(4000);
  expect(a.lease.isHeld).toBe(true);
  expect(a.changes).toEqual([true, false, true]);
  await a.stop();
});

test('of two that are as fast one has it', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const all = ['a', 'b', 'c'].map((identity) => wanting(server, clock, identity));
  await clock.advance(30_000);
  expect(all.filter(({ lease }) => lease.isHeld)).toHaveLength(1);
  for (const one of all) await one.stop();
});

test('without the right to it everybody counts as its holder, until there is one; it is said once', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  server.refuses = 403;
  const a = wanting(server, clock, 'a');
  await clock.advance(20_000);
  expect(a.lease.isHeld).toBe(true);
  expect(a.logged).toEqual(['without it']);
  server.refuses = undefined;
  await clock.advance(8000);
  expect(spec(server).holderIdentity).toBe('a');
  expect(a.lease.isHeld).toBe(true);
  await a.stop();
});

test('terms only grow: over holders, a deleted Lease, and a clock that goes back', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = wanting(server, clock, 'a');
  await clock.advance(0);
  const first = a.lease.term ?? 0;
  server.objects.delete('leases/one');
  await clock.advance(5000);
  const second = a.lease.term ?? 0;
  expect(second).toBeGreaterThan(first);
  // Between the two it had none: what follows from a term ends before the next begins.
  expect(a.terms).toEqual([first, undefined, second]);
  await a.stop();
  const b = wanting(server, new FakeClock(0), 'b');
  await clock.advance(0);
  expect(b.lease.term).toBe(second + 1);
  await b.stop();
});

test('the holder and what it wrote are known to the others; while nobody can be asked everything stays as it was', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = wanting(server, clock, 'a', { annotations: { address: '10.0.0.1:1' } });
  await clock.advance(0);
  const b = wanting(server, clock, 'b');
  await clock.advance(0);
  const { term } = a.lease;
  expect(b.lease.holder).toMatchObject({ identity: 'a', term, annotations: { address: '10.0.0.1:1' } });
  server.refuses = 'nothing';
  await clock.advance(120_000);
  expect([a.lease.term, b.lease.holder?.identity]).toEqual([term, 'a']);
  server.refuses = undefined;
  // The first that asks again is the other one: nobody could renew it.
  await clock.advance(4000);
  expect([a.lease.term, b.lease.term]).toEqual([term, undefined]);
  await a.stop();
  await b.stop();
});

test('a proof is a write of its own; one that somebody else has overtaken is none', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  const a = wanting(server, clock, 'a');
  await clock.advance(0);
  const term = a.lease.term ?? 0;
  server.asked = [];
  expect(await a.lease.prove(term, never)).toBe(true);
  expect(server.asked).toEqual(['PUT leases/one']);
  // Somebody writes a note on it: it is still ours.
  server.put('leases/one', { ...server.objects.get('leases/one'), note: 'by hand' });
  expect(await a.lease.prove(term, never)).toBe(true);
  // Taken between the look and the write.
  const taken = { metadata: { annotations: { 'sluice.dev/term': String(term + 1) } }, spec: { holderIdentity: 'b' } };
  server.put('leases/one', { ...server.objects.get('leases/one'), note: 'again' });
  server.before = () => {
    server.before = () => {
      server.before = () => server.put('leases/one', taken);
    };
  };
  expect(await a.lease.prove(term, never)).toBe(false);
  expect(await a.lease.prove(term, never)).toBe(false);
  expect([a.lease.term, a.lease.holder]).toMatchObject([undefined, { identity: 'b', term: term + 1 }]);
  await a.stop();
  expect(spec(server).holderIdentity).toBe('b');
});

test('a write whose answer is lost counts once it has been read', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  server.losesAnswer = true;
  const a = wanting(server, clock, 'a');
  await clock.advance(0);
  expect(a.lease.term).toBeUndefined();
  await clock.advance(4000);
  expect(a.lease.term).toBeDefined();
  const { term } = a.lease;
  server.losesAnswer = true;
  await clock.advance(8000);
  expect([a.lease.term, a.terms]).toEqual([term, [term]]);
  await a.stop();
});

test('what an earlier start in the same place had, it need not wait for; what another has, it does', async () => {
  const [server, clock] = [new ObjectServer(), new FakeClock()];
  server.put('leases/one', { spec: { holderIdentity: 'pod-a_1', leaseTransitions: 4 } });
  const b = wanting(server, clock, 'pod-b_1', { earlier: 'pod-b_' });
  const a = wanting(server, clock, 'pod-a_2', { earlier: 'pod-a_' });
  await clock.advance(100);
  expect([a.lease.isHeld, b.lease.isHeld]).toEqual([true, false]);
  await a.stop();
  await b.stop();
});
