import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Membership } from '../../envoy/filter/membership.ts';
import { Queues } from '../../envoy/filter/queue.ts';
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
    for (const what of ['starts', 'traps', 'ejections', 'upgrades', 'changed limits', 'ended VMs']) {
      expect(outcome.counts.get(what), what).toBeGreaterThan(STEPS / 20_000);
    }
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

  it('count who waits in a worker that is dead no more, once the guard has answered them', () => {
    const members = { cells: new Float64Array() };
    const record = { cells: new Float64Array() };
    const worker = () => {
      const queues = new Queues();
      const membership = new Membership();
      const workers = new Workers(queues, membership);
      const s = queues.addService();
      queues.configure(s, 2, 0, 0);
      workers.name(queues.addPod(s, 1, false), 1);
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
      return { queues, s, beat, share };
    };
    const [one, other] = [worker(), worker()];
    for (const each of [one, other, one]) each.beat(0);
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

  it.each(WORKER_FAULTS)('would break if $name', { timeout: 300_000 }, async ({ name }) => {
    expect(await planted(name)).toBeTypeOf('string');
  });
});
