// Runs the simulation with a planted fault: node test/slots/planted.ts [--steps N] NAME. Prints how it broke, if it did.
import { registerHooks } from 'node:module';
import { parseArgs } from 'node:util';
import { DEPOSED, FAULTS, type PlantedFault, WORKER_FAULTS } from './faults.ts';

const { values, positionals } = parseArgs({
  options: { steps: { type: 'string', default: '30000000' } },
  allowPositionals: true,
});
const fault = [...FAULTS, ...WORKER_FAULTS, DEPOSED].find(({ name }) => name === positionals[0]);
if (fault === undefined) throw new Error(`no such fault: ${positionals[0]}`);
plant(fault);
process.stdout.write(`${JSON.stringify({ found: await run(fault, Number(values.steps)) })}\n`);

/** How the world breaks with this fault. */
async function run(fault: PlantedFault, steps: number): Promise<string | undefined> {
  if (fault === DEPOSED) return (await import('./deposed.ts')).runDeposed();
  if (WORKER_FAULTS.includes(fault))
    return (await import('./simulate-workers.ts')).simulateWorkers(steps, 1).broken?.why;
  return (await import('./simulate.ts')).simulate(steps, 1, { lease: true }).broken?.why;
}

/** From now on the file is loaded with the fault. */
function plant({ file, changes }: PlantedFault): void {
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      if (!url.endsWith(file)) return loaded;
      let source = String(loaded.source);
      for (const [right, wrong] of changes) {
        if (source.split(right).length !== 2) throw new Error(`not found exactly once in ${file}: ${right}`);
        source = source.replace(right, () => wrong);
      }
      return { ...loaded, source };
    },
  });
}
