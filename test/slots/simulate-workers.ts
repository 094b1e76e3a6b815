// The long random run of the workers of one Envoy.
//   node test/slots/simulate-workers.ts [--steps 1000000] [--from SEED]
import { parseArgs } from 'node:util';
import { seeded } from '../e2e/kit/random.ts';
import { EnvoyWorld, envoyMixtureOf } from './envoy-world.ts';
import type { Outcome } from './simulate.ts';
import { Broken, type Step } from './world.ts';

/** Steps of one Envoy, from one seed. */
const STEPS_EACH = 300;

/** Random Envoys with one to four workers one after the other, until one breaks or there were so many steps. */
export function simulateWorkers(steps: number, from: number): Outcome {
  const counts = new Map<string, number>();
  let done = 0;
  for (let seed = from; done < steps; seed++) {
    const random = seeded(seed);
    const number = () => Math.floor(random() * 1e9);
    const world = new EnvoyWorld(envoyMixtureOf(random), 1 + (seed % 4), { costs: seed % 3 === 0 });
    const all = Array.from({ length: STEPS_EACH }, (): Step => [number(), number(), number()]);
    const why = breaksWorkers(world, all);
    done += STEPS_EACH;
    for (const [what, count] of world.counts) counts.set(what, (counts.get(what) ?? 0) + count);
    if (why !== undefined) return { steps: done, broken: { seed, why }, counts };
  }
  return { steps: done, broken: undefined, counts };
}

/** How an Envoy breaks under these steps; undefined: it does not. */
export function breaksWorkers(world: EnvoyWorld, steps: Iterable<Step>): string | undefined {
  try {
    for (const step of steps) world.step(step);
    world.finish();
    return undefined;
  } catch (error) {
    if (error instanceof Broken) return error.message;
    throw error;
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { steps: { type: 'string', default: '1000000' }, from: { type: 'string', default: '1' } },
  });
  const began = performance.now();
  const outcome = simulateWorkers(Number(values.steps), Number(values.from));
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const found = outcome.broken === undefined ? 'nothing broke' : `seed ${outcome.broken.seed}: ${outcome.broken.why}`;
  process.stdout.write(`${outcome.steps} steps in ${seconds} s: ${found}\n`);
  process.stdout.write(`${JSON.stringify(Object.fromEntries(outcome.counts))}\n`);
}
