import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EnvoyWorld, envoyMixtureOf } from './envoy-world.ts';
import { WORKER_FAULTS } from './faults.ts';
import { planted } from './plant.ts';
import { randomOf } from './random.ts';
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
        expect(breaksWorkers(new EnvoyWorld(envoyMixtureOf(randomOf(seed)), workers), all)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('serve in the order of arrival, whichever worker has a request', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomOf(seed);
      const number = () => Math.floor(random() * 1e9);
      const world = new EnvoyWorld(
        ['go', 'go', 'arrive', 'arrive', 'end', 'end', 'wake', 'wake', 'tick', 'hear'],
        4,
        0.02,
      );
      world.begin();
      const all = Array.from({ length: 600 }, (): Step => [number(), number(), number()]);
      expect(breaksWorkers(world, all)).toBeUndefined();
      expect(world.overtaken, `seed ${seed}`).toBeLessThanOrEqual(1);
    }
  });

  it.each(WORKER_FAULTS)('would break if $name', { timeout: 300_000 }, async ({ name }) => {
    expect(await planted(name)).toBeTypeOf('string');
  });
});
