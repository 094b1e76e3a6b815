import { expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { fail, ok, type Result } from '../../../src/base/result.ts';
import type { ApiFailure, KubeApi, KubeWriter } from '../../../src/kubernetes/api.ts';
import { Lease } from '../../../src/kubernetes/lease.ts';

interface Stored {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions: number };
}

/** One Lease as an API server has it. */
class Server implements KubeApi, KubeWriter {
  stored: Stored | undefined;
  refuses: number | 'nothing' = 'nothing';
  asked = 0;

  async namespace(): Promise<Result<string, ApiFailure>> {
    return ok('edge');
  }

  async get(): Promise<Result<string, ApiFailure>> {
    this.asked++;
    if (this.refuses !== 'nothing') return this.#refusal(this.refuses);
    return this.stored === undefined ? this.#refusal(404) : ok(JSON.stringify(this.stored));
  }

  async watch(): Promise<Result<void, ApiFailure>> {
    throw new Error('a Lease is not watched');
  }

  async write(method: string, path: string, body: unknown): Promise<Result<string, ApiFailure>> {
    this.asked++;
    if (this.refuses !== 'nothing') return this.#refusal(this.refuses);
    const { metadata, spec } = body as Stored;
    const version = this.stored?.metadata.resourceVersion;
    expect(path).toBe(`/apis/coordination.k8s.io/v1/namespaces/edge/leases${method === 'POST' ? '' : '/one'}`);
    if (method === 'POST' ? version !== undefined : metadata.resourceVersion !== version) return this.#refusal(409);
    this.stored = { metadata: { resourceVersion: String(Number(version ?? 0) + 1) }, spec };
    return ok(JSON.stringify(this.stored));
  }

  #refusal(code: number): Result<never, ApiFailure> {
    return fail({ kind: 'status', code, message: `refused with ${code}` });
  }
}

/** One of several that want the Lease. */
function wanting(server: Server, clock: FakeClock, identity: string) {
  const lease = new Lease({ api: server, clock, random: () => 0.5, log: () => {}, name: 'one', identity });
  const stopping = new AbortController();
  const changes: boolean[] = [];
  const running = lease.run(stopping.signal, () => changes.push(lease.isHeld));
  return {
    lease,
    changes,
    async stop() {
      stopping.abort();
      await clock.advance(0);
      await running;
    },
  };
}

test('one has it, renews it, and gives it up; then the other has it at once', async () => {
  const [server, clock] = [new Server(), new FakeClock()];
  const a = wanting(server, clock, 'a');
  await clock.advance(0);
  const b = wanting(server, clock, 'b');
  await clock.advance(60_000);
  expect([a.lease.isHeld, b.lease.isHeld]).toEqual([true, false]);
  expect(server.stored?.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 });
  await a.stop();
  expect(server.stored?.spec.holderIdentity).toBe('');
  await clock.advance(4000);
  expect([a.lease.isHeld, b.lease.isHeld]).toEqual([false, true]);
  expect(server.stored?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  expect([a.changes, b.changes]).toEqual([[true], [true]]);
  await b.stop();
});

test('whoever does not renew it loses it after its duration, and knows before', async () => {
  const [server, clock] = [new Server(), new FakeClock()];
  server.stored = { metadata: { resourceVersion: '1' }, spec: { holderIdentity: 'gone', leaseTransitions: 4 } };
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
  server.refuses = 'nothing';
  await clock.advance(4000);
  expect(a.lease.isHeld).toBe(true);
  expect(a.changes).toEqual([true, true]);
  await a.stop();
});

test('of two that are as fast one has it', async () => {
  const [server, clock] = [new Server(), new FakeClock()];
  const all = ['a', 'b', 'c'].map((identity) => wanting(server, clock, identity));
  await clock.advance(30_000);
  expect(all.filter(({ lease }) => lease.isHeld)).toHaveLength(1);
  for (const one of all) await one.stop();
});

test('without the right to it everybody counts as its holder, until there is one', async () => {
  const [server, clock] = [new Server(), new FakeClock()];
  server.refuses = 403;
  const a = wanting(server, clock, 'a');
  await clock.advance(0);
  expect(a.lease.isHeld).toBe(true);
  server.refuses = 'nothing';
  await clock.advance(8000);
  expect(server.stored?.spec.holderIdentity).toBe('a');
  expect(a.lease.isHeld).toBe(true);
  await a.stop();
});
