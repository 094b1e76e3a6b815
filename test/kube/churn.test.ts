import { beforeAll, describe, expect, inject, test } from 'vitest';
import { instant, pause, until } from '../e2e/kit/instant.ts';
import { keepBusy } from '../e2e/kit/keep-busy.ts';
import type { LoadResult } from '../e2e/kit/load.ts';
import type { PodRequest } from '../e2e/kit/pods.ts';
import type { Sluice } from '../e2e/kit/sluice.ts';
import { spread } from '../e2e/kit/spread.ts';
import { outcomeOf } from '../e2e/kit/summary.ts';
import { overLimit } from '../e2e/kit/verdict.ts';
import { TestCluster } from './kit/cluster.ts';
import { serveCodec } from './kit/codec.ts';
import { Deployment, type Moments } from './kit/deployment.ts';
import { TestNamespace } from './kit/namespace.ts';
import { named, WHY_NOT } from './kit/skip.ts';

/** Once the EndpointSlices no longer have a pod as ready, it may get requests for so long: Sluice and Envoy need to know. */
const STILL_SENT_MS = 500;

/** While somebody waits a new pod must have its first request within this time, on a busy machine. */
const FIRST_REQUEST_MS = 2000;

/** How long a job takes during a rollout: longer than that. */
const JOB_MS = 6000;

/** What the pods of one run saw, and what must be true of it. */
class Seen {
  readonly requests: readonly PodRequest[];
  readonly #byPod: ReadonlyMap<string, readonly PodRequest[]>;

  constructor(requests: readonly PodRequest[]) {
    this.requests = requests;
    this.#byPod = Map.groupBy(requests, ({ pod }) => pod);
  }

