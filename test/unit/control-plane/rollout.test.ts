import { expect, test } from 'vitest';
import { seeded } from '../../e2e/kit/random.ts';
import { World } from './rollout-world.ts';

/** How many schedules are tried. */
const SEEDS = 60;

test('whatever is edited when, and however often Sluice or the filter ends: limits hold, nobody is lost, all slots are used', () => {
  const faults: string[] = [];
  for (let seed = 1; seed <= SEEDS && faults.length === 0; seed++) {
    const random = seeded(seed * 7919);
    const world = new World(seed);
    world.run(300, 0.3);
    for (let times = 0; times < 12; times++) {
      const what = random();
      if (what < 0.6) world.edit();
      else if (what < 0.7) {
        world.trap();
        world.run(random() * 200, 0.3);
        world.edit();
        world.run(1500, 0.3);
      } else if (what < 0.85) world.kill();
      else world.restart();
      world.run(random() * 400, 0.3);
    }
    world.restart();
    // A last edit that leaves somebody to serve those who still wait.
    world.run(35_000, 0);
    const rest = world.differences();
    const problems = [...world.faults.slice(0, 3), ...(world.isSettled ? [] : ['not settled']), ...rest];
    if (problems.length > 0) faults.push(`seed ${seed}: ${problems.join('; ')}`);
  }
  expect(faults).toEqual([]);
}, 120_000);
