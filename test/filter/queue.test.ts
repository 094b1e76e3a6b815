import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUCKETS, bucketOf } from '../../envoy/filter/durations.ts';
import {
  ANSWERED,
  ARRIVED,
  FULL,
  NONE,
  POD_EJECTED,
  POD_FORGOTTEN,
  POD_RETURNED,
  Queues,
  SERVICE_FORGOTTEN,
  STARTED,
  UNSERVED,
  WAITING,
  WORKING,
} from '../../envoy/filter/queue.ts';
import { seeded } from '../e2e/kit/random.ts';
import { compileQueue } from './kit/compile.ts';
import { type Step, takeSteps } from './kit/queue-steps.ts';

const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(fc.nat(13), fc.nat(1000), fc.nat(1000)), { maxLength: 300 });

/** A service with pods of these limits, of which 100 requests may wait. */
function queueOf(...limits: number[]): { queue: Queues; s: number; pods: number[] } {
  const queue = new Queues();
  const s = queue.addService();
  queue.configureEjection(s, 0, 3, 1000, 5000);
  queue.configure(s, 100, 0, 5);
  return { queue, s, pods: limits.map((limit) => queue.addPod(s, limit, false)) };
}

describe('whatever happens', () => {
  test('who came first starts first, of those that did not leave', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { started } = takeSteps(new Queues(), taken);
        expect(started).toEqual([...started].sort((a, b) => a - b));
        expect(new Set(started).size).toBe(started.length);
      }),
    );
  });

  test('nobody waits beside a free slot', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const queue = new Queues();
        takeSteps(queue, taken);
        expect(queue.nextReady()).toBe(NONE);
        let free = 0;
        for (let p = queue.anyPod(0), left = queue.podCount(0); left > 0; left--, p = queue.podAfter(p)) {
          const usable = queue.podState(p) === 0;
          // Those that are tried again there come first, once they have connections.
          if (usable) free += Math.max(0, queue.podLimitOf(p) - queue.podInUseOf(p) - queue.claimsOf(p));
        }
        if (queue.waiting(0) > 0) expect(free).toBe(0);
      }),
    );
  });

  test('what pods have in use is what the service has, and each request is counted once', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const queue = new Queues();
        const { arrived, started, open, claiming, refused } = takeSteps(queue, taken);
        // Slots of requests that had no pod are kept for a moment as well.
        queue.tick(1e9);
        let inUse = 0;
        for (let p = queue.anyPod(0), left = queue.podCount(0); left > 0; left--, p = queue.podAfter(p)) {
          inUse += queue.podInUseOf(p);
        }
        expect(inUse + claiming).toBe(queue.inUse(0));
        expect(queue.waiting(0)).toBe(open.length);
        expect(queue.count(0, ARRIVED)).toBe(arrived.length + refused);
        expect(queue.count(0, STARTED)).toBe(started.length);
      }),
    );
  });

  test('the compiled queue answers the same, step by step', async () => {
    const compiled = await compileQueue();
    fc.assert(
      fc.property(steps, (taken) => {
        const here: number[] = [];
        const there: number[] = [];
        takeSteps(new Queues(), taken, (value) => here.push(value));
        takeSteps(compiled(), taken, (value) => there.push(value));
        expect(there).toEqual(here);
      }),
      { numRuns: 300 },
    );
  }, 120_000);
});

test('the pod with the fewest requests; equals take turns', () => {
  const { queue, s, pods } = queueOf(2, 2, 2);
  const chosen = Array.from({ length: 6 }, () => queue.podOf(queue.arrive(s, 0)));
  expect(chosen).toEqual([...pods, ...pods]);
  const waiting = queue.arrive(s, 0);
  expect(queue.state(waiting)).toBe(WAITING);
  queue.end(3, ANSWERED, 5);
  expect(queue.start(queue.nextReady(), 5)).toBe(waiting);
  expect(queue.podOf(waiting)).toBe(pods[0]);
});

test('a full queue, and places for all', () => {
  const { queue, s } = queueOf(1);
  queue.configure(s, 2, 0, 0);
  queue.requestsMax = 3;
  expect([queue.arrive(s, 0), queue.arrive(s, 0), queue.arrive(s, 0), queue.arrive(s, 0)]).toEqual([0, 1, 2, FULL]);
  queue.configure(s, 5, 0, 0);
  expect(queue.arrive(s, 0)).toBe(UNSERVED);
  expect(queue.requests).toBe(3);
});

test('when to come again: what waits, at the usual pace', () => {
  const { queue, s } = queueOf(1, 1);
  expect(queue.retryAfter(s)).toBe(1);
  const first = queue.arrive(s, 0);
  queue.end(first, ANSWERED, 4000);
  queue.gone(first, 4000);
  for (let i = 0; i < 8; i++) queue.arrive(s, 4000);
  // 6 wait, 2 at a time, 4 s each.
  expect(queue.retryAfter(s)).toBe(12);
  for (let i = 0; i < 90; i++) queue.arrive(s, 4000);
  expect(queue.retryAfter(s)).toBe(192);
});

