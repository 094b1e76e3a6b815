import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Membership } from '../../envoy/filter/membership.ts';
import { ANSWERED, NONE, Queues } from '../../envoy/filter/queue.ts';
import { Workers } from '../../envoy/filter/workers.ts';
import { seeded } from '../e2e/kit/random.ts';
import { EnvoyWorld, envoyMixtureOf } from './envoy-world.ts';
import { WORKER_FAULTS } from './faults.ts';
import { planted } from './plant.ts';
import { breaksWorkers, simulateWorkers } from './simulate-workers.ts';
import type { Step } from './world.ts';

const STEPS = Number(process.env['SLUICE_SLOTS_STEPS'] ?? 1_000_000);

describe('the workers of one Envoy', () => {
  it('share slots: never over the limit, none lost, everybody served, in a long random run', { timeout: STEPS }, () => {
    const outcome = simulateWorkers(STEPS, 1);
    expect(outcome.broken).toBeUndefined();
    for (const what of ['starts', 'traps', 'ejections', 'upgrades', 'replaced VMs', 'changed limits', 'ended VMs']) {
      expect(outcome.counts.get(what), what).toBeGreaterThan(STEPS / 20_000);
    }
  });

  // A pod is removed just when newer code takes the place of all filters that knew it.
  it.each([26_640, 70_068, 167_750, 326_941])('share slots in the world of the seed %i', (seed) => {
    expect(simulateWorkers(1, seed).broken).toBeUndefined();
  });

  it('share slots whatever happens in whatever order', () => {
    const number = fc.nat({ max: 1_000_000 });
    const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(number, number, number), { maxLength: 200 });
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 4 }), steps, (seed, workers, all) => {
        expect(breaksWorkers(new EnvoyWorld(envoyMixtureOf(seeded(seed)), workers), all)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('serve in the order of arrival, whichever worker has a request', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seeded(seed);
      const number = () => Math.floor(random() * 1e9);
      const world = new EnvoyWorld(['go', 'go', 'arrive', 'arrive', 'end', 'end', 'wake', 'wake', 'tick', 'hear'], 4, {
        pace: 0.02,
      });
      world.begin();
      const all = Array.from({ length: 600 }, (): Step => [number(), number(), number()]);
      expect(breaksWorkers(world, all)).toBeUndefined();
      expect(world.overtaken, `seed ${seed}`).toBeLessThanOrEqual(1);
    }
  });

  it('keep a new limit that the newer code has heard of while the older one is replaced', () => {
    const script = `tick 0 0, go 0 0, arrive 0 1, hear 0 0, upgrade 0 0, freeze 0 0, tick 0 0, go 0 0, changeLimit 0 16, go 0 0,
      go 0 0, go 0 0, go 0 0, arrive 0 1, go 0 0, hear 0 0, go 0 0, hear 0 0, go 0 0, hear 0 0, go 0 0, arrive 0 1, go 0 0,
      hear 0 0, go 0 0`;
    const all = ['tick', 'go', 'arrive', 'hear', 'upgrade', 'freeze', 'changeLimit'] as const;
    const mixture: readonly string[] = all;
    const steps = script.split(',').map((line): Step => {
      const [what = '', a, b] = line.trim().split(' ');
      return [mixture.indexOf(what), Number(a), Number(b)];
    });
    const world = new EnvoyWorld(all, 1);
    expect(breaksWorkers(world, steps)).toBeUndefined();
    expect(world.counts.get('upgrades')).toBe(1);
    expect(world.counts.get('changed limits')).toBe(1);
  });

  it('count who waits in a worker that is dead no more, once the guard has answered them', () => {
    const [one, other] = twoWorkers(1);
    for (const _ of [1, 2]) one.queues.arrive(one.s, 0);
    one.share(0);
    for (let now = 0; now <= 2900; now += 100) other.beat(now);
    other.share(2900);
    // The other one of them is to get the free slot.
    expect(other.queues.waitingInAll(other.s)).toBe(1);
    for (let now = 3000; now <= 3100; now += 100) other.beat(now);
    other.share(3100);
    expect(other.queues.waitingInAll(other.s)).toBe(0);
  });

  it('leave no slots for a large request of one that has not heard yet that there are so many', () => {
    const [one, other] = twoWorkers(1);
    for (const each of [one, other]) {
      each.queues.configureCost(each.s, 2);
      each.share(0);
    }
    one.queues.setPod(one.pod, 2, false);
    one.share(0);
    const arrive = (each: typeof one, now: number) =>
      each.queues.arriveAs(each.s, 0, NONE, 2, Number.POSITIVE_INFINITY, now);
    arrive(other, 1);
    other.share(1);
    const younger = arrive(one, 2);
    one.share(2);
    expect(one.workers.wakeCount).toBe(0);
    expect(one.queues.start(one.s, 2)).toBe(younger);
  });

  it('hear no limit from one that was replaced: what it knows may be old', () => {
    const [old, newer] = twoWorkers(3);
    for (const each of [old, newer]) each.share(0);
    newer.queues.setPod(newer.pod, 1, false);
    newer.share(1);
    old.workers.retired = true;
    old.queues.sayAgain(old.s);
    old.share(2);
    const running = () => old.queues.inUse(old.s) + newer.queues.inUse(newer.s);
    for (const each of [old, newer, newer]) {
      each.queues.arrive(each.s, 3);
      each.share(3);
      each.queues.start(each.s, 3);
    }
    expect(running()).toBe(1);
  });

  it('let tenants take turns, whichever worker has their requests', () => {
    const [one, other] = twoWorkers(1);
    const tenants = new Map<typeof one, { readonly many: number; readonly few: number }>();
    for (const each of [one, other]) {
      each.queues.configure(each.s, 1000, 0, 0);
      each.queues.order.setFair(each.s, true, 0, 0);
      tenants.set(each, { many: each.queues.order.addTenant(each.s), few: each.queues.order.addTenant(each.s) });
    }
    let now = 0;
    const arrive = (each: typeof one, who: 'many' | 'few') => {
      const tenant = tenants.get(each)?.[who] ?? NONE;
      const r = each.queues.arriveAs(each.s, 0, tenant, 1, Number.POSITIVE_INFINITY, ++now);
      each.share(now);
      return r;
    };
    /** The next one that gets the slot, wherever it waits; the one before has ended. */
    const next = () => {
      for (let i = 0; i < 4; i++) {
        for (const each of [one, other]) {
          const r = each.queues.start(each.s, now);
          if (r === NONE) continue;
          each.share(++now);
          each.queues.end(r, ANSWERED, ++now);
          each.queues.gone(r, now);
          return [each, r] as const;
        }
        for (const each of [one, other]) each.share(++now);
      }
      return expect.fail('nobody gets the slot');
    };
    // One tenant has a hundred requests at the one worker, and has had many turns.
    for (let i = 0; i < 100; i++) arrive(one, 'many');
    for (let i = 0; i < 40; i++) next();
    // Another one comes to the other worker, time and again: each of its requests is delayed by one of the first one at most.
    for (let i = 0; i < 10; i++) {
      const r = arrive(other, 'few');
      const started = [next(), next()].findIndex(([each, it]) => each === other && it === r);
      expect(started).toBeGreaterThanOrEqual(0);
    }
    // A third one with a hundred of its own there does not take all turns either.
    for (let i = 0; i < 100; i++) arrive(other, 'many');
    const workers = Array.from({ length: 20 }, () => next()[0]);
    const share = workers.filter((each) => each === one).length;
    expect(share).toBeGreaterThanOrEqual(8);
    expect(share).toBeLessThanOrEqual(12);
  });

  it('do not wake each other for ever while one has not heard of a lowered limit yet', () => {
    expect(simulateWorkers(1, 22_158).broken).toBeUndefined();
  });

  it.each(WORKER_FAULTS)('would break if $name', { timeout: 300_000 }, async ({ name }) => {
    expect(await planted(name)).toBeTypeOf('string');
  });
});

/** Two workers of one Envoy that share a pod with so many slots. */
function twoWorkers(limit: number) {
  const members = { cells: new Float64Array() };
  const record = { cells: new Float64Array() };
  const worker = () => {
    const queues = new Queues();
    const membership = new Membership();
    const workers = new Workers(queues, membership);
    const s = queues.addService();
    queues.configure(s, 2, 0, 0);
    const pod = queues.addPod(s, limit, false);
    workers.name(pod, 1);
    queues.shared = true;
    const beat = (now: number) => {
      membership.prepare(members.cells.length);
      membership.cells.array().set(members.cells);
      membership.plan(true, false, now);
      members.cells = membership.cells.array().slice(0, membership.size);
      membership.commit(now);
    };
    const share = (now: number) => {
      workers.prepare(record.cells.length);
      workers.cells.array().set(record.cells);
      workers.plan(s, now);
      record.cells = workers.cells.array().slice(0, workers.size);
      workers.commit(s);
    };
    return { queues, workers, s, pod, beat, share };
  };
  const both = [worker(), worker()] as const;
  for (const each of [...both, ...both]) each.beat(0);
  return both;
}
