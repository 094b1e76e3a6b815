import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ABANDONED_WAITING,
  ABANDONED_WORKING,
  ANSWERED,
  ARRIVED,
  COUNT_ANSWERED,
  COUNT_FAILED,
  DEADLINES,
  LATE,
  NONE,
  Queues,
  REFUSED,
  STARTED,
  TENANT_FULL,
  TOO_COSTLY,
  WAIT_TIMEOUTS,
  WAITING,
  WORKING,
} from '../../envoy/filter/queue.ts';

/** A service with pods of these limits, of which any number may wait. */
function queueOf(...limits: number[]): { queue: Queues; s: number; pods: number[] } {
  const queue = new Queues();
  const s = queue.addService();
  queue.configure(s, 1_000_000, 0, 0);
  return { queue, s, pods: limits.map((limit) => queue.addPod(s, limit, false)) };
}

/** Lets go on who may; in their order. */
function startAll(queue: Queues, now: number): number[] {
  const started: number[] = [];
  for (let s = queue.nextReady(); s !== NONE; s = queue.nextReady()) {
    const r = queue.start(s, now);
    if (r !== NONE && queue.state(r) === WORKING) started.push(r);
  }
  return started;
}

/** A request ends, and its place is free. */
function finish(queue: Queues, r: number, now: number): void {
  queue.end(r, ANSWERED, now);
  queue.gone(r, now);
}

describe('classes', () => {
  const MAX_WAITS = [0, 50, 120];

  test('nobody goes before one of a higher class, nor one that came later before one that has waited long enough', () => {
    const steps = fc.array(fc.tuple(fc.nat(2), fc.nat(30), fc.boolean()), { minLength: 5, maxLength: 200 });
    fc.assert(
      fc.property(steps, (list) => {
        const { queue, s } = queueOf(1);
        queue.order.setClasses(s, 3);
        for (const [c, wait] of MAX_WAITS.entries()) queue.order.setMaxWait(s, c, wait);
        const waiting: { r: number; c: number; came: number }[] = [];
        let now = 1000;
        let working = NONE;
        const step = () => {
          const [r] = startAll(queue, now);
          if (r === undefined) return;
          working = r;
          const [one = expect.fail('it did not wait')] = waiting.splice(
            waiting.findIndex((other) => other.r === r),
            1,
          );
          const aged = ({ c, came }: typeof one) => (MAX_WAITS[c] ?? 0) > 0 && now - came >= (MAX_WAITS[c] ?? 0);
          const rank = (other: typeof one) => (aged(other) ? 0 : other.c);
          for (const other of waiting) {
            expect(rank(other)).toBeGreaterThanOrEqual(rank(one));
            if (aged(other)) expect(other.came).toBeGreaterThanOrEqual(one.came);
            if (other.c === one.c) expect(other.came).toBeGreaterThanOrEqual(one.came);
          }
        };
        for (const [c, gap, ends] of list) {
          now += gap;
          if (ends && working !== NONE) {
            finish(queue, working, now);
            working = NONE;
            step();
          }
          const r = queue.arriveAs(s, c, NONE, 1, Number.POSITIVE_INFINITY, now);
          if (queue.state(r) === WORKING) working = r;
          else waiting.push({ r, c, came: now });
        }
      }),
    );
  });

  test('max_wait: under a load of high ones that never ends a low one waits for those that came before it, no more', () => {
    const { queue, s } = queueOf(1);
    queue.order.setClasses(s, 2);
    queue.order.setMaxWait(s, 1, 100);
    let now = 0;
    let working = queue.arrive(s, now);
    const low = queue.arriveAs(s, 1, NONE, 1, Number.POSITIVE_INFINITY, now);
    let began = Number.NaN;
    // A high one comes every 4 ms, the pod does one in 5 ms.
    for (let i = 0; i < 200; i++) {
      now += 1;
      if (i % 4 === 0) queue.arrive(s, now);
      if (i % 5 !== 4) continue;
      finish(queue, working, now);
      working = startAll(queue, now)[0] ?? expect.fail('nobody starts');
      if (working === low && Number.isNaN(began)) began = now;
    }
    expect(began).toBe(100);
  });
});