test('a wait is expected by the usual work, and within bounds that follow from how much it differs', () => {
  const { queue, s } = queueOf(1, 1);
  expect(queue.expect(s, 3)).toBe(false);
  const work = (ms: number, now: number) => {
    const r = queue.arrive(s, now);
    queue.end(r, ANSWERED, now + ms);
    queue.gone(r, now + ms);
  };
  for (let i = 0; i < 40; i++) work(4000, 0);
  expect(queue.expect(s, 4)).toBe(true);
  // Two at a time, each for 4 s; the first is half done.
  expect(queue.expected).toBeCloseTo(7000);
  expect(queue.soonestExpected).toBeGreaterThan(6000);
  expect(queue.latestExpected).toBeLessThan(8000);
  for (let i = 0; i < 200; i++) work(i % 4 === 0 ? 13_000 : 1000, 0);
  queue.expect(s, 4);
  expect(queue.expected).toBeGreaterThan(7000);
  expect(queue.latestExpected - queue.soonestExpected).toBeGreaterThan(9000);
  expect(queue.expect(s, 0)).toBe(false);
});

test('of exponential work eight of ten waits lie within the bounds of what was expected', () => {
  const { queue, s } = queueOf(1, 1, 1, 1);
  queue.countPlacesFrom(s);
  const random = seeded(3);
  const working = new Map<number, number>();
  const expected = new Map<number, { low: number; middle: number; high: number; at: number }>();
  let [inside, all, now] = [0, 0, 0];
  const errors: number[] = [];
  const begin = (r: number) => working.set(r, now - Math.log(1 - random()) * 100);
  for (let i = 0; i < 40; i++) if (queue.state(queue.arrive(s, 0)) === WORKING) begin(i);
  for (let i = 0; i < 5000; i++) {
    const [r = NONE, at = 0] = [...working].reduce((a, b) => (b[1] < a[1] ? b : a));
    now = at;
    working.delete(r);
    queue.end(r, ANSWERED, now);
    queue.gone(r, now);
    const next = queue.start(s, now);
    begin(next);
    const wait = expected.get(next);
    if (wait !== undefined && i > 500) {
      all += 1;
      const waited = now - wait.at;
      if (waited >= wait.low && waited <= wait.high) inside += 1;
      errors.push(Math.abs(wait.middle - waited) / waited);
    }
    const came = queue.arrive(s, now);
    queue.expect(s, queue.placeOf(came, now));
    const { soonestExpected: low, expected: middle, latestExpected: high } = queue;
    expected.set(came, { low, middle, high, at: now });
  }
  expect(inside / all).toBeGreaterThan(0.7);
  expect(inside / all).toBeLessThan(0.9);
  expect(errors.sort((a, b) => a - b)[errors.length >> 1]).toBeLessThan(0.25);
});

test('ejected for longer each time, then one request, then all', () => {
  const { queue, s, pods } = queueOf(4);
  const [pod = NONE] = pods;
  const events: (readonly [number, number])[] = [];
  const note = () => {
    for (let i = 0; i < queue.eventCount; i++) events.push([queue.eventKind(i), queue.eventTime(i)]);
    queue.clearEvents();
  };
  let now = 0;
  for (let i = 0; i < 7; i++) {
    queue.unreachable(pod, now);
    note();
    now += 5000;
    queue.tick(now);
    note();
  }
  expect(events.filter(([kind]) => kind === POD_EJECTED).map(([, time]) => time)).toEqual([
    1000, 2000, 3000, 4000, 5000, 5000, 5000,
  ]);
  expect(events.filter(([kind]) => kind === POD_RETURNED)).toHaveLength(7);
  const one = queue.arrive(s, now);
  const two = queue.arrive(s, now);
  expect([queue.state(one), queue.state(two)]).toEqual([WORKING, WAITING]);
  queue.answered(one, 200, now);
  expect(queue.start(queue.nextReady(), now)).toBe(two);
});

test('one bad answer is enough for a pod that is tried; three in a row for another', () => {
  const { queue, s, pods } = queueOf(1);
  const [pod = NONE] = pods;
  const answer = (status: number, now: number) => {
    const r = queue.arrive(s, now);
    queue.answered(r, status, now);
    queue.end(r, ANSWERED, now);
    queue.gone(r, now);
  };
  for (const status of [503, 502, 200, 504, 503, 500]) answer(status, 1);
  expect(queue.podState(pod)).toBe(0);
  for (const status of [503, 502, 504]) answer(status, 2);
  expect(queue.podState(pod)).toBe(2);
  queue.tick(queue.nextDeadline());
  expect(queue.podState(pod)).toBe(4);
  answer(503, 2000);
  expect(queue.podState(pod)).toBe(2);
});

test('a removed service is forgotten when its last request has ended', () => {
  const { queue, s } = queueOf(1);
  const working = queue.arrive(s, 0);
  const waiting = queue.arrive(s, 0);
  queue.removeService(s);
  queue.takeOut(waiting);
  queue.gone(waiting, 0);
  expect(queue.eventCount).toBe(0);
  queue.end(working, ANSWERED, 9);
  expect([queue.eventKind(0), queue.eventKind(1)]).toEqual([POD_FORGOTTEN, SERVICE_FORGOTTEN]);
  queue.clearEvents();
  queue.gone(working, 9);
  expect([queue.requests, queue.addService()]).toEqual([0, s]);
});

