import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CODE } from './kit/bootstrap.ts';
import { compileWith } from './kit/compile.ts';
import { FAULTS } from './kit/faults.ts';
import { type ModelRun, runModel } from './kit/model.ts';
import { noticeFault } from './kit/notice-fault.ts';

const STEPS = Number(process.env['SLUICE_FILTER_STEPS'] ?? 1_000_000);
const STEPS_PER_RUN = 1000;
/** A fault has to show within so many steps. */
const STEPS_PER_FAULT = 100_000;

test(`the code that Envoy gets decides as the model does, in ${STEPS} random steps`, { timeout: 3_600_000 }, () => {
  const code = new WebAssembly.Module(readFileSync(CODE));
  const runs: ModelRun[] = [];
  for (let seed = 1; seed * STEPS_PER_RUN <= STEPS; seed++) runs.push(runModel(code, seed, STEPS_PER_RUN));
  const happened: Record<string, number> = {};
  for (const run of runs) {
    for (const [what, times] of Object.entries(run.happened)) happened[what] = (happened[what] ?? 0) + times;
  }
  console.log(`${runs.length * STEPS_PER_RUN} steps`, happened);
  // Nothing that the model can do was left out, and no request took memory.
  expect(Object.keys(happened).length).toBe(48);
  // What jobs and tenants need is taken when the first service asks for it, once.
  expect(new Set(runs.map(({ memory }) => memory)).size).toBeLessThanOrEqual(2);
});

test.each(Object.keys(FAULTS))('the model notices: %s', { timeout: 300_000 }, async (name) => {
  const fault = FAULTS[name];
  if (fault === undefined) throw new Error(name);
  const code = await compileWith(fault);
  const runs = STEPS_PER_FAULT / STEPS_PER_RUN;
  expect(await noticeFault({ code, runs, stepsPerRun: STEPS_PER_RUN })).not.toBeNull();
});