describe('tenants', () => {
  test('while two have something waiting neither is more than one request ahead, by their weights', () => {
    const input = fc.record({
      tenants: fc.array(fc.record({ count: fc.integer({ min: 1, max: 40 }), weight: fc.integer({ min: 1, max: 5 }) }), {
        minLength: 2,
        maxLength: 12,
      }),
      slots: fc.integer({ min: 1, max: 5 }),
      seed: fc.array(fc.nat(1000), { minLength: 20, maxLength: 20 }),
    });
    fc.assert(
      fc.property(input, ({ tenants, slots, seed }) => {
        const { queue, s, pods } = queueOf(0);
        queue.order.setFair(s, true, 0, 0);
        const all = tenants.map(({ weight, count }) => {
          const t = queue.order.addTenant(s);
          queue.order.setWeight(t, weight);
          return { t, weight, left: count, started: 0 };
        });
        const owner = new Map<number, (typeof all)[number]>();
        // All are there before the first slot is: in any order.
        const arrivals = all.flatMap((one) => Array.from({ length: one.left }, () => one));
        arrivals.sort((a, b) => (seed[(a.t * 7 + a.left) % 20] ?? 0) - (seed[(b.t * 7 + b.left) % 20] ?? 0));
        for (const one of arrivals) owner.set(queue.arriveAs(s, 0, one.t, 1, Number.POSITIVE_INFINITY, 0), one);
        queue.setPod(pods[0] ?? NONE, slots, false);
        const working: number[] = [];
        for (let now = 1; owner.size > 0; now++) {
          for (const r of startAll(queue, now)) {
            const one = owner.get(r) ?? expect.fail('a request that is not there');
            owner.delete(r);
            one.left -= 1;
            one.started += 1;
            working.push(r);
            // Compared while both have still something waiting, or have just given their last.
            for (const other of all) {
              if (other.left === 0 || one.left === 0) continue;
              const ahead = one.started / one.weight - other.started / other.weight;
              expect(ahead).toBeLessThanOrEqual(1 / one.weight + 1e-9);
            }
          }
          const [done] = working.splice((seed[now % 20] ?? 0) % working.length, 1);
          if (done !== undefined) finish(queue, done, now);
        }
      }),
    );
  });

  test('who comes later does not get what others had meanwhile, and who paused has saved nothing', () => {
    const { queue, s } = queueOf(1);
    queue.order.setFair(s, true, 0, 0);
    const [a, b] = [queue.order.addTenant(s), queue.order.addTenant(s)];
    let working = queue.arriveAs(s, 0, a, 1, Number.POSITIVE_INFINITY, 0);
    for (let i = 0; i < 100; i++) queue.arriveAs(s, 0, a, 1, Number.POSITIVE_INFINITY, 0);
    const next = (now: number) => {
      finish(queue, working, now);
      working = startAll(queue, now)[0] ?? expect.fail('nobody starts');
      return queue.order.tenantOf(working);
    };
    for (let now = 1; now <= 50; now++) expect(next(now)).toBe(a);
    for (let i = 0; i < 10; i++) queue.arriveAs(s, 0, b, 1, Number.POSITIVE_INFINITY, 50);
    const order = Array.from({ length: 20 }, (_, at) => next(51 + at));
    for (let i = 0; i < 20; i += 2) expect(new Set(order.slice(i, i + 2)).size).toBe(2);
  });

  test('bounds: so many of a tenant wait, so many of its slots are in use, also while others are free', () => {
    const { queue, s } = queueOf(4);
    queue.order.setFair(s, true, 2, 1);
    const [a, b] = [queue.order.addTenant(s), queue.order.addTenant(s)];
    const arrive = (t: number) => queue.arriveAs(s, 0, t, 1, Number.POSITIVE_INFINITY, 0);
    const first = arrive(a);
    const waits = [arrive(a), arrive(a)];
    expect([queue.state(first), ...waits.map((r) => queue.state(r))]).toEqual([WORKING, WAITING, WAITING]);
    expect(startAll(queue, 0)).toEqual([]);
    expect(waits.map((r) => queue.stay(r))).toEqual([WAITING, WAITING]);
    expect(queue.stay(arrive(a))).toBe(TENANT_FULL);
    const other = arrive(b);
    expect(startAll(queue, 0)).toEqual([other]);
    finish(queue, first, 1);
    expect(startAll(queue, 1)).toEqual([waits[0]]);
    expect([queue.order.inUseOf(a), queue.order.inUseOf(b), queue.order.waitingOf(a)]).toEqual([1, 1, 1]);
  });

  test('memory is bounded: more tenants than may be known take the place of those that have nothing', () => {
    const { queue, s } = queueOf(1);
    queue.order.tenantsMax = 100;
    queue.order.setFair(s, true, 0, 0);
    const busy = queue.order.addTenant(s);
    const kept = queue.order.addTenant(s);
    queue.order.setWeight(kept, 3);
    const working = queue.arriveAs(s, 0, busy, 1, Number.POSITIVE_INFINITY, 0);
    const seen = new Set(Array.from({ length: 1000 }, () => queue.order.addTenant(s)));
    expect(seen.size).toBe(98);
    expect([seen.has(busy), seen.has(kept), seen.has(NONE)]).toEqual([false, false, false]);
    for (const t of seen) queue.arriveAs(s, 0, t, 1, Number.POSITIVE_INFINITY, 0);
    expect(queue.order.addTenant(s)).toBe(NONE);
    finish(queue, working, 1);
    expect(queue.order.addTenant(s)).toBe(busy);
  });

  test('ten thousand cost hardly more than ten', () => {
    const run = (tenants: number) => {
      const { queue, s } = queueOf(1);
      queue.order.setFair(s, true, 0, 0);
      const numbers = Array.from({ length: tenants }, () => queue.order.addTenant(s));
      let working = queue.arriveAs(s, 0, numbers[0] ?? NONE, 1, Number.POSITIVE_INFINITY, 0);
      for (let i = 0; i < 20_000; i++)
        queue.arriveAs(s, 0, numbers[i % tenants] ?? NONE, 1, Number.POSITIVE_INFINITY, 0);
      const before = performance.now();
      for (let i = 1; i <= 60_000; i++) {
        finish(queue, working, i);
        [working = NONE] = startAll(queue, i);
        queue.arriveAs(s, 0, numbers[i % tenants] ?? NONE, 1, Number.POSITIVE_INFINITY, i);
      }
      return ((performance.now() - before) / 60_000) * 1000;
    };
    run(10);
    const [few, many] = [run(10), run(10_000)];
    console.log(`a request costs ${few.toFixed(2)} µs with 10 tenants, ${many.toFixed(2)} µs with 10,000`);
    expect(many).toBeLessThan(few * 8);
  });
});