  /** From being ready to the first request, for each of these pods; Infinity where none came. */
  firstAfter(readyAt: Moments, pods: readonly string[]): readonly number[] {
    return pods.map((pod) => {
      const first = Math.min(...(this.#byPod.get(pod) ?? []).map(({ arrived }) => arrived));
      return first - (readyAt.get(pod) ?? Number.NaN);
    });
  }

  /** Requests that were at work at a pod when its deletion began. */
  atDeletion(deletedAt: Moments): readonly PodRequest[] {
    return this.requests.filter(({ pod, arrived, ended = Number.POSITIVE_INFINITY }) => {
      const at = deletedAt.get(pod) ?? Number.NaN;
      return arrived < at && ended > at;
    });
  }

  /** Requests that were sent to a pod although it had been withdrawn a while before. */
  sentTooLate(withdrawnAt: Moments): readonly PodRequest[] {
    return this.requests.filter(({ pod, arrived }) => arrived > (withdrawnAt.get(pod) ?? Infinity) + STILL_SENT_MS);
  }
}

/** What must hold in every run, whatever comes and goes: every request answered well, once, and no pod over its limit. */
function expectKept(results: readonly LoadResult[], { requests }: Seen, limit: number): void {
  const odd = results.filter((result) => outcomeOf(result) !== '200');
  expect(odd.slice(0, 3), 'every request is answered well').toEqual([]);
  expect(overLimit(requests, limit), 'no pod is over its limit').toMatchObject({ times: 0, peak: limit });
  const answered = requests.filter(({ outcome }) => outcome === 'answered').map(({ id }) => id);
  expect(answered.sort(), 'each request was at one pod, once').toEqual(results.map(({ id }) => id).sort());
  expect(requests.length, 'no pod saw a request in vain').toBe(results.length);
}

/** Each step of a change waits for Envoy's answer: one that goes missing costs everybody a second. */
function expectAnswered({ process }: Sluice): void {
  expect(process.log.filter(({ msg }) => msg === 'an Envoy has not answered yet')).toEqual([]);
}

const ms = (value: number) => `${value.toFixed(0)} ms`;

describe.skipIf(WHY_NOT !== undefined)(named('pods come and go under load'), { timeout: 180_000 }, () => {
  let cluster: TestCluster;
  beforeAll(() => {
    cluster = new TestCluster(inject('kubeCluster'));
  });

  test('4 → 12 → 2 → 0 → 4 pods', async () => {
    const limit = 2;
    const deployment = await Deployment.make(await TestNamespace.make(cluster), '10.244.21', 4);
    const sluice = await serveCodec(deployment.space, { limit });
    // More clients than 12 pods have slots: somebody always waits.
    const load = keepBusy({ port: sluice.port, clients: 40, workMs: 150 });
    await pause(1500);
    for (const count of [12, 2, 0]) {
      await deployment.scale(count);
      await pause(2500);
    }
    await deployment.ended();
    await until(async () => (await deployment.pods.held()) === 0, { what: 'the last pods to end' });
    const [before, asked] = [load.results.length, instant()];
    await pause(2000);
    expect(load.results.length, 'without pods everybody waits').toBe(before);
    await deployment.scale(4);
    await pause(2500);
    const results = await load.stop();

    const seen = new Seen(await deployment.pods.requests());
    expectKept(results, seen, limit);
    expectAnswered(sluice);
    const readyAt = deployment.readyAt;
    const later = [...readyAt.keys()].slice(4);
    const first = spread(seen.firstAfter(readyAt, later));
    const finished = seen.atDeletion(deployment.deletedAt);
    console.log(
      `4 → 12 → 2 → 0 → 4 pods, ${results.length} requests: first request at a new pod ${ms(first.median)} after its EndpointSlice has it (median), ${ms(first.max)} (worst); ${finished.length} requests were finished by terminating pods`,
    );
    expect(first.max, 'new pods get work at once').toBeLessThan(FIRST_REQUEST_MS);
    expect(finished.length, 'terminating pods had work to finish').toBeGreaterThan(5);
    expect(seen.sentTooLate(deployment.withdrawnAt)).toEqual([]);
    expect(results.filter(({ ended }) => ended > asked).length).toBeGreaterThan(40);
  });

  test.each([
    { limit: 1, startMs: 800 },
    { limit: 3, startMs: 0 },
  ])(
    'a rolling replacement under jobs that last longer than it (limit $limit, a pod starts in $startMs ms)',
    async ({ limit, startMs }) => {
      const network = `10.244.${21 + limit}`;
      const deployment = await Deployment.make(await TestNamespace.make(cluster), network, 4);
      const old = deployment.running;
      const sluice = await serveCodec(deployment.space, { limit });
      // Each of them holds a slot for longer than the rollout takes, and as many again wait for the new pods.
      const load = keepBusy({ port: sluice.port, clients: 12 * limit, workMs: JOB_MS });
      const slots = 4 * limit;
      await until(async () => (await deployment.pods.held()) === slots, { what: 'the old pods to be busy' });
      const began = instant();
      await deployment.roll(startMs);
      const rolled = instant() - began;
      await until(async () => (await deployment.pods.held()) === 2 * slots, {
        what: 'the new pods to be busy as well',
      });
      await deployment.ended();
      const results = await load.stop();

      const seen = new Seen(await deployment.pods.requests());
      expectKept(results, seen, limit);
      expectAnswered(sluice);
      const first = spread(seen.firstAfter(deployment.readyAt, deployment.running));
      console.log(
        `4 pods replaced in ${ms(rolled)} under jobs of ${JOB_MS / 1000} s, limit ${limit}: first request at a new pod ${ms(first.median)} after its EndpointSlice has it (median), ${ms(first.max)} (worst)`,
      );
      expect(rolled, 'the jobs last longer than the rollout').toBeLessThan(JOB_MS);
      expect(first.max, 'new pods get work at once').toBeLessThan(FIRST_REQUEST_MS);
      expect(seen.atDeletion(deployment.deletedAt).length, 'all old jobs were finished').toBe(slots);
      expect([...deployment.deletedAt.keys()].sort()).toEqual([...old].sort());
      expect(seen.sentTooLate(deployment.withdrawnAt)).toEqual([]);
    },
  );
});
