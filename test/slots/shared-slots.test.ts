import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seeded } from '../e2e/kit/random.ts';
import { runDeposed } from './deposed.ts';
import { DEPOSED, FAULTS } from './faults.ts';
import { planted } from './plant.ts';
import { breaks, simulate } from './simulate.ts';
import { mixtureOf, type Step, World } from './world.ts';

const STEPS = Number(process.env['SLUICE_SLOTS_STEPS'] ?? 1_000_000);
describe('shared slots', () => {
  it('are never over the limit, never lost, and serve everybody, in a long random run', { timeout: STEPS }, () => {
    const outcome = simulate(STEPS, 1, { lease: true });
    expect(outcome.broken).toBeUndefined();
    expect(outcome.steps).toBeGreaterThanOrEqual(STEPS);
    for (const what of ['starts', 'terms', 'breaks', 'crashes of a member', 'proofs of death', 'proofs of the term']) {
      expect(outcome.counts.get(what), what).toBeGreaterThan(STEPS / 1000);
    }
  });

  it('hold without a Lease as well: nothing moves before everybody is known', { timeout: STEPS }, () => {
    expect(simulate(STEPS / 10, 1, { lease: false }).broken).toBeUndefined();
  });

  it('hold whatever happens in whatever order', () => {
    const number = fc.nat({ max: 1_000_000 });
    const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(number, number, number), { maxLength: 200 });
    fc.assert(
      fc.property(fc.nat(), steps, (seed, all) => {
        const world = new World(mixtureOf(seeded(seed)), { lease: true });
        expect(breaks(world, all, seed)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it('are not made by a coordinator that has been replaced and does not know', () => {
    expect(runDeposed()).toBeUndefined();
  });

  it.each([...FAULTS, DEPOSED])('would break if $name', { timeout: 300_000 }, async ({ name }) => {
    expect(await planted(name)).toBeTypeOf('string');
  });
});
