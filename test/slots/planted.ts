// Runs the simulation with a planted fault: node test/slots/planted.ts [--steps N] NAME. Prints how it broke, if it did.
import { registerHooks } from 'node:module';
import { parseArgs } from 'node:util';
import { DEPOSED, FAULTS, type PlantedFault } from './faults.ts';

const { values, positionals } = parseArgs({
  options: { steps: { type: 'string', default: '3000000' } },
  allowPositionals: true,
});
const fault = [...FAULTS, DEPOSED].find(({ name }) => name === positionals[0]);
if (fault === undefined) throw new Error(`no such fault: ${positionals[0]}`);
plant(fault);
const { simulate } = await import('./simulate.ts');
const { runDeposed } = await import('./deposed.ts');
const found = fault === DEPOSED ? runDeposed() : simulate(Number(values.steps), 1, { lease: true }).broken?.why;
process.stdout.write(`${JSON.stringify({ found })}\n`);

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