test('durations are counted in the bucket whose bound is not below them', () => {
  const bounds = Array.from({ length: 8 }, (_, power) => [1, 1.5, 2, 3, 5, 7].map((step) => step * 10 ** power)).flat();
  bounds.push(1e8);
  expect(bounds).toHaveLength(BUCKETS - 1);
  for (const [index, bound] of bounds.entries()) {
    expect([bucketOf(bound), bucketOf(bound * 1.0001)]).toEqual([index, index + 1]);
  }
  expect([bucketOf(0), bucketOf(1e12)]).toEqual([0, BUCKETS - 1]);
});

describe('requests that are tried again elsewhere', () => {
  /** All slots of three pods of limit 1 are taken; the requests at the second and the third look for one at the first. */
  function looking() {
    const { queue, s, pods } = queueOf(1, 1, 1);
    const requests = [queue.arrive(s, 0), queue.arrive(s, 0), queue.arrive(s, 0)];
    const [goal = NONE] = pods;
    const at = (p: number | undefined) => requests.find((r) => queue.podOf(r) === p) ?? NONE;
    const [there, older, newer] = [at(goal), at(pods[1]), at(pods[2])];
    const claim = (r: number, p: number) => {
      queue.claim(r, p);
      queue.setConnected(r);
    };
    return { queue, goal, there, older, newer, claim };
  }

  test('who has a connection goes first, and the slot is kept for those that have none yet', () => {
    const { queue, goal, there, older, newer } = looking();
    queue.claim(older, goal);
    queue.claim(newer, goal);
    queue.end(there, ANSWERED, 10);
    expect([queue.takeClaim(), queue.keepsForClaims(goal), queue.arrive(0, 11)]).toEqual([
      NONE,
      true,
      expect.anything(),
    ]);
    expect(queue.podInUseOf(goal)).toBe(0);
    queue.setConnected(newer);
    expect(queue.takeClaim()).toBe(newer);
    queue.end(newer, ANSWERED, 20);
    queue.setConnected(older);
    expect(queue.takeClaim()).toBe(older);
  });

  test('the slot of one that has ended may be free a moment later', () => {
    const { queue, goal, there, older, claim } = looking();
    claim(older, goal);
    queue.endLater(there, ANSWERED, 11, 10);
    expect([queue.takeClaim(), queue.inUse(0), queue.nextDeadline()]).toEqual([NONE, 3, 11]);
    queue.tick(11);
    expect(queue.takeClaim()).toBe(older);
  });

  test('the first one gets the slot first, as Envoy gives it the connection', () => {
    const { queue, goal, there, older, newer, claim } = looking();
    claim(older, goal);
    claim(newer, goal);
    expect([queue.takeClaimOf(older), queue.takeClaimOf(newer), queue.takeClaim()]).toEqual([false, false, NONE]);
    queue.end(there, ANSWERED, 10);
    expect(queue.takeClaim()).toBe(older);
    expect([queue.podOf(older), queue.isClaiming(newer), queue.takeClaim()]).toEqual([goal, true, NONE]);
    queue.end(older, ANSWERED, 20);
    expect(queue.takeClaim()).toBe(newer);
  });

  test('one that comes while the slot is there for another does not take it', () => {
    const { queue, goal, there, older, newer, claim } = looking();
    claim(older, goal);
    queue.end(there, ANSWERED, 10);
    claim(newer, goal);
    expect(queue.takeClaimOf(newer)).toBe(false);
    expect(queue.takeClaimOf(older)).toBe(true);
  });

  test('a pod that gives no slots gets none, and who waits for some is told in time', () => {
    const { queue, goal, there, older, newer, claim } = looking();
    claim(older, goal);
    queue.removePod(goal);
    queue.end(there, ANSWERED, 10);
    claim(newer, queue.addStranger(0));
    expect(queue.takeClaim()).toBe(NONE);
    queue.tick(20);
    expect([queue.expireClaim(30_019), queue.nextDeadline()]).toEqual([NONE, 30_020]);
    queue.setSilent(false);
    queue.tick(1000);
    expect([queue.expireClaim(10_999), queue.nextDeadline()]).toEqual([NONE, 11_000]);
    // It is given some after all.
    queue.setPod(goal, 1, false);
    expect(queue.takeClaim()).toBe(older);
    expect([queue.expireClaim(11_000), queue.expireClaim(11_000), queue.isClaiming(newer)]).toEqual([
      newer,
      NONE,
      false,
    ]);
  });

  test("who no longer looks stands in nobody's way", () => {
    const { queue, goal, there, older, newer, claim } = looking();
    claim(older, goal);
    claim(newer, goal);
    queue.gone(older, 5);
    queue.end(there, ANSWERED, 10);
    expect(queue.takeClaim()).toBe(newer);
    expect(queue.takeClaim()).toBe(NONE);
  });
});