describe('cost', () => {
  const steps = fc.array(fc.tuple(fc.nat(9), fc.nat(1000), fc.nat(1000)), { minLength: 10, maxLength: 300 });

  test('the slots of a pod are never above its limit, and each request has exactly one end', () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (list, isFair) => {
        const limits = [1, 4, 2];
        const { queue, s, pods } = queueOf(...limits);
        queue.configure(s, 8, 60, 5);
        queue.configureCost(s, 4);
        queue.order.setClasses(s, 2);
        if (isFair) queue.order.setFair(s, true, 5, 3);
        const tenants = isFair ? [queue.order.addTenant(s), queue.order.addTenant(s)] : [NONE];
        const open = new Set<number>();
        const ends = { refused: 0, ended: 0, left: 0 };
        let [now, came] = [1000, 0];
        const settle = () => {
          for (let ready = queue.nextReady(); ready !== NONE; ready = queue.nextReady()) {
            const r = queue.start(ready, now);
            if (r !== NONE) expect([open.has(r), queue.state(r)]).toEqual([true, WORKING]);
          }
          for (const [at, p] of pods.entries()) expect(queue.podInUseOf(p)).toBeLessThanOrEqual(limits[at] ?? 0);
        };
        for (const [what, a, b] of list) {
          const r = [...open][a % Math.max(1, open.size)];
          if (what < 4) {
            came += 1;
            const due = b % 3 === 0 ? now + (a % 50) : Number.POSITIVE_INFINITY;
            const got = queue.arriveAs(s, a % 2, tenants[b % tenants.length] ?? NONE, 1 + (a % 5), due, now);
            if (got < 0) {
              expect([TENANT_FULL, TOO_COSTLY, LATE]).toContain(got);
              ends.refused += 1;
            } else {
              open.add(got);
              settle();
              if (queue.state(got) === WAITING && queue.stay(got) !== WAITING) {
                open.delete(got);
                ends.refused += 1;
              }
            }
          } else if (what < 7 && r !== undefined && queue.state(r) === WORKING) {
            open.delete(r);
            finish(queue, r, now);
            ends.ended += 1;
          } else if (what === 7 && r !== undefined) {
            open.delete(r);
            queue.gone(r, now);
            ends.left += 1;
          } else if (what === 8) {
            now += a % 25;
            queue.tick(now);
            for (let late = queue.expire(now); late !== NONE; late = queue.expire(now)) {
              expect(open.delete(late)).toBe(true);
              queue.gone(late, now);
              ends.refused += 1;
            }
          }
          settle();
        }
        const count = (which: number) => queue.count(s, which);
        expect(count(ARRIVED)).toBe(came);
        const gone = count(REFUSED) + count(DEADLINES) + count(WAIT_TIMEOUTS);
        expect(gone).toBe(ends.refused);
        expect(count(STARTED) + gone + count(ABANDONED_WAITING) + queue.waiting(s)).toBe(came);
        // All end: nothing is left.
        for (let i = 0; i < 1000 && open.size > 0; i++) {
          for (const r of [...open]) {
            if (queue.state(r) !== WORKING) continue;
            open.delete(r);
            finish(queue, r, now);
          }
          now += 6;
          queue.tick(now);
          for (let late = queue.expire(now); late !== NONE; late = queue.expire(now)) {
            open.delete(late);
            queue.gone(late, now);
          }
          settle();
        }
        queue.tick(now + 10);
        expect([open.size, queue.waiting(s), queue.inUse(s), queue.requests]).toEqual([0, 0, 0, 0]);
        const worked = count(COUNT_ANSWERED) + count(COUNT_FAILED) + count(ABANDONED_WORKING);
        expect(worked).toBe(count(STARTED));
        const unserved = count(REFUSED) + count(DEADLINES) + count(WAIT_TIMEOUTS) + count(ABANDONED_WAITING);
        expect(worked + unserved).toBe(came);
        if (isFair) expect(tenants.map((t) => queue.order.inUseOf(t) + queue.order.waitingOf(t))).toEqual([0, 0]);
      }),
    );
  });

  test('a large one does not starve: small ones go on to other pods, and not to the one that it waits for', () => {
    const { queue, s } = queueOf(4, 4);
    queue.configureCost(s, 4);
    let now = 0;
    const working: { r: number; until: number }[] = [];
    const small = () => {
      const r = queue.arrive(s, now);
      if (queue.state(r) === WORKING) working.push({ r, until: now + 10 });
    };
    for (let i = 0; i < 8; i++) small();
    for (let i = 0; i < 20; i++) small();
    const large = queue.arriveAs(s, 0, NONE, 4, Number.POSITIVE_INFINITY, now);
    let began = Number.NaN;
    let busy = 0;
    for (; now < 400; now++) {
      for (const { r } of working.filter(({ until }) => until <= now)) finish(queue, r, now);
      working.splice(0, working.length, ...working.filter(({ until }) => until > now));
      // More small ones than both pods can do.
      small();
      for (const r of startAll(queue, now)) {
        working.push({ r, until: now + 10 });
        if (r === large && Number.isNaN(began)) began = now;
      }
      busy += queue.inUse(s);
    }
    // It came with 20 before it on 8 slots of 10 ms; then its pod has at most 10 ms to finish.
    expect(began).toBeGreaterThanOrEqual(20);
    expect(began).toBeLessThanOrEqual(40);
    expect(busy / 400 / 8).toBeGreaterThan(0.95);
  });

  test('a pod that was ejected is tried by a large one, where nobody else waits', () => {
    const { queue, s, pods } = queueOf(4);
    queue.configureEjection(s, 0, 1, 100, 100);
    queue.configureCost(s, 4);
    const arrive = (cost: number) => queue.arriveAs(s, 0, NONE, cost, Number.POSITIVE_INFINITY, 0);
    const first = arrive(1);
    queue.answered(first, 503, 0);
    finish(queue, first, 0);
    const large = [arrive(3), arrive(2), arrive(4)];
    expect(startAll(queue, 0)).toEqual([]);
    queue.tick(100);
    // One request first, whatever it takes; then the others.
    expect(startAll(queue, 100)).toEqual([large[0]]);
    expect(queue.podInUseOf(pods[0] ?? NONE)).toBe(3);
    expect(startAll(queue, 100)).toEqual([]);
    queue.answered(large[0] ?? NONE, 200, 110);
    finish(queue, large[0] ?? NONE, 110);
    expect(startAll(queue, 110)).toEqual([large[1]]);
    finish(queue, large[1] ?? NONE, 120);
    expect(startAll(queue, 120)).toEqual([large[2]]);
  });

  test('one that costs more than any pod has is refused, also where limits fall while it waits', () => {
    const { queue, s, pods } = queueOf(2);
    queue.configureCost(s, 2);
    expect(queue.arriveAs(s, 0, NONE, 3, Number.POSITIVE_INFINITY, 0)).toBe(TOO_COSTLY);
    const first = queue.arrive(s, 0);
    const second = queue.arriveAs(s, 0, NONE, 2, Number.POSITIVE_INFINITY, 0);
    expect(startAll(queue, 0)).toEqual([]);
    queue.setPod(pods[0] ?? NONE, 1, false);
    queue.configureCost(s, 1);
    finish(queue, first, 1);
    const ready = queue.nextReady();
    expect(queue.start(ready, 1)).toBe(second);
    expect(queue.state(second)).not.toBe(WORKING);
    expect(queue.count(s, REFUSED)).toBe(2);
  });
});

describe('deadlines', () => {
  test('whoever has one goes at it, the first first, whatever else happens', () => {
    const list = fc.array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.boolean()), { maxLength: 100 });
    fc.assert(
      fc.property(list, (given) => {
        const { queue, s } = queueOf();
        const due = new Map<number, number>();
        for (const [at, leaves] of given) {
          const r = queue.arriveAs(s, 0, NONE, 1, at, 0);
          if (leaves) queue.gone(r, 0);
          else due.set(r, at);
        }
        for (let now = 0; now <= 100; now++) {
          expect(queue.nextDeadline()).toBe(Math.min(...due.values()));
          for (let r = queue.expire(now); r !== NONE; r = queue.expire(now)) {
            expect(due.get(r)).toBe(now);
            due.delete(r);
            queue.gone(r, now);
          }
        }
        expect([due.size, queue.waiting(s)]).toEqual([0, 0]);
      }),
    );
  });

  test('one that is over when it comes never waits', () => {
    const { queue, s } = queueOf(1);
    expect(queue.arriveAs(s, 0, NONE, 1, 5, 5)).toBe(LATE);
    expect([queue.count(s, DEADLINES), queue.waiting(s), queue.inUse(s)]).toEqual([1, 0, 0]);
  });
});
