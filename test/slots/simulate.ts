// The long random run of shared slots.
//   node test/slots/simulate.ts [--steps 1000000] [--from SEED] [--fault NAME] [--no-lease]
import { parseArgs } from 'node:util';
import { seeded } from '../e2e/kit/random.ts';
import { Broken, mixtureOf, type Step, World, type WorldOptions } from './world.ts';

/** Steps of one world, from one seed. */
export const STEPS_EACH = 250;

/** What a run found. */
export interface Outcome {
  readonly steps: number;
  /** The seed that broke, and how; undefined: nothing broke. */
  readonly broken: { readonly seed: number; readonly why: string } | undefined;
  readonly counts: ReadonlyMap<string, number>;
}

/** Random worlds one after the other, until one breaks or there were so many steps. */
export function simulate(steps: number, from: number, options: WorldOptions): Outcome {
  const counts = new Map<string, number>();
  let done = 0;
  for (let seed = from; done < steps; seed++) {
    const random = seeded(seed);
    const world = new World(mixtureOf(random), options);
    const why = breaks(world, stepsOf(random), seed);
    done += STEPS_EACH;
    for (const [what, count] of world.counts) counts.set(what, (counts.get(what) ?? 0) + count);
    if (why !== undefined) return { steps: done, broken: { seed, why }, counts };
  }
  return { steps: done, broken: undefined, counts };
}

/** How a world breaks under these steps; undefined: it does not. */
export function breaks(world: World, steps: Iterable<Step>, seed: number): string | undefined {
  try {
    for (const step of steps) world.step(step);
    world.finish(seed);
    return undefined;
  } catch (error) {
    if (error instanceof Broken) return error.message;
    throw error;
  }
}

function* stepsOf(random: () => number): Iterable<Step> {
  const number = () => Math.floor(random() * 1e9);
  for (let i = 0; i < STEPS_EACH; i++) yield [number(), number(), number()];
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '1000000' },
      from: { type: 'string', default: '1' },
      'no-lease': { type: 'boolean', default: false },
    },
  });
  const began = performance.now();
  const outcome = simulate(Number(values.steps), Number(values.from), { lease: !values['no-lease'] });
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const found = outcome.broken === undefined ? 'nothing broke' : `seed ${outcome.broken.seed}: ${outcome.broken.why}`;
  process.stdout.write(`${outcome.steps} steps in ${seconds} s: ${found}\n`);
  process.stdout.write(`${JSON.stringify(Object.fromEntries(outcome.counts))}\n`);
}
